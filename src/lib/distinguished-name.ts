/** One attribute of a name: `CN=orders`. */
export interface NameAttribute {
  /** As it was written, e.g. `CN` or `2.5.4.97`. */
  readonly type: string;
  /** Without escapes. */
  readonly value: string;
}

/** A distinguished name (X.501): sets of attributes, the most specific first. */
export type DistinguishedName = readonly (readonly NameAttribute[])[];

/** Longer ones are no names that anybody wrote. */
const MAX_LENGTH = 2048;
const TYPE = /^(?:[A-Za-z][A-Za-z0-9-]{0,63}|[0-9]{1,10}(?:\.[0-9]{1,10}){1,31})$/;
/** What a backslash may stand before (RFC 4514 §2.4). */
const ESCAPABLE = ' "#+,;<=>\\';
/** What a value must not have without a backslash. */
const SPECIAL = '"+,;<>\\';
const HEX_PAIR = /^[0-9A-Fa-f]{2}$/;

/**
 * Reads a name as RFC 4514 writes it, `CN=orders,O=Example`; spaces around its separators are let by. Undefined for
 * what can be read in two ways, and for values in their BER form (`#04…`).
 */
export function parseDistinguishedName(text: string): DistinguishedName | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  return text === '' ? [] : allRead(splitUnescaped(text, ','));
}

/**
 * Reads a name as Node prints it: one set of attributes a line, the least specific first, specials and controls
 * escaped (OpenSSL's `ASN1_STRFLGS_ESC_2253` and `ESC_CTRL`), so that no value can look like another attribute.
 */
export function readPrintedName(text: string): DistinguishedName | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  return text === '' ? [] : allRead(text.split('\n').reverse());
}

/** As RFC 4514 writes it; every value of every name has one spelling. */
export function formatDistinguishedName(name: DistinguishedName): string {
  return name
    .map((set) => set.map(({ type, value }) => `${type}=${escapedValue(value)}`).join('+'))
    .join(',');
}

/** One text for all spellings of a name: cases of types and the order in a set mean nothing; values do. */
export function nameKey(name: DistinguishedName): string {
  return formatDistinguishedName(
    name.map((set) =>
      set
        .map(({ type, value }) => ({ type: type.toUpperCase(), value }))
        .sort((a, b) => (`${a.type}=${a.value}` < `${b.type}=${b.value}` ? -1 : 1)),
    ),
  );
}

/** The values of all attributes of that type. */
export function valuesOf(name: DistinguishedName, type: string): readonly string[] {
  return name.flat().flatMap((one) => (one.type.toUpperCase() === type.toUpperCase() ? [one.value] : []));
}

function allRead(sets: readonly string[]): DistinguishedName | undefined {
  const read = sets.map(readSet);
  return read.includes(undefined) ? undefined : read.flatMap((set) => (set === undefined ? [] : [set]));
}

function readSet(text: string): readonly NameAttribute[] | undefined {
  const attributes: NameAttribute[] = [];
  for (const part of splitUnescaped(text, '+')) {
    const equals = part.indexOf('=');
    if (equals === -1) return undefined;
    const type = withoutSpacesBehind(part.slice(0, equals)).replace(/^ +/, '');
    const value = unescapedValue(trimUnescaped(part.slice(equals + 1)));
    if (value === undefined || !TYPE.test(type)) return undefined;
    attributes.push({ type, value });
  }
  return attributes;
}

function splitUnescaped(text: string, separator: string): string[] {
  const parts: string[] = [];
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') i++;
    else if (text[i] === separator) {
      parts.push(text.slice(from, i));
      from = i + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

/** Without the spaces around it; a space behind a backslash is the value's own. */
function trimUnescaped(text: string): string {
  const start = text.replace(/^ +/, '');
  const end = withoutSpacesBehind(start);
  let backslashes = 0;
  while (end[end.length - 1 - backslashes] === '\\') backslashes++;
  return backslashes % 2 === 1 && end.length < start.length ? `${end} ` : end;
}

/** By hand: `/ +$/` would look at each space of a long run again. */
function withoutSpacesBehind(text: string): string {
  let end = text.length;
  while (text[end - 1] === ' ') end--;
  return text.slice(0, end);
}

function unescapedValue(text: string): string | undefined {
  if (text.startsWith('#')) return undefined;
  const bytes: Buffer[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] !== '\\') {
      const character = String.fromCodePoint(text.codePointAt(i) ?? 0);
      if (SPECIAL.includes(character)) return undefined;
      bytes.push(Buffer.from(character));
      i += character.length - 1;
      continue;
    }
    const pair = text.slice(i + 1, i + 3);
    if (HEX_PAIR.test(pair)) bytes.push(Buffer.from(pair, 'hex'));
    else if (pair !== '' && ESCAPABLE.includes(pair[0])) bytes.push(Buffer.from(pair[0]));
    else return undefined;
    i += HEX_PAIR.test(pair) ? 2 : 1;
  }
  return decoded(Buffer.concat(bytes));
}

function decoded(bytes: Buffer): string | undefined {
  const text = bytes.toString('utf8');
  // What is no UTF-8 decodes to a replacement: another value.
  return Buffer.from(text).equals(bytes) ? text : undefined;
}

function escapedValue(value: string): string {
  const inner = value.replace(/["+,;<>\\]/g, '\\$&').replace(/\p{Cc}/gu, hexPairs);
  return inner.replace(/(?<=.) $/s, '\\ ').replace(/^[# ]/, '\\$&');
}

const hexPairs = (character: string): string =>
  Buffer.from(character).toString('hex').toUpperCase().replace(/../g, '\\$&');
