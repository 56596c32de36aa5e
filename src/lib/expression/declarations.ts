/** CEL types by name: `string`, `int`, `list<string>`, `map<string, dyn>` or one of the `types`. */
export type FieldTypes = Readonly<Record<string, string>>;

export interface Declarations {
  /** Variables the expression may name. */
  readonly variables: FieldTypes;
  /** Object types: instances of `ctor`, whose fields may be getters (asked only where the expression asks). */
  readonly types?: Readonly<
    Record<string, { readonly ctor: new (value: never) => object; readonly fields: FieldTypes }>
  >;
  /** The type the expression must have; default any. A `dyn` passes and is for the caller to check. */
  readonly returns?: string;
}
