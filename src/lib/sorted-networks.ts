import type { Cidr } from './cidr.ts';
import { isSameNetwork, NetworkColumns, sortedNetworks } from './cidr-boundaries.ts';
import { CidrSet } from './cidr-set.ts';
import type { Steps } from './steps.ts';

/**
 * Networks as a list has them: each once, IPv4 before IPv6, by first address, a wider one before those inside it. Made
 * for a million of them, so work on it comes in steps. Immutable.
 */
export class SortedNetworks {
  readonly #v4: NetworkColumns;
  readonly #v6: NetworkColumns;

  private constructor(v4: NetworkColumns, v6: NetworkColumns) {
    this.#v4 = v4;
    this.#v6 = v6;
  }

  static readonly EMPTY = new SortedNetworks(new NetworkColumns(1), new NetworkColumns(4));

  /** Of columns in any order, with repetitions. */
  static *of(v4: NetworkColumns, v6: NetworkColumns): Steps<SortedNetworks> {
    return new SortedNetworks(yield* eachOnce(v4), yield* eachOnce(v6));
  }

  get size(): number {
    return this.#v4.count + this.#v6.count;
  }

  /** The network at a place, from 0. */
  at(place: number): Cidr {
    const { count } = this.#v4;
    return place < count ? networkAt(this.#v4, place) : networkAt(this.#v6, place - count);
  }

  /** The set of them; a look-up gives the place from 1. */
  *set(): Steps<CidrSet> {
    number(this.#v4, 1);
    yield;
    number(this.#v6, 1 + this.#v4.count);
    return yield* CidrSet.ofSorted(this.#v4, this.#v6);
  }

  /** The prefix of each, in memory that threads share. */
  prefixes(): Uint8Array<SharedArrayBuffer> {
    const prefixes = new Uint8Array(new SharedArrayBuffer(this.size));
    prefixes.set(this.#v4.bits.subarray(0, this.#v4.count));
    prefixes.set(this.#v6.bits.subarray(0, this.#v6.count), this.#v4.count);
    return prefixes;
  }

  /** What the other has and this has not, and the other way round. */
  *differenceTo(other: SortedNetworks): Steps<NetworkDifference> {
    const v4 = yield* difference(this.#v4, other.#v4);
    const v6 = yield* difference(this.#v6, other.#v6);
    const both = (from: SortedNetworks, first: number[], second: number[]): NetworkSelection => ({
      size: first.length + second.length,
      at: (i) =>
        i < first.length ? networkAt(from.#v4, first[i]) : networkAt(from.#v6, second[i - first.length]),
    });
    return { added: both(other, v4.added, v6.added), removed: both(this, v4.removed, v6.removed) };
  }

  /** As bytes, the same for the same networks. `decode` reads them. */
  encode(): Uint8Array {
    const parts = [this.#v4, this.#v6].map(encodeColumns);
    return Buffer.concat([FORMAT, ...parts]);
  }

  /** Undefined for bytes that are not of `encode`. */
  static decode(bytes: Uint8Array): SortedNetworks | undefined {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (!buffer.subarray(0, FORMAT.length).equals(FORMAT)) return undefined;
    const v4 = decodeColumns(buffer, FORMAT.length, 1);
    const v6 = v4 === undefined ? undefined : decodeColumns(buffer, v4.end, 4);
    if (v4 === undefined || v6?.end !== buffer.length) return undefined;
    return new SortedNetworks(v4.columns, v6.columns);
  }
}

/** Some of the networks of a list, in its order. */
export interface NetworkSelection {
  readonly size: number;
  at(place: number): Cidr;
}

export interface NetworkDifference {
  readonly added: NetworkSelection;
  readonly removed: NetworkSelection;
}

const STEP = 8192;
const FORMAT = Buffer.from('SPN1');

function networkAt({ stride, words, bits }: NetworkColumns, place: number): Cidr {
  const at = place * stride;
  if (stride === 1) return { family: 4, a: 0, b: 0, c: 0xffff, d: words[at], bits: bits[place] };
  const [a, b, c, d] = words.subarray(at, at + 4);
  return { family: 6, a, b, c, d, bits: bits[place] };
}

/** The values of a set that is made of them. */
function number({ values, count }: NetworkColumns, first: number): void {
  for (let i = 0; i < count; i++) values[i] = first + i;
}

/** Sorted copies without repetitions. */
function* eachOnce(columns: NetworkColumns): Steps<NetworkColumns> {
  const { stride, words, bits } = columns;
  const order = yield* sortedNetworks(columns);
  const once = new NetworkColumns(stride, order.length);
  let before = -1;
  for (let i = 0; i < order.length; i++) {
    if (i % STEP === STEP - 1) yield;
    const network = order[i];
    if (before !== -1 && isSameNetwork(columns, before, network)) continue;
    before = network;
    for (let k = 0; k < stride; k++) once.words[once.count * stride + k] = words[network * stride + k];
    once.bits[once.count++] = bits[network];
  }
  return once;
}

/** Places of what only the second has (`added`) and only the first (`removed`), by walking both in step. */
function* difference(
  one: NetworkColumns,
  other: NetworkColumns,
): Steps<{ readonly added: number[]; readonly removed: number[] }> {
  const added: number[] = [];
  const removed: number[] = [];
  let [i, j, steps] = [0, 0, 0];
  while (i < one.count || j < other.count) {
    if (++steps % STEP === 0) yield;
    const order = i === one.count ? 1 : j === other.count ? -1 : compare(one, i, other, j);
    if (order === 0) {
      i++;
      j++;
    } else if (order < 0) removed.push(i++);
    else added.push(j++);
  }
  return { added, removed };
}

function compare(one: NetworkColumns, i: number, other: NetworkColumns, j: number): number {
  const { stride } = one;
  for (let k = 0; k < stride; k++) {
    const a = one.words[i * stride + k];
    const b = other.words[j * stride + k];
    if (a !== b) return a < b ? -1 : 1;
  }
  return one.bits[i] - other.bits[j];
}

/** Their number, then the words of each and the prefix of each; numbers with the lowest byte first. */
function encodeColumns({ stride, words, bits, count }: NetworkColumns): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(count);
  return Buffer.concat([length, bytesOf(words, count * stride), bits.subarray(0, count)]);
}

function decodeColumns(
  bytes: Buffer,
  from: number,
  stride: 1 | 4,
): { readonly columns: NetworkColumns; readonly end: number } | undefined {
  if (bytes.length < from + 4) return undefined;
  const count = bytes.readUInt32LE(from);
  const bitsAt = from + 4 + 4 * count * stride;
  const end = bitsAt + count;
  if (end > bytes.length) return undefined;
  const columns = new NetworkColumns(stride, count);
  bytesOf(columns.words, count * stride).set(bytes.subarray(from + 4, bitsAt));
  columns.bits.set(bytes.subarray(bitsAt, end));
  columns.count = count;
  return { columns, end };
}

/** Words as they lie in memory: all machines that this runs on have the lowest byte first. */
const bytesOf = (words: Uint32Array, count: number): Uint8Array =>
  new Uint8Array(words.buffer, words.byteOffset, 4 * count);
