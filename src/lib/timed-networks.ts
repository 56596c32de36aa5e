import { type Cidr, holdsNetwork } from './cidr.ts';
import { CidrSet } from './cidr-set.ts';
import type { AddressWords } from './ip-address.ts';

/** A network that counts until a time. */
export interface TimedNetwork {
  readonly network: Cidr;
  /** Milliseconds since the epoch from which on it counts no more; Infinity for one that stays. */
  readonly untilMs: number;
}

/**
 * A few thousand networks of which each counts for its own time. Immutable, and it knows no clock: what it finds hangs
 * on the time asked for alone. Where the narrowest network around an address counts no more, the next wider one does:
 * the way there is known beforehand, so that a look-up never scans.
 */
export class TimedNetworks {
  readonly #set: CidrSet;
  readonly #untilMs: Float64Array;
  /** For each network the place of the one that counts after it, -1 for none. */
  readonly #around: Int32Array;

  constructor(entries: readonly TimedNetwork[]) {
    this.#set = CidrSet.from(entries.map(({ network }, value) => ({ network, value })));
    this.#untilMs = Float64Array.from(entries, ({ untilMs }) => untilMs);
    this.#around = placesAround(entries.map(({ network }) => network));
  }

  get size(): number {
    return this.#set.size;
  }

  /** The place, from 0, of the narrowest network around the address that counts at that time, or -1. */
  lookup(address: AddressWords, nowMs: number): number {
    let at = this.#set.lookup(address);
    while (at !== -1 && this.#untilMs[at] <= nowMs) at = this.#around[at];
    return at;
  }
}

/** Of a network given several times, the first counts first, then the second; after the last, the next wider one. */
function placesAround(networks: readonly Cidr[]): Int32Array {
  const order = networks.map((_, place) => place).sort((x, y) => compare(networks[x], networks[y]) || x - y);
  const around = new Int32Array(networks.length).fill(-1);
  /** The networks open at this point of the order, each with the last of its repetitions. */
  const open: { readonly first: number; last: number }[] = [];
  for (const place of order) {
    let top = open.at(-1);
    while (top !== undefined && !holdsNetwork(networks[top.first], networks[place])) {
      open.pop();
      top = open.at(-1);
    }
    if (top !== undefined && networks[top.first].bits === networks[place].bits) {
      around[place] = around[top.last];
      around[top.last] = place;
      top.last = place;
    } else {
      around[place] = top?.first ?? -1;
      open.push({ first: place, last: place });
    }
  }
  return around;
}

const compare = (x: Cidr, y: Cidr): number =>
  x.family - y.family || x.a - y.a || x.b - y.b || x.c - y.c || x.d - y.d || x.bits - y.bits;
