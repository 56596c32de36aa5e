import type { HeaderList, REPEATED } from '../lib/header-list.ts';

/**
 * The fields of a recorded request of which some values were left out. A look at one of those is told; that it was sent,
 * and how often, is known and tells nothing.
 */
export class WithheldHeaders implements Pick<HeaderList, keyof HeaderList> {
  readonly #list: HeaderList;
  readonly #withheld: ReadonlySet<string>;
  readonly #onLook: () => void;
  #flat: string[] | undefined = undefined;

  constructor(list: HeaderList, withheld: ReadonlySet<string>, onLook: () => void) {
    this.#list = list;
    this.#withheld = withheld;
    this.#onLook = onLook;
  }

  /** Names are at hand, and so are values that were kept. A copy: edits go another way. */
  get flat(): string[] {
    this.#flat ??= this.#watchedFlat();
    return this.#flat;
  }

  get size(): number {
    return this.#list.size;
  }

  get(name: string): string | undefined {
    const value = this.#list.get(name);
    if (value !== undefined && this.#withheld.has(name)) this.#onLook();
    return value;
  }

  sole(name: string): string | typeof REPEATED | undefined {
    const value = this.#list.sole(name);
    if (typeof value === 'string' && this.#withheld.has(name)) this.#onLook();
    return value;
  }

  getAll(name: string): string[] {
    const values = this.#list.getAll(name);
    if (values.length > 0 && this.#withheld.has(name)) this.#onLook();
    return values;
  }

  count(name: string): number {
    return this.#list.count(name);
  }

  has(name: string): boolean {
    return this.#list.has(name);
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
    return new WithheldHeaders(this.#list.clone(), this.#withheld, this.#onLook);
  }

  *[Symbol.iterator](): IterableIterator<[string, string]> {
    for (const [name, value] of this.#list) {
      if (this.#withheld.has(name.toLowerCase())) this.#onLook();
      yield [name, value];
    }
  }

  /** What was left out is recorded as ''. */
  #watchedFlat(): string[] {
    const flat = [...this.#list.flat];
    const get = (): string => {
      this.#onLook();
      return '';
    };
    const watched = { enumerable: true, configurable: true, get };
    for (let i = 0; i < flat.length; i += 2)
      if (this.#withheld.has(flat[i].toLowerCase())) Object.defineProperty(flat, i + 1, watched);
    return flat;
  }
}
