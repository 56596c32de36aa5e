import { createRequire } from 'node:module';

type Ajv = import('ajv').Ajv;
type ErrorObject = import('ajv').ErrorObject;

/** A part of a route with its schema. */
interface RouteSchema {
  readonly schema: unknown;
}

const require = createRequire(import.meta.url);

/**
 * How the server checks what comes in and writes what goes out. The framework's own compile code for every route while
 * the server starts, and most of it is never run: these cost nothing before a route is asked.
 */
export function schemaCompilers() {
  let ajv: Ajv | undefined;
  return {
    buildValidator: () => (route: RouteSchema) => {
      let check: ReturnType<Ajv['compile']> | undefined;
      return (data: unknown) => {
        ajv ??= makeAjv();
        check ??= ajv.compile(isObject(route.schema) ? route.schema : {});
        return check(data) ? { value: data } : { error: (check.errors ?? []).map(inWords) };
      };
    },
    buildSerializer: () => (route: RouteSchema) => (data: unknown) =>
      JSON.stringify(declared(route.schema, data)),
  };
}

/** A fault as its schema words it, where it does: nobody reads a pattern. */
function inWords({
  parentSchema,
  data: _data,
  schema: _schema,
  ...fault
}: ErrorObject): Omit<ErrorObject, 'schema'> {
  const words = fault.keyword === 'pattern' ? parentSchema?.patternErrorMessage : undefined;
  return typeof words === 'string' ? { ...fault, message: words } : fault;
}

/** As the framework makes it: queries are text, so their values are turned into what the schema says. */
function makeAjv(): Ajv {
  const { Ajv: Library }: typeof import('ajv') = require('ajv');
  const { default: addFormats }: typeof import('ajv-formats') = require('ajv-formats');
  const ajv = new Library({
    coerceTypes: 'array',
    useDefaults: true,
    allErrors: false,
    strict: false,
    verbose: true,
  });
  addFormats.default(ajv);
  return ajv;
}

/**
 * What of a value its schema declares: a member that an object's schema does not name never leaves, whatever the
 * code behind a route puts there.
 */
function declared(schema: unknown, value: unknown): unknown {
  if (!isObject(schema) || typeof value !== 'object' || value === null) return value;
  const { anyOf, items, properties, additionalProperties } = schema;
  if (Array.isArray(anyOf))
    return declared(
      anyOf.find((option) => fits(option, value)),
      value,
    );
  if (Array.isArray(value)) return value.map((item) => declared(items, item));
  if (!isObject(properties) || additionalProperties !== false) return value;
  const kept = Object.entries(value).filter(([name]) => Object.hasOwn(properties, name));
  return Object.fromEntries(kept.map(([name, member]) => [name, declared(properties[name], member)]));
}

/** Whether a schema is for arrays or objects as this value is one. No schema here has two of a kind to choose from. */
function fits(schema: unknown, value: object): boolean {
  return isObject(schema) && schema.type === (Array.isArray(value) ? 'array' : 'object');
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
