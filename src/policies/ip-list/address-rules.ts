import type { CidrSet } from '../../lib/cidr-set.ts';
import type { IpAddress } from '../../lib/ip-address.ts';
import { TimedNetworks } from '../../lib/timed-networks.ts';
import type { EntryName, ReadEntries } from './entries.ts';
import type { Terms } from './terms.ts';

const NO_TERMS: readonly Terms[] = Object.freeze([]);

/** What `deny` and `denyFile`, or `allow` and `allowFile`, list. Networks are asked first: they cost the least. */
export class AddressRules {
  readonly #key: 'deny' | 'allow';
  readonly #names: readonly EntryName[];
  readonly #set: CidrSet;
  readonly #timed: TimedNetworks | undefined;
  readonly #timedPlaces: readonly number[];
  readonly #terms: readonly Terms[];
  /** Nothing but networks that stay. */
  readonly #isPlain: boolean;

  /** A value of `networks` is the place of its entry, or behind those the number of its line. */
  constructor(
    key: 'deny' | 'allow',
    { names, timed }: ReadEntries,
    networks: CidrSet,
    terms: readonly Terms[] = NO_TERMS,
  ) {
    this.#key = key;
    this.#names = names;
    this.#set = networks;
    this.#timed = timed.length === 0 ? undefined : new TimedNetworks(timed);
    this.#timedPlaces = timed.map(({ index }) => index);
    this.#terms = terms;
    this.#isPlain = timed.length + terms.length === 0;
  }

  /** How many entries and lines there are. */
  get size(): number {
    return this.#set.size + this.#timedPlaces.length + this.#terms.length;
  }

  /** Which entry or line an address falls under, or -1. Throws where a list or database cannot say. */
  find(client: IpAddress, nowMs: number): number {
    const at = this.#set.lookup(client);
    return at !== -1 || this.#isPlain ? at : this.#findFurther(client, nowMs);
  }

  #findFurther(client: IpAddress, nowMs: number): number {
    if (this.#timed !== undefined) {
      const timed = this.#timed.lookup(client, nowMs);
      if (timed !== -1) return this.#timedPlaces[timed];
    }
    for (const terms of this.#terms) {
      const found = terms.find(client, nowMs);
      if (found !== -1) return found;
    }
    return -1;
  }

  /** Name of the rule that was found. */
  ruleOf(found: number): string {
    return found < this.#names.length
      ? this.#names[found].rule
      : `${this.#key}File:${found - this.#names.length}`;
  }

  /** What the address is in, for the record. */
  describe(found: number, client: IpAddress, nowMs: number): string {
    if (found >= this.#names.length) return `a network of ${this.#key}File`;
    const { text, why } = this.#names[found];
    const where = this.#terms.find((t) => t.has(found))?.describe(client, nowMs) ?? text;
    return why === '' ? where : `${where} (${why})`;
  }

  release(): void {
    for (const terms of this.#terms) terms.release();
  }
}
