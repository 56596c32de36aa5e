/** A field that occurs more than once: two readers may believe different ones. */
export const REPEATED: unique symbol = Symbol('repeated');

/**
 * Header fields as they came: order, case and repetition kept (RFC 9110 §5.3). One flat array of
 * name, value, name, value; look-ups compare names without case. Lists are short, so a scan beats a map.
 */
export class HeaderList {
  readonly flat: string[];

  constructor(flat: string[] = []) {
    this.flat = flat;
  }

  /** Number of fields. */
  get size(): number {
    return this.flat.length >> 1;
  }

  /** The first value of `name` (lower case), or undefined. */
  get(name: string): string | undefined {
    const { flat } = this;
    for (let i = 0; i < flat.length; i += 2) if (sameName(flat[i], name)) return flat[i + 1];
    return undefined;
  }

  /** The value of `name` (lower case) where it occurs once; undefined where it does not, `REPEATED` where it does again. */
  sole(name: string): string | typeof REPEATED | undefined {
    const { flat } = this;
    let value: string | undefined;
    for (let i = 0; i < flat.length; i += 2) {
      if (!sameName(flat[i], name)) continue;
      if (value !== undefined) return REPEATED;
      value = flat[i + 1];
    }
    return value;
  }

  /** Every value of `name` (lower case), in order. */
  getAll(name: string): string[] {
    const { flat } = this;
    const values: string[] = [];
    for (let i = 0; i < flat.length; i += 2) if (sameName(flat[i], name)) values.push(flat[i + 1]);
    return values;
  }

  /** How often `name` (lower case) occurs. A security decision on a repeated field must look here first. */
  count(name: string): number {
    const { flat } = this;
    let n = 0;
    for (let i = 0; i < flat.length; i += 2) if (sameName(flat[i], name)) n++;
    return n;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  append(name: string, value: string): void {
    this.flat.push(name, value);
  }

  /** Replaces every `name` by one field, at the place of the first (or at the end). */
  set(name: string, value: string): void {
    const lower = name.toLowerCase();
    const { flat } = this;
    let kept = 0;
    let placed = false;
    for (let i = 0; i < flat.length; i += 2) {
      if (!sameName(flat[i], lower)) {
        flat[kept++] = flat[i];
        flat[kept++] = flat[i + 1];
      } else if (!placed) {
        placed = true;
        flat[kept++] = name;
        flat[kept++] = value;
      }
    }
    flat.length = kept;
    if (!placed) flat.push(name, value);
  }

  /** Removes every `name` (any case); true when there was one. */
  delete(name: string): boolean {
    const lower = name.toLowerCase();
    const { flat } = this;
    let kept = 0;
    for (let i = 0; i < flat.length; i += 2) {
      if (sameName(flat[i], lower)) continue;
      flat[kept++] = flat[i];
      flat[kept++] = flat[i + 1];
    }
    const found = kept < flat.length;
    flat.length = kept;
    return found;
  }

  clone(): HeaderList {
    return new HeaderList(this.flat.slice());
  }

  *[Symbol.iterator](): IterableIterator<[string, string]> {
    for (let i = 0; i < this.flat.length; i += 2) yield [this.flat[i], this.flat[i + 1]];
  }
}

/**
 * Whether `name` is `lower` (lower case) but for the case of its ASCII letters. Length first: most comparisons end
 * there. A loop, since `toLowerCase` would make a text for each comparison.
 */
export function sameName(name: string, lower: string): boolean {
  if (name.length !== lower.length) return false;
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    const small = code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
    if (small !== lower.charCodeAt(i)) return false;
  }
  return true;
}

/**
 * Whether two names differ in marks, and in nothing else but case: to servers of CGI's kind, which read every mark in a
 * name as `_`, they are one. False for names that are the same.
 */
export function differsInMarks(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let differs = false;
  for (let i = 0; i < a.length; i++) {
    const one = smallOf(a.charCodeAt(i));
    const other = smallOf(b.charCodeAt(i));
    if (one === other) continue;
    if (isAlphanumeric(one) || isAlphanumeric(other)) return false;
    differs = true;
  }
  return differs;
}

const smallOf = (code: number): number => (code >= 0x41 && code <= 0x5a ? code + 0x20 : code);
const isAlphanumeric = (small: number): boolean =>
  (small >= 0x61 && small <= 0x7a) || (small >= 0x30 && small <= 0x39);
