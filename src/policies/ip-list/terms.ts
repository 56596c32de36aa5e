import type { AddressList, GeoLookup } from '../../contract/index.ts';
import type { IpAddress } from '../../lib/ip-address.ts';

/** An entry that is no network, at its place in `deny` or `allow`. */
export interface TermEntry {
  readonly index: number;
  /** Milliseconds since the epoch from which on it counts no more; Infinity for never. */
  readonly untilMs: number;
}

/** Entries that are asked together. */
export interface Terms {
  /** The place of the entry that an address falls under, or -1. Throws where that cannot be said. */
  find(client: IpAddress, nowMs: number): number;
  /** Whether the entry at that place is one of these. */
  has(index: number): boolean;
  /** What an address is in that was just found, for the record. */
  describe(client: IpAddress, nowMs: number): string;
  /** No request asks any more. */
  release(): void;
}

/** `list:NAME`. */
export class ListTerm implements Terms {
  readonly #entry: TermEntry;
  readonly #name: string;
  readonly #list: AddressList;

  constructor(entry: TermEntry, name: string, list: AddressList) {
    this.#entry = entry;
    this.#name = name;
    this.#list = list;
  }

  find(client: IpAddress, nowMs: number): number {
    const { index, untilMs } = this.#entry;
    return untilMs > nowMs && this.#list.lookup(client, nowMs) !== -1 ? index : -1;
  }

  has(index: number): boolean {
    return index === this.#entry.index;
  }

  describe(client: IpAddress, nowMs: number): string {
    const network = this.#list.describe(this.#list.lookup(client, nowMs), client);
    return `${network} of list:${this.#name}`;
  }

  release(): void {}
}

/** What stands for an address that the database does not know. */
export const UNKNOWN = 'unknown';

/** All `country:` or all `asn:` entries: one look-up for all of them. */
export class GeoTerms<T extends string | number> implements Terms {
  readonly #kind: 'country' | 'asn';
  readonly #lookup: GeoLookup<T>;
  readonly #entries: ReadonlyMap<T | typeof UNKNOWN, readonly TermEntry[]>;

  constructor(
    kind: 'country' | 'asn',
    lookup: GeoLookup<T>,
    entries: ReadonlyMap<T | typeof UNKNOWN, readonly TermEntry[]>,
  ) {
    this.#kind = kind;
    this.#lookup = lookup;
    this.#entries = entries;
  }

  find(client: IpAddress, nowMs: number): number {
    const entries = this.#entries.get(this.#lookup.find(client) ?? UNKNOWN);
    return entries?.find(({ untilMs }) => untilMs > nowMs)?.index ?? -1;
  }

  has(index: number): boolean {
    return [...this.#entries.values()].some((entries) => entries.some((entry) => entry.index === index));
  }

  describe(client: IpAddress): string {
    return `${this.#kind}:${this.#lookup.find(client) ?? UNKNOWN}`;
  }

  release(): void {
    this.#lookup.release();
  }
}
