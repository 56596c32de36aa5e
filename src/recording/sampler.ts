/** Something that is kept, and how much room it takes. */
export interface Kept {
  readonly atMs: number;
  readonly line: string;
}

/** Of one kind of request: how many there were, and those that stand for them. */
interface Tally {
  seen: number;
  /** Of those, the ones that were looked at: all, or by chance as many as are expected to do. */
  drawn: number;
  readonly share: number;
  readonly kept: Kept[];
}

/** Of which kinds there were too many before: the share of each that is looked at. By group and caller. */
export type Expected = ReadonlyMap<string, ReadonlyMap<string | number, number>>;

export interface SampleBounds {
  /** So many are kept whole; with the next it becomes a sample. */
  readonly records: number;
  /** How large the sample is then. One of each kind is kept in any case. */
  readonly sample: number;
}

/** What a sampler gives at the end. */
export interface Sample {
  readonly kept: readonly { readonly atMs: number; readonly line: string; readonly weight: number }[];
  /** The sum of the weights. */
  readonly seen: number;
  /** For the sampler that goes on. */
  readonly expected: Expected;
}

/** Nothing was too much. */
export const NOTHING_EXPECTED: Expected = new Map();

/** A kind of which there were too many is drawn so many times as often as it will be kept. */
const DRAWN_PER_KEPT = 2;

/** Stands for all callers, or all kinds, for which there is no place of their own. */
const OTHERS = '';

/**
 * Keeps all of what it is offered up to a bound, and of more a sample that is fair: each kind (a route or a reason, with
 * a caller) has the same room, so that one busy caller pushes nobody out; within it each request is as likely as any
 * other to be kept (reservoir sampling, Vitter's algorithm R). What is not kept costs two look-ups and a random number.
 * A kind of which there were too many before is thinned by chance from its second request on, since each that is kept for
 * a while only costs as much as one that stays.
 */
export class Sampler {
  readonly #bounds: SampleBounds;
  readonly #random: () => number;
  readonly #expected: Expected;
  readonly #groups = new Map<string, Map<string | number, Tally>>();
  #tallies: Tally[] = [];
  #kept = 0;
  #level = Number.POSITIVE_INFINITY;
  /** Where the next one goes. */
  #tally: Tally | undefined = undefined;
  #slot = -1;

  /** `random`: at least 0, below 1. `expected`: of the sampler before. */
  constructor(bounds: SampleBounds, random: () => number, expected: Expected = NOTHING_EXPECTED) {
    this.#bounds = bounds;
    this.#random = random;
    this.#expected = expected;
  }

  /** Whether not all are kept any more. */
  get isSampled(): boolean {
    return this.#level !== Number.POSITIVE_INFINITY;
  }

  get count(): number {
    return this.#kept;
  }

  /** Counts one. True: it is to be kept, and `keep` (or `withdraw`) is called before the next is offered. */
  offer(group: string, caller: string | number): boolean {
    const tally = this.#groups.get(group)?.get(caller) ?? this.#place(group, caller);
    tally.seen++;
    this.#tally = tally;
    const { length } = tally.kept;
    if (length > 0 && tally.share < 1 && this.#random() >= tally.share) return false;
    tally.drawn++;
    if (length < this.#level) {
      this.#slot = length;
      return true;
    }
    this.#slot = Math.floor(this.#random() * tally.drawn);
    return this.#slot < length;
  }

  keep(kept: Kept): void {
    const tally = this.#tally;
    if (tally === undefined) return;
    this.#tally = undefined;
    const isNew = this.#slot === tally.kept.length;
    tally.kept[this.#slot] = kept;
    if (!isNew) return;
    this.#kept++;
    if (this.#kept > this.#bounds.records) this.thin();
  }

  /** What was offered last is not counted after all. */
  withdraw(): void {
    const tally = this.#tally;
    this.#tally = undefined;
    if (tally === undefined) return;
    tally.seen--;
    tally.drawn--;
  }

  /** Makes a sample of what is kept so far: as much of each kind as there is room for. */
  thin(): void {
    const counts = this.#tallies.map(({ kept }) => kept.length);
    this.#level = levelFor(counts, this.#bounds.sample);
    this.#kept = 0;
    for (const { kept } of this.#tallies) {
      this.#shorten(kept);
      this.#kept += kept.length;
    }
  }

  /** All that is kept with its weight, and forgets it. */
  end(): Sample {
    const kept: { atMs: number; line: string; weight: number }[] = [];
    let seen = 0;
    for (const tally of this.#tallies) {
      const { length } = tally.kept;
      if (length === 0) continue;
      seen += tally.seen;
      const weight = Math.floor(tally.seen / length);
      const rest = tally.seen - weight * length;
      for (const [i, { atMs, line }] of tally.kept.entries())
        kept.push({ atMs, line, weight: i < rest ? weight + 1 : weight });
    }
    const expected = seen > this.#bounds.records ? this.#expectations() : NOTHING_EXPECTED;
    this.#groups.clear();
    this.#tallies = [];
    this.#kept = 0;
    return { kept, seen, expected };
  }

  /** Shares by which each kind would come to what it may keep, were there as many of it again. */
  #expectations(): Expected {
    const counts = this.#tallies.map(({ seen }) => seen);
    const enough = DRAWN_PER_KEPT * levelFor(counts, this.#bounds.sample);
    const expected = new Map<string, Map<string | number, number>>();
    for (const [group, callers] of this.#groups) {
      for (const [caller, { seen }] of callers) {
        if (seen <= enough) continue;
        const shares = expected.get(group) ?? new Map<string | number, number>();
        expected.set(group, shares.set(caller, enough / seen));
      }
    }
    return expected;
  }

  /** The place of one that is new, or one that it shares where there are too many: who invents callers gets no more. */
  #place(group: string, caller: string | number): Tally {
    const isFull = this.#tallies.length >= this.#bounds.sample;
    const key = isFull ? OTHERS : caller;
    const known = this.#groups.get(group);
    const groupKey = known === undefined && isFull ? OTHERS : group;
    const callers = known ?? this.#groups.get(groupKey) ?? new Map<string | number, Tally>();
    this.#groups.set(groupKey, callers);
    let tally = callers.get(key);
    if (tally === undefined) {
      const share = this.#expected.get(groupKey)?.get(key) ?? 1;
      tally = { seen: 0, drawn: 0, share, kept: [] };
      callers.set(key, tally);
      this.#tallies.push(tally);
    }
    return tally;
  }

  /** To the level, at random. */
  #shorten(kept: Kept[]): void {
    while (kept.length > this.#level) {
      const i = Math.floor(this.#random() * kept.length);
      const last = kept.pop();
      if (last !== undefined && i < kept.length) kept[i] = last;
    }
  }
}

/** The largest number of each kind so that all together are no more than `room`; at least 1. `unordered`: how many there are. */
function levelFor(unordered: readonly number[], room: number): number {
  const counts = unordered.toSorted((a, b) => a - b);
  let left = room;
  for (const [i, count] of counts.entries()) {
    const share = Math.floor(left / (counts.length - i));
    if (count > share) return Math.max(share, 1);
    left -= count;
  }
  return Math.max(counts.at(-1) ?? 1, 1);
}
