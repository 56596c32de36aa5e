import type { HeaderList } from '../../lib/header-list.ts';

/** Parameters as read from text: one value, or a list where the name repeats. */
export type Parameters = Record<string, string | string[]>;

/** The parameters of a raw query; undefined where its percent-encoding or UTF-8 is broken. */
export function queryParameters(query: string): Parameters | undefined {
  const parameters: Parameters = Object.create(null);
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decode(equals === -1 ? pair : pair.slice(0, equals));
    const value = equals === -1 ? '' : decode(pair.slice(equals + 1));
    if (name === undefined || value === undefined) return undefined;
    add(parameters, name, value);
  }
  return parameters;
}

/** Headers by lower-case name. */
export function headerParameters(headers: HeaderList): Parameters {
  const parameters: Parameters = Object.create(null);
  for (const [name, value] of headers) add(parameters, name.toLowerCase(), value);
  return parameters;
}

/** Path parameters, copied: reading them as numbers must change nothing for later policies. */
export const pathParameters = (params: Readonly<Record<string, string>>): Parameters =>
  Object.assign(Object.create(null), params);

function add(parameters: Parameters, name: string, value: string): void {
  const before = parameters[name];
  if (before === undefined) parameters[name] = value;
  else if (typeof before === 'string') parameters[name] = [before, value];
  else before.push(value);
}

function decode(text: string): string | undefined {
  if (!/[+%]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

/** A number as JSON writes it (RFC 8259 §6). */
const NUMBER = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

/**
 * The name of a parameter that was read as a number from a text that others read otherwise (`0x10`, ` 5`, `1e999`),
 * or undefined. `before` holds the texts, `after` the values they were read as.
 */
export function oddNumber(before: Parameters, after: Readonly<Record<string, unknown>>): string | undefined {
  for (const [name, text] of Object.entries(before)) {
    const texts = typeof text === 'string' ? [text] : text;
    const value = after[name];
    const values: readonly unknown[] = Array.isArray(value) ? value : [value];
    const odd = values.some(
      (v, i) => typeof v === 'number' && !(Number.isFinite(v) && NUMBER.test(texts[i])),
    );
    if (odd) return name;
  }
  return undefined;
}

/** A copy to be read as values, with the texts kept beside it. */
export function copyParameters(parameters: Parameters): Parameters {
  const copy: Parameters = Object.create(null);
  for (const [name, value] of Object.entries(parameters))
    copy[name] = Array.isArray(value) ? [...value] : value;
  return copy;
}
