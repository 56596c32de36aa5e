import type { Cidr } from './cidr.ts';
import {
  type Boundaries,
  cutBoundaries,
  NetworkColumns,
  orderGiven,
  sortedNetworks,
} from './cidr-boundaries.ts';
import type { AddressWords } from './ip-address.ts';
import { finish, type Steps } from './steps.ts';

/** A network and the value (an index from 0 to 2^31 - 1) that a look-up inside it gives. */
export interface CidrEntry {
  readonly network: Cidr;
  readonly value: number;
}

/** At most this many bits of an address choose where its search starts. */
const MAX_INDEX_BITS = 16;

/**
 * An immutable set of IPv4 and IPv6 networks, made for a million of them. A look-up gives the value of the
 * longest network around an address: an index by the address's first bits, then a binary search over sorted
 * stretches in typed arrays. It allocates nothing.
 */
export class CidrSet {
  /** How many networks were given. */
  readonly size: number;
  readonly #v4: SearchTable;
  readonly #v6: SearchTable;

  private constructor(size: number, v4: SearchTable, v6: SearchTable) {
    this.size = size;
    this.#v4 = v4;
    this.#v6 = v6;
  }

  /** Compiles the set. Of a network given twice, the first entry counts. */
  static from(entries: Iterable<CidrEntry>): CidrSet {
    const v4 = new NetworkColumns(1);
    const v6 = new NetworkColumns(4);
    for (const { network, value } of entries) (network.family === 4 ? v4 : v6).add(network, value);
    return finish(CidrSet.of(v4, v6));
  }

  /** As `from`, of columns, in steps. */
  static *of(v4: NetworkColumns, v6: NetworkColumns): Steps<CidrSet> {
    const first = searchTable(yield* cutBoundaries(v4, yield* sortedNetworks(v4)));
    const second = searchTable(yield* cutBoundaries(v6, yield* sortedNetworks(v6)));
    return new CidrSet(v4.count + v6.count, first, second);
  }

  /** As `of`, of columns that are in the order of `sortedNetworks` already. */
  static *ofSorted(v4: NetworkColumns, v6: NetworkColumns): Steps<CidrSet> {
    const first = searchTable(yield* cutBoundaries(v4, orderGiven(v4.count)));
    const second = searchTable(yield* cutBoundaries(v6, orderGiven(v6.count)));
    return new CidrSet(v4.count + v6.count, first, second);
  }

  /** The value of the longest network that holds the address, or -1. */
  lookup(address: AddressWords): number {
    return address.family === 4 ? findV4(this.#v4, address.d) : findV6(this.#v6, address);
  }

  /** The set in memory that threads share: nothing of it is copied when it goes to another. */
  share(): SharedNetworks {
    return { size: this.size, v4: inSharedMemory(this.#v4), v6: inSharedMemory(this.#v6) };
  }

  /** The same set, from what another thread shares. */
  static shared({ size, v4, v6 }: SharedNetworks): CidrSet {
    return new CidrSet(size, v4, v6);
  }

  /** Bytes held in typed arrays. */
  get byteLength(): number {
    return tableBytes(this.#v4) + tableBytes(this.#v6);
  }
}

/** A set as plain data whose arrays lie in shared memory. */
export interface SharedNetworks {
  readonly size: number;
  readonly v4: SearchTable;
  readonly v6: SearchTable;
}

/** Stretches with an index over the first bits of their first word. */
export interface SearchTable extends Boundaries {
  /** A first word shifted right by this is its place in the index. */
  readonly shift: number;
  /** For each place, the last stretch that starts at or before its first address; one place more at the end. */
  readonly index: Uint32Array;
}

function inSharedMemory({ stride, shift, starts, values, index }: SearchTable): SearchTable {
  const shared = {
    starts: new Uint32Array(new SharedArrayBuffer(starts.byteLength)),
    values: new Int32Array(new SharedArrayBuffer(values.byteLength)),
    index: new Uint32Array(new SharedArrayBuffer(index.byteLength)),
  };
  shared.starts.set(starts);
  shared.values.set(values);
  shared.index.set(index);
  return { stride, shift, ...shared };
}

const tableBytes = ({ starts, values, index }: SearchTable): number =>
  starts.byteLength + values.byteLength + index.byteLength;

/** About one index place per stretch, so that small sets stay small. */
function searchTable(boundaries: Boundaries): SearchTable {
  const { stride, starts, values } = boundaries;
  const indexBits = Math.max(1, Math.min(MAX_INDEX_BITS, 32 - Math.clz32(values.length)));
  const shift = 32 - indexBits;
  const places = 1 << indexBits;
  const index = new Uint32Array(places + 1);
  let stretch = 0;
  for (let place = 0; place < places; place++) {
    const first = (place << shift) >>> 0;
    while (stretch + 1 < values.length && startsBy(starts, (stretch + 1) * stride, stride, first)) stretch++;
    index[place] = stretch;
  }
  index[places] = values.length - 1;
  return { stride, starts, values, shift, index };
}

/** Whether a stretch starts at or before the address whose first word is `first`, all others zero. */
function startsBy(starts: Uint32Array, at: number, stride: number, first: number): boolean {
  if (starts[at] !== first) return starts[at] < first;
  for (let k = 1; k < stride; k++) if (starts[at + k] !== 0) return false;
  return true;
}

function findV4({ starts, values, shift, index }: SearchTable, word: number): number {
  const place = word >>> shift;
  let low = index[place];
  let high = index[place + 1];
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (starts[middle] <= word) low = middle;
    else high = middle - 1;
  }
  return values[low];
}

function findV6({ starts, values, shift, index }: SearchTable, { a, b, c, d }: AddressWords): number {
  const place = a >>> shift;
  let low = index[place];
  let high = index[place + 1];
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    const at = middle * 4;
    if (isAfter(starts, at, a, b, c, d)) high = middle - 1;
    else low = middle;
  }
  return values[low];
}

/** Whether the stretch at `at` starts after the address. */
function isAfter(starts: Uint32Array, at: number, a: number, b: number, c: number, d: number): boolean {
  if (starts[at] !== a) return starts[at] > a;
  if (starts[at + 1] !== b) return starts[at + 1] > b;
  if (starts[at + 2] !== c) return starts[at + 2] > c;
  return starts[at + 3] > d;
}
