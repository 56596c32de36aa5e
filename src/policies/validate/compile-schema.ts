import { createRequire } from 'node:module';
import type { Ajv2020, ErrorObject, Options } from 'ajv/dist/2020.js';
import { compileRegex, RegexError } from '../../lib/regex/index.ts';
import { formats } from './formats.ts';
import { isUnique } from './unique-items.ts';

/** What a value violates first: where (JSON Pointer) and which keyword. Never the value. */
interface Violation {
  readonly pointer: string;
  readonly keyword: string;
  /** Undefined where the keyword says it all. Words of the schema only. */
  readonly detail: string | undefined;
}

/** The first violation, or undefined for a value that fits. May change a parameter's text to its type. */
export type SchemaTest = (value: unknown) => Violation | undefined;

/** `json`: values have the types they have. `text`: values came as text and are read as what the schema says. */
export type ValueForm = 'json' | 'text';

/** The schema cannot be compiled. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError';
}

/** Longest pointer told: names in it may be the sender's. */
const MAX_POINTER_LENGTH = 128;
/**
 * Compiles a JSON Schema (2020-12), strictly: unknown keywords and formats, remote references and patterns that
 * cannot be run in bounded time are SchemaErrors. The result depends on the schema alone.
 */
export function compileSchema(schema: object, form: ValueForm): SchemaTest {
  try {
    checkSchema(schema);
    const validate = makeAjv(form, JSON.stringify(schema)).compile(schema);
    if ('$async' in validate) throw new SchemaError('"$async" is not taken');
    return (value) => (validate(value) ? undefined : violation(validate.errors?.[0]));
  } catch (error) {
    if (error instanceof SchemaError || error instanceof TypeError) throw error;
    if (error instanceof RegexError)
      throw new SchemaError(`pattern ${JSON.stringify(error.pattern)}: ${error.message}`);
    throw new SchemaError(error instanceof Error ? error.message : 'the schema cannot be compiled');
  }
}

/** Loaded when first needed: 60 ms and 15 MB that most documents do not need. */
const loadAjv = (): typeof import('ajv/dist/2020.js') => createRequire(import.meta.url)('ajv/dist/2020.js');

const STRICT: Options = {
  strict: true,
  // These two refuse sound schemas: `required` in one branch of names declared in another, open tuples.
  strictRequired: false,
  strictTuples: false,
  allowUnionTypes: true,
  allErrors: false,
  ownProperties: true,
  addUsedSchema: false,
  logger: false,
};

let metaSchema: Ajv2020 | undefined;

/** Checks a schema against its meta-schema, whose compilation (30 ms) all schemas share. */
function checkSchema(schema: object): void {
  metaSchema ??= new (loadAjv().Ajv2020)({ logger: false, addUsedSchema: false });
  if (metaSchema.validateSchema(schema) !== true) {
    throw new SchemaError(
      `the schema is not valid: ${metaSchema.errorsText(metaSchema.errors, { dataVar: 'schema' })}`,
    );
  }
}

/** One instance per schema: nothing a schema declares (`$id`, formats) is seen by another. */
function makeAjv(form: ValueForm, text: string): Ajv2020 {
  const ajv = new (loadAjv().Ajv2020)({
    ...STRICT,
    meta: false,
    validateSchema: false,
    coerceTypes: form === 'text' ? 'array' : false,
    code: { regExp: Object.assign(regexEngine, { code: 'sallyport-regex' }) },
  });
  for (const [name, format] of formats()) {
    if (!text.includes(JSON.stringify(name))) continue;
    ajv.addFormat(name, format);
    // Its pattern is compiled now, not by the first request.
    format.validate('');
  }
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    validate: (wanted: boolean, items: readonly unknown[]) => !wanted || isUnique(items),
  });
  return ajv;
}

/** Without `toString` ajv takes all patterns of a schema for one, and lets through what only others refuse. */
function regexEngine(pattern: string): { test: (text: string) => boolean; toString: () => string } {
  const { test } = compileRegex(pattern);
  return { test, toString: () => pattern };
}

function violation(error: ErrorObject | null | undefined): Violation {
  if (!error) return { pointer: '', keyword: 'schema', detail: undefined };
  return { pointer: printable(error.instancePath), keyword: error.keyword, detail: schemaWords(error) };
}

/** What the schema says to the keyword, where that helps and comes from the schema alone. */
function schemaWords({ keyword, params }: ErrorObject): string | undefined {
  const words: unknown = { required: params.missingProperty, type: params.type, format: params.format }[
    keyword
  ];
  return words === undefined ? undefined : printable(String(words));
}

const printable = (text: string): string => text.slice(0, MAX_POINTER_LENGTH).replace(/[^\x20-\x7e]/g, '?');
