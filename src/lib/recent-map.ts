/**
 * A map that holds at most `max` entries and forgets those that were not asked for lately. In two generations: what
 * is asked for moves to the young one, and when that is full the old one is dropped. So the last `max / 2` used are
 * always there, a hit in the young one writes nothing, and no entry costs a list node (a least-recently-used list is written with
 * every hit).
 */
export class RecentMap<K, V> {
  readonly #half: number;
  #young = new Map<K, V>();
  #old = new Map<K, V>();

  /** `max` of at least 2. */
  constructor(max: number) {
    this.#half = Math.max(1, Math.floor(max / 2));
  }

  /** Entries held, at most `max`. */
  get size(): number {
    let size = this.#young.size;
    for (const key of this.#old.keys()) if (!this.#young.has(key)) size++;
    return size;
  }

  get(key: K): V | undefined {
    const value = this.#young.get(key);
    if (value !== undefined) return value;
    const old = this.#old.get(key);
    if (old !== undefined) this.set(key, old);
    return old;
  }

  set(key: K, value: V): void {
    if (this.#young.size >= this.#half && !this.#young.has(key)) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(key, value);
  }

  delete(key: K): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
  }
}
