import { type DistinguishedName, nameKey, parseDistinguishedName } from '../../lib/distinguished-name.ts';

/** A name that a pattern matched. */
export interface Hit {
  readonly name: string;
  /** What its one `*` stands for; undefined where it has none, or several. */
  readonly star: string | undefined;
}

export interface Pattern {
  /** How many `*` it has. */
  readonly stars: number;
  match(name: string): Hit | undefined;
}

/** Kinds of names whose patterns are texts with a separator that no `*` stands for. */
export type TextKind = 'commonName' | 'dns' | 'uri' | 'email';

interface TextForm {
  readonly separator: string;
  /** What a `*` may stand for: nothing that could be read as more than one part. */
  readonly star: RegExp;
  readonly form: RegExp;
  /** What is wrong where the form does not fit. */
  readonly fault: string;
  /** One spelling of names that are the same. */
  readonly fold: (text: string) => string;
}

const same = (text: string): string => text;

const FORMS: Readonly<Record<TextKind, TextForm>> = {
  commonName: {
    separator: '',
    star: /^[^\p{Cc}\p{Cs}]+$/u,
    form: /^[^\p{Cc}\p{Cs}]+$/u,
    fault: 'is no common name',
    fold: same,
  },
  dns: {
    separator: '.',
    star: /^[a-z0-9_-]+$/,
    form: /^[a-z0-9_*-]+(?:\.[a-z0-9_*-]+)*$/,
    fault: 'is no DNS name',
    fold: (text) => text.toLowerCase(),
  },
  uri: {
    separator: '/',
    star: /^(?!\.{1,2}$)[A-Za-z0-9._~-]+$/,
    form: /^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$/,
    fault: 'is no URI with a scheme',
    fold: same,
  },
  email: {
    separator: '@',
    star: /^[!-?A-~]+$/,
    form: /^[!-?A-~]+@[A-Za-z0-9.*-]+$/,
    fault: 'is no e-mail address',
    // What is before the @ is for the server alone to compare (RFC 5321 §2.4).
    fold: (text) => text.replace(/@.*$/, (domain) => domain.toLowerCase()),
  },
};

/** A pattern of that kind, or what is wrong with it. */
export function textPattern(kind: TextKind, text: string): Pattern | string {
  const { separator, star, form, fault, fold } = FORMS[kind];
  const folded = fold(text);
  if (!form.test(folded)) return fault;
  const parts = partsOf(folded, separator).map((part) => partPattern(part, star));
  const stars = parts.filter(({ hasStar }) => hasStar).length;
  if (parts.some(({ isDouble }) => isDouble))
    return 'has two "*" in one part: where one ends is anybody’s guess';
  return {
    stars,
    match(name: string) {
      const hits = matchAll(parts, partsOf(fold(name), separator));
      return hits === undefined ? undefined : { name, star: hits.length === 1 ? hits[0] : undefined };
    },
  };
}

const partsOf = (text: string, separator: string): readonly string[] =>
  separator === '' ? [text] : text.split(separator);

interface Part {
  readonly hasStar: boolean;
  readonly isDouble: boolean;
  /** What its `*` stands for, '' where it has none; undefined where it does not match. */
  match(text: string): string | undefined;
}

function partPattern(part: string, star: RegExp): Part {
  const [before, after, ...more] = part.split('*');
  const isDouble = more.length > 0;
  if (after === undefined)
    return { hasStar: false, isDouble, match: (text) => (text === part ? '' : undefined) };
  return {
    hasStar: true,
    isDouble,
    match(text) {
      if (text.length <= before.length + after.length) return undefined;
      if (!text.startsWith(before) || !text.endsWith(after)) return undefined;
      const inner = text.slice(before.length, text.length - after.length);
      return star.test(inner) ? inner : undefined;
    },
  };
}

/** What the `*`s stand for, in order; undefined where any part does not match. */
function matchAll(parts: readonly Part[], texts: readonly string[]): readonly string[] | undefined {
  if (parts.length !== texts.length) return undefined;
  const stars: string[] = [];
  for (const [i, part] of parts.entries()) {
    const inner = part.match(texts[i]);
    if (inner === undefined) return undefined;
    if (part.hasStar) stars.push(inner);
  }
  return stars;
}

/**
 * A distinguished name in which values may have a `*`. Attributes are compared one by one, so that a `*` never stands
 * for more than a part of one value, whatever the value holds.
 */
export function namePattern(text: string): Pattern | string {
  const parsed = parseDistinguishedName(text);
  if (parsed === undefined || parsed.length === 0)
    return 'is no distinguished name as RFC 4514 writes it, like CN=orders,O=Example';
  const values = attributesOf(parsed).map(({ value }) => partPattern(value, FORMS.commonName.star));
  if (values.some(({ isDouble }) => isDouble))
    return 'has two "*" in one value: where one ends is anybody’s guess';
  const shape = shapeOf(parsed);
  return {
    stars: values.filter(({ hasStar }) => hasStar).length,
    match(name: string) {
      const other = parseDistinguishedName(name);
      if (other === undefined || shapeOf(other) !== shape) return undefined;
      const hits = matchAll(
        values,
        attributesOf(other).map(({ value }) => value),
      );
      return hits === undefined ? undefined : { name, star: hits.length === 1 ? hits[0] : undefined };
    },
  };
}

/** In an order that hangs on the types alone where they differ. */
const attributesOf = (name: DistinguishedName) =>
  name.flatMap((set) =>
    [...set].sort((a, b) => {
      const [x, y] = [a.type.toUpperCase(), b.type.toUpperCase()];
      if (x !== y) return x < y ? -1 : 1;
      return a.value < b.value ? -1 : 1;
    }),
  );

/** The types of its attributes and how they are grouped. */
const shapeOf = (name: DistinguishedName): string =>
  nameKey(name.map((set) => set.map(({ type }) => ({ type, value: '' }))));

const THUMBPRINT = /^(?:[A-Za-z0-9_-]{43}|[0-9A-Fa-f]{64}|(?:[0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2})$/;

/** A thumbprint in base64url or hex; it has no `*`. */
export function thumbprintPattern(text: string): Pattern | string {
  if (!THUMBPRINT.test(text)) return 'is no SHA-256 in base64url or hex';
  const bytes =
    text.length === 43 ? Buffer.from(text, 'base64url') : Buffer.from(text.replaceAll(':', ''), 'hex');
  const thumbprint = bytes.toString('base64url');
  if (text.length === 43 && thumbprint !== text) return 'is not the base64url of 32 bytes';
  return {
    stars: 0,
    match: (name: string) => (name === thumbprint ? { name, star: undefined } : undefined),
  };
}
