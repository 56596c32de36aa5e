/**
 * Schemas of our own as plain JSON Schema with their TypeScript type, in TypeBox's words. A subset, and here
 * because of what it costs to load: TypeBox takes about 110 ms and 22 MB in every thread that imports a policy.
 */

declare const STATIC: unique symbol;

/** JSON Schema of values of type T. The type exists for the compiler only. */
export interface TSchema<T = unknown> {
  readonly [keyword: string]: unknown;
  readonly [STATIC]?: T;
}

/** The type of the values a schema takes. */
export type Static<S> = S extends TSchema<infer T> ? T : never;

export type TString = TSchema<string>;
export type TProperties = Readonly<Record<string, TSchema>>;

interface TOptional<T> extends TSchema<T> {
  readonly [OPTIONAL]: true;
}

/** Marks a property that may be absent; not enumerable, so that it never shows in the JSON. */
const OPTIONAL: unique symbol = Symbol('optional');

type OptionalKeys<P> = { [K in keyof P]: P[K] extends TOptional<unknown> ? K : never }[keyof P];
type Simplify<T> = { [K in keyof T]: T[K] };
type ObjectOf<P extends TProperties> = Simplify<
  { -readonly [K in Exclude<keyof P, OptionalKeys<P>>]: Static<P[K]> } & {
    -readonly [K in OptionalKeys<P>]?: Static<P[K]>;
  }
>;

/** Keywords beside the ones a builder sets: `description`, `default`, `minimum`, `additionalProperties`… */
export type SchemaOptions = Readonly<Record<string, unknown>>;

export const Type = Object.freeze({
  String: (options?: SchemaOptions): TString => ({ type: 'string', ...options }),
  Integer: (options?: SchemaOptions): TSchema<number> => ({ type: 'integer', ...options }),
  Number: (options?: SchemaOptions): TSchema<number> => ({ type: 'number', ...options }),
  Boolean: (options?: SchemaOptions): TSchema<boolean> => ({ type: 'boolean', ...options }),
  Null: (options?: SchemaOptions): TSchema<null> => ({ type: 'null', ...options }),
  Unknown: (options?: SchemaOptions): TSchema<unknown> => ({ ...options }),

  Literal: <const L extends string | number | boolean>(value: L, options?: SchemaOptions): TSchema<L> => ({
    type: typeof value,
    const: value,
    ...options,
  }),

  Array: <S extends TSchema>(items: S, options?: SchemaOptions): TSchema<Static<S>[]> => ({
    type: 'array',
    items,
    ...options,
  }),

  Union: <const U extends readonly TSchema[]>(
    anyOf: U,
    options?: SchemaOptions,
  ): TSchema<Static<U[number]>> => ({
    anyOf,
    ...options,
  }),

  /** Objects with free keys that match the key schema's `pattern` (any key without one). */
  Record: <S extends TSchema>(
    key: TString,
    value: S,
    options?: SchemaOptions,
  ): TSchema<Record<string, Static<S>>> => ({
    type: 'object',
    patternProperties: { [patternOf(key)]: value },
    ...options,
  }),

  Object: <P extends TProperties>(properties: P, options?: SchemaOptions): TSchema<ObjectOf<P>> => {
    const required = Object.keys(properties).filter((key) => !(OPTIONAL in properties[key]));
    return { type: 'object', ...(required.length === 0 ? {} : { required }), properties, ...options };
  },

  Optional: <T>(schema: TSchema<T>): TOptional<T> => {
    const marked = { ...schema };
    Object.defineProperty(marked, OPTIONAL, { value: true, enumerable: false });
    return marked as TOptional<T>;
  },

  /** A schema written by hand, with the type it stands for. */
  Unsafe: <T>(schema: SchemaOptions): TSchema<T> => ({ ...schema }),
});

/** A value that may be null instead. */
export const orNull = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);

/**
 * An attachment inside a policy's config. Each is checked where it is compiled (`CompileDeps.members`); editors find
 * its form in the document's published schema.
 */
export const MEMBER: TSchema = Object.freeze({ $ref: '#/definitions/member' });

function patternOf(key: TString): string {
  return typeof key.pattern === 'string' ? key.pattern : '^.*$';
}
