import type { HeaderList } from '../lib/header-list.ts';

/**
 * The fields of a recorded request of which some values were left out. A look at one of those is told; that it was sent,
 * and how often, is known and tells nothing.
 */
export class WithheldHeaders implements Pick<HeaderList, keyof HeaderList> {
  readonly #list: HeaderList;
  readonly #withheld: ReadonlySet<string>;
  readonly #onLook: () => void;

  constructor(list: HeaderList, withheld: ReadonlySet<string>, onLook: () => void) {
    this.#list = list;
    this.#withheld = withheld;
    this.#onLook = onLook;
  }

  /** Whoever takes them all may look at any. */
  get flat(): string[] {
    this.#lookAtAll();
    return this.#list.flat;
  }

  get size(): number {
    return this.#list.size;
  }

  get(name: string): string | undefined {
    const value = this.#list.get(name);
    if (value !== undefined && this.#withheld.has(name)) this.#onLook();
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
    this.#list.append(name, value);
  }

  set(name: string, value: string): void {
    this.#list.set(name, value);
  }

  delete(name: string): boolean {
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

  #lookAtAll(): void {
    for (const [name] of this.#list) if (this.#withheld.has(name.toLowerCase())) return this.#onLook();
  }
}
