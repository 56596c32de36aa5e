import type { Cidr } from './cidr.ts';
import { prefixMask } from './ip-address.ts';
import type { Steps } from './steps.ts';

/** Value of a stretch of addresses that no network holds. */
const NO_VALUE = -1;

/**
 * One family's address space cut into stretches: stretch `i` runs from `starts[i]` to just before
 * `starts[i + 1]` and has `values[i]`. The first starts at zero, neighbours differ in value, and the value is
 * that of the longest network around the stretch. A start is `stride` words: one for IPv4, four for IPv6.
 */
export interface Boundaries {
  readonly stride: 1 | 4;
  readonly starts: Uint32Array;
  readonly values: Int32Array;
}

/** Networks of one family as growing columns: a million objects kept alive would cost more than the set. */
export class NetworkColumns {
  readonly stride: 1 | 4;
  words: Uint32Array;
  bits: Uint8Array;
  values: Int32Array;
  count = 0;

  /** `room`: how many there is room for without growing. */
  constructor(stride: 1 | 4, room = 16) {
    this.stride = stride;
    this.words = new Uint32Array(room * stride);
    this.bits = new Uint8Array(room);
    this.values = new Int32Array(room);
  }

  add(network: Cidr, value: number): void {
    if (this.count === this.values.length) this.#grow();
    const at = this.count * this.stride;
    if (this.stride === 1) this.words[at] = network.d;
    else {
      this.words[at] = network.a;
      this.words[at + 1] = network.b;
      this.words[at + 2] = network.c;
      this.words[at + 3] = network.d;
    }
    this.bits[this.count] = network.bits;
    this.values[this.count] = value;
    this.count++;
  }

  #grow(): void {
    const { words, bits, values } = this;
    const room = Math.max(16, values.length * 2);
    this.words = new Uint32Array(room * this.stride);
    this.bits = new Uint8Array(room);
    this.values = new Int32Array(room);
    this.words.set(words);
    this.bits.set(bits);
    this.values.set(values);
  }
}

/** Networks done between two turns of others. */
const STEP = 8192;

/**
 * Cuts the space at every network's first address and just after its last. Networks nest or are apart, never
 * overlap, so one pass over them in `order` (that of `sortedNetworks`) with a stack of the open ones finds every
 * stretch.
 */
export function* cutBoundaries(columns: NetworkColumns, order: Uint32Array): Steps<Boundaries> {
  const { stride, words, bits, values } = columns;
  if (columns.count === 0) return NOTHING[stride];
  const cut = new Cut(stride, columns.count);
  // A network nests at most once per prefix length.
  const open = new Uint32Array(stride * 32 + 1);
  const lasts = new Uint32Array(open.length * stride);
  let depth = 0;
  for (let i = 0; i < order.length; i++) {
    if (i % STEP === STEP - 1) yield;
    const network = order[i];
    const at = network * stride;
    while (depth > 0 && isBefore(lasts, (depth - 1) * stride, words, at, stride)) {
      depth--;
      cut.addAfter(lasts, depth * stride, depth === 0 ? NO_VALUE : values[open[depth - 1]]);
    }
    // The same network twice: the one given first is the one that decides.
    if (depth > 0 && isSameNetwork(columns, open[depth - 1], network)) continue;
    writeLast(lasts, depth * stride, words, at, bits[network], stride);
    open[depth++] = network;
    cut.add(words, at, values[network]);
  }
  while (depth-- > 0) cut.addAfter(lasts, depth * stride, depth === 0 ? NO_VALUE : values[open[depth - 1]]);
  return cut.boundaries();
}

const nothing = (stride: 1 | 4): Boundaries =>
  Object.freeze({ stride, starts: new Uint32Array(stride), values: Int32Array.of(NO_VALUE) });
const NOTHING: Readonly<Record<1 | 4, Boundaries>> = { 1: nothing(1), 4: nothing(4) };

/** Up to so many networks are compared with each other: a radix sort's tables cost more. */
const FEW = 64;

/** Indices by first address, then the wider network, then the order given. */
export function* sortedNetworks(columns: NetworkColumns): Steps<Uint32Array> {
  const order = orderGiven(columns.count);
  if (columns.count > FEW) return yield* radixSorted(columns, order);
  const { stride, words, bits } = columns;
  return order.sort((x, y) => {
    if (isBefore(words, x * stride, words, y * stride, stride)) return -1;
    if (isBefore(words, y * stride, words, x * stride, stride)) return 1;
    return bits[x] - bits[y] || x - y;
  });
}

/** 0, 1, 2… */
export function orderGiven(count: number): Uint32Array<ArrayBuffer> {
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  return order;
}

/** By bytes from the least to the most significant: comparing a million networks would hold the thread for seconds. */
function* radixSorted(
  { stride, words, bits, count }: NetworkColumns,
  given: Uint32Array<ArrayBuffer>,
): Steps<Uint32Array> {
  let order = given;
  let spare = new Uint32Array(count);
  const sortBy = (digits: Uint8Array): void => {
    if (distribute(order, spare, digits)) [order, spare] = [spare, order];
  };
  sortBy(bits);
  yield;
  const digits = new Uint8Array(count);
  for (let word = stride - 1; word >= 0; word--) {
    for (let shift = 0; shift < 32; shift += 8) {
      for (let i = 0; i < count; i++) digits[i] = words[i * stride + word] >>> shift;
      yield;
      sortBy(digits);
      yield;
    }
  }
  return order;
}

/** One stable pass by `digits[network]`; false (and nothing written) when all digits are the same. */
function distribute(from: Uint32Array, into: Uint32Array, digits: Uint8Array): boolean {
  const places = new Uint32Array(257);
  for (const network of from) places[digits[network] + 1]++;
  if (from.length === 0 || places[digits[0] + 1] === from.length) return false;
  for (let digit = 0; digit < 256; digit++) places[digit + 1] += places[digit];
  for (const network of from) into[places[digits[network]]++] = network;
  return true;
}

/** Writes the last address of a network. */
function writeLast(
  into: Uint32Array,
  at: number,
  words: Uint32Array,
  from: number,
  bits: number,
  stride: number,
): void {
  for (let k = 0; k < stride; k++) into[at + k] = words[from + k] | ~prefixMask(bits - 32 * k);
}

function isBefore(a: Uint32Array, at: number, b: Uint32Array, bt: number, stride: number): boolean {
  for (let k = 0; k < stride; k++) if (a[at + k] !== b[bt + k]) return a[at + k] < b[bt + k];
  return false;
}

/** Whether two networks of a family, by their indices, are one. */
export function isSameNetwork({ stride, words, bits }: NetworkColumns, x: number, y: number): boolean {
  if (bits[x] !== bits[y]) return false;
  for (let k = 0; k < stride; k++) if (words[x * stride + k] !== words[y * stride + k]) return false;
  return true;
}

/** The stretches found so far, in order. */
class Cut {
  readonly #stride: 1 | 4;
  readonly #starts: Uint32Array;
  readonly #values: Int32Array;
  readonly #next: Uint32Array;
  #count = 1;

  constructor(stride: 1 | 4, networks: number) {
    this.#stride = stride;
    this.#starts = new Uint32Array((networks * 2 + 1) * stride);
    this.#values = new Int32Array(networks * 2 + 1);
    this.#values[0] = NO_VALUE;
    this.#next = new Uint32Array(stride);
  }

  /** From the address at `words[at]` on, `value`. A start given twice takes the later value. */
  add(words: Uint32Array, at: number, value: number): void {
    const stride = this.#stride;
    const last = (this.#count - 1) * stride;
    if (isBefore(this.#starts, last, words, at, stride)) this.#count++;
    const place = (this.#count - 1) * stride;
    for (let k = 0; k < stride; k++) this.#starts[place + k] = words[at + k];
    this.#values[this.#count - 1] = value;
    if (this.#count > 1 && this.#values[this.#count - 2] === value) this.#count--;
  }

  /** From just after the address at `words[at]` on, `value`; nothing when that was the last address of all. */
  addAfter(words: Uint32Array, at: number, value: number): void {
    const next = this.#next;
    let carry = 1;
    for (let k = this.#stride - 1; k >= 0; k--) {
      next[k] = words[at + k] + carry;
      carry = carry === 1 && next[k] === 0 ? 1 : 0;
    }
    if (carry === 0) this.add(next, 0, value);
  }

  boundaries(): Boundaries {
    return {
      stride: this.#stride,
      starts: this.#starts.slice(0, this.#count * this.#stride),
      values: this.#values.slice(0, this.#count),
    };
  }
}
