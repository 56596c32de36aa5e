import { MEMBER, type Static, type TSchema } from './schema.ts';

/** Says whether a value matches, given its schema's keyword value and the whole schema. */
type Rule = (keyword: unknown, value: unknown, schema: TSchema) => boolean;

/**
 * Whether a value matches a schema of ours (the subset of JSON Schema 2020-12 that `lib/schema` builds). A keyword
 * outside it throws: what cannot be checked must not pass. For schemas of users there is a real validator
 * (`policies/validate`).
 */
export function matches<S extends TSchema>(schema: S, value: unknown): value is Static<S> {
  for (const keyword in schema) {
    if (ANNOTATIONS.has(keyword)) continue;
    const rule = RULES[keyword];
    if (rule === undefined) throw new TypeError(`a schema of ours uses "${keyword}", which is not checked`);
    if (!rule(schema[keyword], value, schema)) return false;
  }
  return true;
}

const ANNOTATIONS: ReadonlySet<string> = new Set([
  'default',
  'description',
  'errorMessage',
  'examples',
  'markdownDescription',
  'patternErrorMessage',
  'title',
]);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isSchema = (value: unknown): value is TSchema => isObject(value);
const isSchemaList = (value: unknown): value is readonly TSchema[] =>
  Array.isArray(value) && value.every(isSchema);

const RULES: Readonly<Record<string, Rule>> = Object.freeze({
  type: (type, value) =>
    Array.isArray(type) ? type.some((one) => hasType(one, value)) : hasType(type, value),
  const: (expected, value) => value === expected,
  $ref: (reference) => reference === MEMBER.$ref,
  enum: (choices, value) => Array.isArray(choices) && choices.includes(value),
  anyOf: (branches, value) => isSchemaList(branches) && branches.some((branch) => matches(branch, value)),
  pattern: (pattern, value) => typeof value !== 'string' || regexOf(pattern).test(value),
  minLength: (least, value) => typeof value !== 'string' || value.length >= Number(least),
  maxLength: (most, value) => typeof value !== 'string' || value.length <= Number(most),
  minimum: (least, value) => typeof value !== 'number' || value >= Number(least),
  exclusiveMinimum: (least, value) => typeof value !== 'number' || value > Number(least),
  maximum: (most, value) => typeof value !== 'number' || value <= Number(most),
  items: (items, value) =>
    !Array.isArray(value) || (isSchema(items) && value.every((item) => matches(items, item))),
  minItems: (least, value) => !Array.isArray(value) || value.length >= Number(least),
  maxItems: (most, value) => !Array.isArray(value) || value.length <= Number(most),
  uniqueItems: (unique, value) =>
    unique !== true ||
    !Array.isArray(value) ||
    new Set(value.map((item) => JSON.stringify(item))).size === value.length,
  required: (keys, value) =>
    !isObject(value) ||
    (Array.isArray(keys) && keys.every((key) => typeof key === 'string' && Object.hasOwn(value, key))),
  minProperties: (least, value) => !isObject(value) || Object.keys(value).length >= Number(least),
  maxProperties: (most, value) => !isObject(value) || Object.keys(value).length <= Number(most),
  properties: (properties, value) => !isObject(value) || propertiesMatch(properties, value),
  patternProperties: (patterns, value) => !isObject(value) || patternsMatch(patterns, value),
  additionalProperties: (rest, value, schema) => !isObject(value) || restMatches(rest, value, schema),
});

function hasType(type: unknown, value: unknown): boolean {
  switch (type) {
    case 'object':
      return isObject(value);
    case 'array':
      return Array.isArray(value);
    case 'null':
      return value === null;
    case 'integer':
      return Number.isInteger(value);
    case 'number':
      return Number.isFinite(value);
    case 'string':
    case 'boolean':
      return typeof value === type;
    default:
      throw new TypeError(`a schema of ours has the type "${String(type)}", which is not checked`);
  }
}

function propertiesMatch(properties: unknown, value: Readonly<Record<string, unknown>>): boolean {
  if (!isObject(properties)) return false;
  return Object.keys(properties).every((key) => {
    const schema = properties[key];
    return !Object.hasOwn(value, key) || (isSchema(schema) && matches(schema, value[key]));
  });
}

function patternsMatch(patterns: unknown, value: Readonly<Record<string, unknown>>): boolean {
  if (!isObject(patterns)) return false;
  return Object.entries(patterns).every(([pattern, schema]) => {
    const keys = Object.keys(value).filter((key) => regexOf(pattern).test(key));
    return isSchema(schema) && keys.every((key) => matches(schema, value[key]));
  });
}

/** Keys that neither `properties` nor `patternProperties` names. */
function restMatches(rest: unknown, value: Readonly<Record<string, unknown>>, schema: TSchema): boolean {
  const named = isObject(schema.properties) ? schema.properties : {};
  const patterns = isObject(schema.patternProperties) ? Object.keys(schema.patternProperties) : [];
  const unnamed = Object.keys(value).filter(
    (key) => !Object.hasOwn(named, key) && !patterns.some((pattern) => regexOf(pattern).test(key)),
  );
  if (rest === false) return unnamed.length === 0;
  return rest === true || (isSchema(rest) && unnamed.every((key) => matches(rest, value[key])));
}

/** Patterns are written by us, few, and never meet traffic. */
const regexes = new Map<string, RegExp>();

function regexOf(pattern: unknown): RegExp {
  const source = String(pattern);
  let regex = regexes.get(source);
  if (regex === undefined) {
    regex = new RegExp(source, 'u');
    regexes.set(source, regex);
  }
  return regex;
}
