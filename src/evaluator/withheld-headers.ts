import type { Withheld } from '../contract/index.ts';
import type { HeaderList, REPEATED } from '../lib/header-list.ts';

/**
 * The fields of a recorded request of which some values were left out. A look at one of those is told; that it was sent,
 * and how often, is known and tells nothing. Of an import it may not even be known which fields there were: to ask for
 * one is told as well.
 */
export class WithheldHeaders implements Pick<HeaderList, keyof HeaderList> {
  readonly #list: HeaderList;
  readonly #withheld: Withheld;
  #flat: string[] | undefined = undefined;

  constructor(list: HeaderList, withheld: Withheld) {
    this.#list = list;
    this.#withheld = withheld;
  }

  /** Names are at hand, and so are values that were kept. A copy: edits go another way. */
  get flat(): string[] {
    this.#flat ??= this.#watchedFlat();
    return this.#flat;
  }

  get size(): number {
    this.#askedForAll();
    return this.#list.size;
  }

  get(name: string): string | undefined {
    const value = this.#list.get(name);
    this.#asked(name, value !== undefined);
    return value;
  }

  sole(name: string): string | typeof REPEATED | undefined {
    const value = this.#list.sole(name);
    this.#asked(name, typeof value === 'string');
    return value;
  }

  getAll(name: string): string[] {
    const values = this.#list.getAll(name);
    this.#asked(name, values.length > 0);
    return values;
  }

  count(name: string): number {
    if (this.#withheld.isUnknown(name)) this.#withheld.noteUnknown();
    return this.#list.count(name);
  }

  has(name: string): boolean {
    return this.count(name) > 0;
  }

  append(name: string, value: string): void {
    this.#flat = undefined;
    this.#list.append(name, value);
  }

  set(name: string, value: string): void {
    this.#flat = undefined;
    this.#list.set(name, value);
  }

  delete(name: string): boolean {
    this.#flat = undefined;
    return this.#list.delete(name);
  }

  /** A copy is watched as well. */
  clone(): HeaderList {
    return new WithheldHeaders(this.#list.clone(), this.#withheld);
  }

  *[Symbol.iterator](): IterableIterator<[string, string]> {
    this.#askedForAll();
    for (const [name, value] of this.#list) {
      if (this.#withheld.headers.has(name.toLowerCase())) this.#withheld.note();
      yield [name, value];
    }
  }

  #asked(name: string, isThere: boolean): void {
    const withheld = this.#withheld;
    if (isThere && withheld.headers.has(name)) withheld.note();
    if (!isThere && withheld.isUnknown(name)) withheld.noteUnknown();
  }

  #askedForAll(): void {
    if (this.#withheld.areFieldsUnknown) this.#withheld.noteUnknown();
  }

  /** What was left out is recorded as ''. */
  #watchedFlat(): string[] {
    this.#askedForAll();
    const flat = [...this.#list.flat];
    const get = (): string => {
      this.#withheld.note();
      return '';
    };
    const watched = { enumerable: true, configurable: true, get };
    for (let i = 0; i < flat.length; i += 2) {
      if (this.#withheld.headers.has(flat[i].toLowerCase())) Object.defineProperty(flat, i + 1, watched);
    }
    return flat;
  }
}
