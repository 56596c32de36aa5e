import { ConfigError, type ConfigIssue } from '../errors.ts';
import { canonicalJson } from '../lib/canonical-json.ts';
import { type DocumentPath, formatPath } from './document-path.ts';
import { isObject, memberOf, textOf } from './json-shape.ts';
import type { ParsedDocument, SourcePlace } from './parse.ts';

/** Where a value of the merged document was written. */
interface Origin {
  readonly part: ParsedDocument;
  /** Index in its own file's list. */
  readonly index: number;
}

/**
 * Joins the documents of a folder into one: lists one after the other, objects key by key. Throws ConfigError
 * where two files say different things about one name.
 */
export function mergeDocuments(name: string, parts: readonly ParsedDocument[]): ParsedDocument {
  const merge = new Merge(parts);
  for (const part of parts) merge.add(part);
  return { name, document: merge.result(), locate: merge.locate };
}

class Merge {
  readonly #parts: readonly ParsedDocument[];
  readonly #lists = new Map<string, unknown[]>();
  readonly #objects = new Map<string, Map<string, unknown>>();
  readonly #values = new Map<string, unknown>();
  /** Who wrote a list's item, an object's member or a plain value, by its path. */
  readonly #origins = new Map<string, Origin>();
  readonly #issues: ConfigIssue[] = [];

  constructor(parts: readonly ParsedDocument[]) {
    this.#parts = parts;
  }

  add(part: ParsedDocument): void {
    for (const [key, value] of Object.entries(part.document)) {
      if (Array.isArray(value)) this.#addList(part, key, value);
      else if (isObject(value)) this.#addObject(part, key, value);
      else this.#addValue(part, key, value);
    }
  }

  result(): Readonly<Record<string, unknown>> {
    if (this.#issues.length > 0) throw new ConfigError(this.#issues);
    const objects = [...this.#objects].map(([key, members]) => [key, Object.fromEntries(members)]);
    return Object.fromEntries([...this.#values, ...this.#lists, ...objects]);
  }

  readonly locate = (path: DocumentPath): SourcePlace | undefined => {
    const [key, step, ...rest] = path;
    const origin = this.#origins.get(formatPath(path.slice(0, 2))) ?? this.#origins.get(formatPath([key]));
    if (origin === undefined) return this.#parts[0]?.locate([]);
    return origin.part.locate(typeof step === 'number' ? [key, origin.index, ...rest] : path);
  };

  #addList(part: ParsedDocument, key: string, items: readonly unknown[]): void {
    if (this.#isOtherKind(part, key, this.#objects, this.#values)) return;
    const list = this.#lists.get(key) ?? [];
    this.#lists.set(key, list);
    this.#origins.set(key, this.#origins.get(key) ?? { part, index: 0 });
    for (const [index, item] of items.entries()) {
      this.#checkName(part, key, item, index);
      this.#origins.set(formatPath([key, list.length]), { part, index });
      list.push(item);
    }
  }

  /** Within one file the check of the merged document tells; it knows nothing of files. */
  #checkName(part: ParsedDocument, key: string, item: unknown, index: number): void {
    const name = textOf(memberOf(item, 'name'));
    if (name === undefined) return;
    const place = `${key} named ${JSON.stringify(name)}`;
    const rival = this.#origins.get(place);
    if (rival === undefined) this.#origins.set(place, { part, index });
    else if (rival.part !== part) this.#conflict(part, rival.part, [key, index, 'name'], `"${name}"`);
  }

  #addObject(part: ParsedDocument, key: string, members: Readonly<Record<string, unknown>>): void {
    if (this.#isOtherKind(part, key, this.#lists, this.#values)) return;
    const object = this.#objects.get(key) ?? new Map<string, unknown>();
    this.#objects.set(key, object);
    this.#origins.set(key, this.#origins.get(key) ?? { part, index: 0 });
    for (const [name, member] of Object.entries(members)) {
      const place = formatPath([key, name]);
      const rival = this.#origins.get(place);
      if (rival !== undefined) this.#conflict(part, rival.part, [key, name], `"${name}"`);
      this.#origins.set(place, { part, index: 0 });
      object.set(name, member);
    }
  }

  /** A value that stands alone may be repeated, not contradicted. */
  #addValue(part: ParsedDocument, key: string, value: unknown): void {
    if (this.#isOtherKind(part, key, this.#lists, this.#objects)) return;
    const rival = this.#origins.get(key);
    if (rival === undefined) {
      this.#origins.set(key, { part, index: 0 });
      this.#values.set(key, value);
    } else if (key !== '$schema' && canonicalJson(this.#values.get(key)) !== canonicalJson(value)) {
      this.#conflict(part, rival.part, [key], `"${key}"`);
    }
  }

  #isOtherKind(
    part: ParsedDocument,
    key: string,
    ...others: readonly ReadonlyMap<string, unknown>[]
  ): boolean {
    const rival = this.#origins.get(key);
    const isOther = rival !== undefined && others.some((kind) => kind.has(key));
    if (isOther) this.#conflict(part, rival.part, [key], `"${key}"`);
    return isOther;
  }

  #conflict(part: ParsedDocument, rival: ParsedDocument, path: DocumentPath, what: string): void {
    this.#issues.push({
      path: formatPath(path),
      message: `${what} is defined in both ${rival.name} and ${part.name}`,
      ...part.locate(path),
      suggestion: 'keep one of them, or rename it',
    });
  }
}
