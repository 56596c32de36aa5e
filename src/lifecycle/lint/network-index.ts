import { type Cidr, networkOf } from '../../lib/cidr.ts';

const keyOf = ({ family, a, b, c, d, bits }: Cidr): string => `${family} ${bits} ${a} ${b} ${c} ${d}`;

/** Networks by their text, to be asked which of them holds another. A question costs one look-up per prefix length. */
export class NetworkIndex<T extends { readonly network: Cidr }> {
  readonly #entries = new Map<string, T>();
  readonly #lengths = new Set<string>();

  /** Of a network given twice, the first entry counts. */
  constructor(entries: Iterable<T>) {
    for (const entry of entries) {
      const key = keyOf(entry.network);
      if (this.#entries.has(key)) continue;
      this.#entries.set(key, entry);
      this.#lengths.add(`${entry.network.family} ${entry.network.bits}`);
    }
  }

  /** The widest entry that holds all of a network and that `accept` takes; undefined for none. */
  holderOf(network: Cidr, accept: (entry: T) => boolean = () => true): T | undefined {
    for (let bits = 0; bits <= network.bits; bits++) {
      if (!this.#lengths.has(`${network.family} ${bits}`)) continue;
      const entry = this.#entries.get(keyOf({ ...networkOf(network, bits), bits }));
      if (entry !== undefined && accept(entry)) return entry;
    }
    return undefined;
  }
}
