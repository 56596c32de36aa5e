/** Something that is kept, and how much room it takes. */
export interface Kept {
  readonly atMs: number;
  readonly line: string;
}

/** Of one kind of request: how many there were, and those that stand for them. */
interface Tally {
  seen: number;
  readonly kept: Kept[];
}

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
}

/** Stands for all callers, or all kinds, for which there is no place of their own. */
const OTHERS = '';

/**
 * Keeps all of what it is offered up to a bound, and of more a sample that is fair: each kind (a route or a reason, with
 * a caller) has the same room, so that one busy caller pushes nobody out; within it each request is as likely as any
 * other to be kept (reservoir sampling, Vitter's algorithm R). What is not kept costs two look-ups and a random number.
 */
export class Sampler {
  readonly #bounds: SampleBounds;
  readonly #random: () => number;
  readonly #groups = new Map<string, Map<string | number, Tally>>();
  #tallies: Tally[] = [];
  #kept = 0;
  #level = Number.POSITIVE_INFINITY;
  /** Where the next one goes. */
  #tally: Tally | undefined = undefined;
  #slot = -1;

  /** `random`: at least 0, below 1. */
  constructor(bounds: SampleBounds, random: () => number) {
    this.#bounds = bounds;
    this.#random = random;
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
    if (length < this.#level) {
      this.#slot = length;
      return true;
    }
    this.#slot = Math.floor(this.#random() * tally.seen);
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
    if (this.#tally !== undefined) this.#tally.seen--;
    this.#tally = undefined;
  }

  /** Makes a sample of what is kept so far: as much of each kind as there is room for. */
  thin(): void {
    this.#level = levelFor(this.#tallies, this.#bounds.sample);
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
    this.#groups.clear();
    this.#tallies = [];
    this.#kept = 0;
    return { kept, seen };
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
      tally = { seen: 0, kept: [] };
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

/** The largest number of each kind so that all together are no more than `room`; at least 1. */
function levelFor(tallies: readonly Tally[], room: number): number {
  const counts = tallies.map(({ kept }) => kept.length).sort((a, b) => a - b);
  let left = room;
  for (const [i, count] of counts.entries()) {
    const share = Math.floor(left / (counts.length - i));
    if (count > share) return Math.max(share, 1);
    left -= count;
  }
  return Math.max(counts.at(-1) ?? 1, 1);
}
