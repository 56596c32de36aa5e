import { canonicalJson } from '../lib/canonical-json.ts';
import { didYouMean, nearest } from '../lib/suggest.ts';
import type { DocumentPath } from './document-path.ts';
import type { IssueList } from './issues.ts';
import { isObject, textOf } from './json-shape.ts';

type Keywords = Readonly<Record<string, unknown>>;

/** One fault found, before it joins a document's issues. */
interface Fault {
  readonly path: DocumentPath;
  readonly message: string;
  readonly suggestion: string | undefined;
}

/**
 * Says in plain words why `value` does not match a JSON Schema. The library's verdict decides whether it does;
 * this only finds the words, so a keyword unknown here can make a message vague but never lets a value through.
 * Values are never quoted: one of them may be a secret.
 */
export function explain(schema: unknown, value: unknown, path: DocumentPath, issues: IssueList): void {
  const faults = faultsOf(schema, value, path);
  for (const fault of faults) issues.add(fault.path, fault.message, fault.suggestion);
  if (faults.length === 0) issues.add(path, 'does not match its schema');
}

function faultsOf(schema: unknown, value: unknown, path: DocumentPath): Fault[] {
  if (!isObject(schema)) return schema === false ? [fault(path, 'is not allowed here')] : [];
  const branches = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(branches)) return unionFaults(branches, schema, value, path);
  const wrongType = typeFault(schema, value, path);
  if (wrongType !== undefined) return [wrongType];
  const all = schema.allOf;
  return [
    ...(Array.isArray(all) ? all.flatMap((s) => faultsOf(s, value, path)) : []),
    ...choiceFaults(schema, value, path),
    ...(typeof value === 'string' ? textFaults(schema, value, path) : []),
    ...(typeof value === 'number' ? numberFaults(schema, value, path) : []),
    ...(Array.isArray(value) ? listFaults(schema, value, path) : []),
    ...(isObject(value) ? objectFaults(schema, value, path) : []),
  ];
}

const fault = (path: DocumentPath, message: string, suggestion?: string): Fault => ({
  path,
  message,
  suggestion,
});

const TYPE_WORDS: Readonly<Record<string, string>> = Object.freeze({
  string: 'text',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  null: 'empty',
});

function hasType(type: unknown, value: unknown): boolean {
  if (Array.isArray(type)) return type.some((one) => hasType(one, value));
  if (type === 'integer') return Number.isInteger(value);
  if (type === 'array') return Array.isArray(value);
  if (type === 'object') return isObject(value);
  if (type === 'null') return value === null;
  return typeof type !== 'string' || typeof value === type;
}

function typeFault(schema: Keywords, value: unknown, path: DocumentPath): Fault | undefined {
  const { type } = schema;
  if (hasType(type, value)) return undefined;
  const custom = textOf(schema.patternErrorMessage);
  if (custom !== undefined) return fault(path, custom);
  const fix = schema.const === undefined ? listForm(type, value) : `write ${JSON.stringify(schema.const)}`;
  return fault(path, `must be ${typeWords(type)}`, fix);
}

/** How what is there becomes a list. */
function listForm(type: unknown, value: unknown): string | undefined {
  if (type !== 'array' || value === null) return undefined;
  return isObject(value) ? 'put a "-" before each item' : 'put it in brackets: [ ]';
}

function typeWords(type: unknown): string {
  const types: readonly unknown[] = Array.isArray(type) ? type : [type];
  return types.map((one) => TYPE_WORDS[String(one)] ?? String(one)).join(' or ');
}

function choiceFaults(schema: Keywords, value: unknown, path: DocumentPath): Fault[] {
  const choices = 'const' in schema ? [schema.const] : schema.enum;
  if (!Array.isArray(choices)) return [];
  const text = canonicalJson(value);
  if (choices.some((choice) => canonicalJson(choice) === text)) return [];
  return [choiceFault(choices, value, path)];
}

function choiceFault(choices: readonly unknown[], value: unknown, path: DocumentPath): Fault {
  return fault(path, `must be ${choiceWords(choices)}`, choiceMeant(choices, value));
}

function choiceWords(choices: readonly unknown[]): string {
  const words = choices.map((choice) => JSON.stringify(choice));
  return words.length === 1 ? words[0] : `one of ${words.join(', ')}`;
}

/** What other gateways call a choice. */
const FOREIGN_CHOICES = new Map([
  ['customer', 'consumer'],
  ['user', 'consumer'],
  ['ip', 'address'],
]);

function choiceMeant(choices: readonly unknown[], value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  const ours = choices.filter((choice) => typeof choice === 'string');
  const theirs = [...FOREIGN_CHOICES.keys()].filter((word) => ours.includes(FOREIGN_CHOICES.get(word) ?? ''));
  const near = nearest(value, [...ours, ...theirs]);
  return near === undefined ? undefined : didYouMean(FOREIGN_CHOICES.get(near) ?? near, ours);
}

/** The faults of the branch that was most probably meant. */
function unionFaults(
  branches: readonly unknown[],
  schema: Keywords,
  value: unknown,
  path: DocumentPath,
): Fault[] {
  const constants = constantsOf(branches);
  if (constants.length === branches.length) {
    return constants.includes(value) ? [] : [choiceFault(constants, value, path)];
  }
  const possible = branches.filter((b) => isObject(b) && hasType(b.type, value));
  if (possible.length === 0) {
    const custom = textOf(schema.patternErrorMessage);
    const words = branches.map((b) => typeWords(isObject(b) ? b.type : undefined));
    return [fault(path, custom ?? `must be ${[...new Set(words)].join(' or ')}`)];
  }
  const choices = constantsOf(possible);
  if (choices.length === possible.length && !choices.includes(value)) {
    return [choiceFault(choices, value, path)];
  }
  if (constants.length > 0 && isObject(value) && isStrange(possible, value)) {
    const keys = [...new Set(possible.flatMap(keysOf))].map((key) => `"${key}"`);
    const named = keys.length === 1 ? `the key ${keys[0]}` : `one of the keys ${keys.join(', ')}`;
    return [fault(path, `must be ${choiceWords(constants)}, or have ${named}`)];
  }
  let best: Fault[] | undefined;
  for (const branch of possible) {
    const faults = faultsOf(branch, value, path);
    if (faults.length === 0) return [];
    if (best === undefined || distance(faults) < distance(best)) best = faults;
  }
  return best ?? [];
}

const keysOf = (branch: unknown): string[] =>
  isObject(branch) && isObject(branch.properties) ? Object.keys(branch.properties) : [];

/** Whether it has no key of any of these objects, nor one like it. */
function isStrange(branches: readonly unknown[], value: Keywords): boolean {
  const known = branches.flatMap(keysOf);
  if (known.length === 0) return false;
  return Object.keys(value).every((key) => nearest(key, known) === undefined);
}

const constantsOf = (branches: readonly unknown[]): unknown[] =>
  branches.flatMap((branch) => (isObject(branch) && 'const' in branch ? [branch.const] : []));

/** A branch whose constant member (its discriminator) is wrong is farther than one with other faults. */
function distance(faults: readonly Fault[]): number {
  return faults.reduce((sum, f) => sum + (f.message.startsWith('must be "') ? 10 : 1), 0);
}

function textFaults(schema: Keywords, value: string, path: DocumentPath): Fault[] {
  const { pattern, minLength, maxLength, patternErrorMessage } = schema;
  if (typeof minLength === 'number' && value.length < minLength) {
    return [
      fault(path, minLength === 1 ? 'must not be empty' : `must have at least ${minLength} characters`),
    ];
  }
  if (typeof maxLength === 'number' && value.length > maxLength) {
    return [fault(path, `must have at most ${maxLength} characters`)];
  }
  if (typeof pattern !== 'string' || new RegExp(pattern, 'u').test(value)) return [];
  return [fault(path, textOf(patternErrorMessage) ?? `must match ${pattern}`)];
}

function numberFaults(schema: Keywords, value: number, path: DocumentPath): Fault[] {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = schema;
  if (typeof minimum === 'number' && value < minimum) return [fault(path, `must be at least ${minimum}`)];
  if (typeof maximum === 'number' && value > maximum) return [fault(path, `must be at most ${maximum}`)];
  if (typeof exclusiveMinimum === 'number' && value <= exclusiveMinimum) {
    return [fault(path, `must be more than ${exclusiveMinimum}`)];
  }
  if (typeof exclusiveMaximum === 'number' && value >= exclusiveMaximum) {
    return [fault(path, `must be less than ${exclusiveMaximum}`)];
  }
  if (typeof multipleOf === 'number' && value % multipleOf !== 0) {
    return [fault(path, `must be a multiple of ${multipleOf}`)];
  }
  return [];
}

function listFaults(schema: Keywords, value: readonly unknown[], path: DocumentPath): Fault[] {
  const { items, minItems, maxItems, uniqueItems } = schema;
  const faults = value.flatMap((item, i) => faultsOf(items, item, [...path, i]));
  if (typeof minItems === 'number' && value.length < minItems) {
    faults.push(fault(path, minItems === 1 ? 'must not be empty' : `must have at least ${minItems} items`));
  }
  if (typeof maxItems === 'number' && value.length > maxItems) {
    faults.push(fault(path, `must have at most ${maxItems} items`));
  }
  if (uniqueItems === true) {
    const seen = new Set<string>();
    for (const [i, item] of value.entries()) {
      const text = canonicalJson(item);
      if (seen.has(text)) faults.push(fault([...path, i], 'occurs twice'));
      seen.add(text);
    }
  }
  return faults;
}

function objectFaults(schema: Keywords, value: Keywords, path: DocumentPath): Fault[] {
  const faults: Fault[] = [];
  const properties = isObject(schema.properties) ? schema.properties : {};
  for (const [key, member] of Object.entries(value))
    faults.push(...memberFaults(schema, properties, key, member, value, path));
  const { required, minProperties, maxProperties } = schema;
  for (const key of Array.isArray(required) ? required : []) {
    if (!Object.hasOwn(value, key)) faults.push(fault(path, `is missing the key "${key}"`));
  }
  const size = Object.keys(value).length;
  if (typeof minProperties === 'number' && size < minProperties)
    faults.push(fault(path, `must have at least ${minProperties} ${minProperties === 1 ? 'key' : 'keys'}`));
  if (typeof maxProperties === 'number' && size > maxProperties)
    faults.push(fault(path, `must have at most ${maxProperties} keys`));
  return faults;
}

function memberFaults(
  schema: Keywords,
  properties: Keywords,
  key: string,
  member: unknown,
  value: Keywords,
  path: DocumentPath,
): Fault[] {
  const place = [...path, key];
  if (Object.hasOwn(properties, key)) return faultsOf(properties[key], member, place);
  const patterns = isObject(schema.patternProperties) ? schema.patternProperties : {};
  const fitting = Object.entries(patterns).filter(([pattern]) => new RegExp(pattern, 'u').test(key));
  if (fitting.length > 0) return fitting.flatMap(([, s]) => faultsOf(s, member, place));
  const rest = schema.additionalProperties;
  if (rest !== false) return faultsOf(rest, member, place);
  if (Object.keys(properties).length === 0 && Object.keys(patterns).length > 0)
    return [fault(place, `is not a valid name here`)];
  const free = Object.keys(properties).filter((name) => !Object.hasOwn(value, name));
  return [
    fault(
      place,
      `unknown key "${key}"`,
      didYouMean(key, free) ?? `known keys: ${Object.keys(properties).join(', ')}`,
    ),
  ];
}
