/**
 * A set of Unicode code points as sorted, disjoint, inclusive ranges: `[from, to, from, to, …]`.
 * What a character class means is held here once, so that two engines cannot read it differently.
 */
export type CodePointSet = readonly number[];

const MAX_CODE_POINT = 0x10ffff;
export const EMPTY: CodePointSet = [];
export const ANY: CodePointSet = [0, MAX_CODE_POINT];
export const DIGIT: CodePointSet = [0x30, 0x39];
export const WORD: CodePointSet = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a];
/** WhiteSpace and LineTerminator of ECMA-262 §12.2–12.3. */
export const SPACE: CodePointSet = [
  0x09, 0x0d, 0x20, 0x20, 0xa0, 0xa0, 0x1680, 0x1680, 0x2000, 0x200a, 0x2028, 0x2029, 0x202f, 0x202f, 0x205f,
  0x205f, 0x3000, 0x3000, 0xfeff, 0xfeff,
];
const LINE_TERMINATOR: CodePointSet = [0x0a, 0x0a, 0x0d, 0x0d, 0x2028, 0x2029];

/** The union of any ranges, in any order, sorted and merged. */
export function union(...sets: readonly CodePointSet[]): CodePointSet {
  const pairs: [number, number][] = [];
  for (const set of sets) for (let i = 0; i < set.length; i += 2) pairs.push([set[i], set[i + 1]]);
  pairs.sort((x, y) => x[0] - y[0]);
  const merged: number[] = [];
  for (const [from, to] of pairs) {
    const last = merged.length - 1;
    if (last > 0 && from <= merged[last] + 1) merged[last] = Math.max(merged[last], to);
    else merged.push(from, to);
  }
  return merged;
}

export function complement(set: CodePointSet): CodePointSet {
  const rest: number[] = [];
  let from = 0;
  for (let i = 0; i < set.length; i += 2) {
    if (set[i] > from) rest.push(from, set[i] - 1);
    from = set[i + 1] + 1;
  }
  if (from <= MAX_CODE_POINT) rest.push(from, MAX_CODE_POINT);
  return rest;
}

export function intersects(x: CodePointSet, y: CodePointSet): boolean {
  let i = 0;
  let j = 0;
  while (i < x.length && j < y.length) {
    if (x[i + 1] < y[j]) i += 2;
    else if (y[j + 1] < x[i]) j += 2;
    else return true;
  }
  return false;
}

/** `.` without the `s` flag. */
export const NOT_LINE_TERMINATOR: CodePointSet = complement(LINE_TERMINATOR);

/** Every code point a one-character pattern matches, asked of V8 itself. About 50 ms: compile time only. */
export function enumerate(source: string, flags: string): CodePointSet {
  const pattern = new RegExp(`^(?:${source})$`, flags);
  const found: number[] = [];
  for (let point = 0; point <= MAX_CODE_POINT; point++) {
    if (!pattern.test(String.fromCodePoint(point))) continue;
    if (found.length > 0 && found[found.length - 1] === point - 1) found[found.length - 1] = point;
    else found.push(point, point);
  }
  return found;
}

/** The set with every other case of its members (simple case folding, as the `iu` flags do). */
export function foldCase(set: CodePointSet): CodePointSet {
  if (set.length === 0) return set;
  const added: number[] = [];
  if (set[set.length - 1] < 0x80) {
    for (let i = 0; i < set.length; i += 2) {
      for (let point = set[i]; point <= set[i + 1]; point++) added.push(...otherCases(point));
    }
    return union(set, added);
  }
  const pattern = new RegExp(`^${printSet(set)}$`, 'iu');
  for (const point of casedPoints()) if (pattern.test(String.fromCodePoint(point))) added.push(point, point);
  return union(set, added);
}

/** What was enumerated, by name: there are few hundred properties, and each costs a walk over Unicode. */
const properties = new Map<string, CodePointSet>();

/** The members of a Unicode property, e.g. `{L}` or `{Script=Greek}`. Throws SyntaxError for one V8 does not know. */
export function propertySet(name: string): CodePointSet {
  const known = properties.get(name);
  if (known !== undefined) return known;
  const set = enumerate(`\\p${name}`, 'u');
  properties.set(name, set);
  return set;
}

let cased: readonly number[] | undefined;

/** The few thousand code points that have another case; found once, when a pattern first asks. */
function casedPoints(): readonly number[] {
  if (cased !== undefined) return cased;
  const set = enumerate('\\p{Changes_When_Casemapped}|\\p{Changes_When_Casefolded}', 'u');
  const points: number[] = [];
  for (let i = 0; i < set.length; i += 2) for (let p = set[i]; p <= set[i + 1]; p++) points.push(p);
  cased = points;
  return points;
}

/** Other cases of an ASCII code point; `k` and `s` also fold with KELVIN SIGN and LONG S. */
function otherCases(point: number): number[] {
  const upper = point >= 0x41 && point <= 0x5a;
  const lower = point >= 0x61 && point <= 0x7a;
  if (!upper && !lower) return [];
  const other = point ^ 0x20;
  if ((point | 0x20) === 0x6b) return [other, other, 0x212a, 0x212a];
  if ((point | 0x20) === 0x73) return [other, other, 0x17f, 0x17f];
  return [other, other];
}

/** The set as a class of V8's `u` mode, or in other words through `word`. */
export function printSet(set: CodePointSet, word: (point: number) => string = escapeV8): string {
  let text = '';
  for (let i = 0; i < set.length; i += 2) {
    text += word(set[i]);
    if (set[i + 1] > set[i]) text += `-${word(set[i + 1])}`;
  }
  return `[${text}]`;
}

export const escapeV8 = (point: number): string => `\\u{${point.toString(16)}}`;
export const escapeRe2 = (point: number): string => `\\x{${point.toString(16)}}`;
