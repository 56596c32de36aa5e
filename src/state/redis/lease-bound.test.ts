/**
 * The bound that docs/state.md states for shares, in simulated time: workers that call whenever they like, and a store
 * that is as slow as it likes.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { NO_STATE } from '../../../test/fixtures/nobody-there.ts';
import type { Charge, Clock, CounterState } from '../../contract/index.ts';
import { createLocalCounters } from '../counters/local-counters.ts';
import { AfterLoss } from './after-loss.ts';
import { leaseMs } from './lease.ts';
import { Leases } from './leases.ts';
import type { ScriptStore, StoreAnswer } from './script-store.ts';
import { REFUND, type Script, TAKE } from './scripts.ts';
import { StoreClock } from './store-clock.ts';
import { StoreNames } from './store-names.ts';

const START = 1_800_000_000_000;
const WORKERS = 3;

interface Admission {
  readonly atMs: number;
  readonly cost: number;
}
interface Later {
  readonly atMs: number;
  readonly what: () => void;
}

/** A store, the way to it, and the time for all. */
class World implements ScriptStore, Clock {
  readonly isCluster = false;
  readonly admitted: Admission[] = [];
  readonly #charge: Charge;
  readonly #delays: readonly number[];
  readonly #counters: CounterState = createLocalCounters();
  #later: Later[] = [];
  #asked = 0;
  nowMs = START;

  constructor(charge: Charge, delays: readonly number[]) {
    this.#charge = charge;
    this.#delays = delays;
  }

  now(): number {
    return this.nowMs;
  }

  monotonic(): number {
    return this.nowMs;
  }

  ask(script: Script, _: readonly string[], words: readonly (string | number)[]) {
    const delay = () => this.#delays[this.#asked++ % this.#delays.length];
    const sentMs = this.nowMs;
    return new Promise<StoreAnswer>((resolve) => {
      const doneMs = sentMs + delay();
      this.#after(doneMs, () => {
        const answer = script === TAKE ? this.#take(words) : this.#refund(script, words);
        this.#after(doneMs + delay(), () => resolve(answer));
      });
    });
  }

  /** Lets so much time go by, and all happen that is due in it. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    for (;;) {
      const [next] = this.#later.toSorted((a, b) => a.atMs - b.atMs);
      if (next === undefined || next.atMs > untilMs) break;
      this.#later = this.#later.filter((one) => one !== next);
      this.nowMs = Math.max(this.nowMs, next.atMs);
      next.what();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.nowMs = untilMs;
  }

  #after(atMs: number, what: () => void): void {
    this.#later.push({ atMs, what });
  }

  /** As the script does it, by the counters in memory. What is needed is admitted where it is charged. */
  #take(words: readonly (string | number)[]): StoreAnswer {
    const [need, want, sharers] = words.slice(1, 4).map(Number);
    const asked = this.#count(need);
    if (!asked.allowed)
      return [0, asked.remaining, Math.min(asked.retryAfterMs, 2 ** 31), asked.resetMs, 0, 0, this.nowMs];
    if (need > 0) this.admitted.push({ atMs: this.nowMs, cost: need });
    const more = Math.max(0, Math.min(want - need, Math.floor(asked.remaining / sharers)));
    const { remaining, resetMs } = more > 0 ? this.#count(more) : asked;
    const { kind } = this.#charge;
    const goesOn =
      kind === 'sliding-window' ? windowMs(this.#charge) - (this.nowMs % windowMs(this.#charge)) : 0;
    return [1, remaining, 0, resetMs, need + more, goesOn, this.nowMs];
  }

  #refund(script: Script, words: readonly (string | number)[]): StoreAnswer {
    assert.equal(script, REFUND);
    const charge = { ...this.#charge, cost: Number(words[3]) };
    void this.#counters.refund([charge], Number(words[1]), this.nowMs);
    return 1;
  }

  #count(cost: number) {
    const outcomes = this.#counters.charge([{ ...this.#charge, cost }], this.nowMs);
    assert.ok(!(outcomes instanceof Promise));
    return outcomes[0];
  }
}

const windowMs = ({ rule }: Charge): number =>
  'windowMs' in rule ? rule.windowMs : rule.endMs - rule.startMs;

const plays = fc.record({
  limit: fc.integer({ min: 1, max: 100 }),
  burst: fc.integer({ min: 1, max: 200 }),
  windowMs: fc.constantFrom(100, 1000, 1000, 20_000),
  /** Thousandths of a window. */
  delays: fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 5 }),
  steps: fc.array(
    fc.record({
      worker: fc.nat({ max: WORKERS - 1 }),
      /** Few that leave shares behind, or as many as use everything up. */
      calls: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 50, max: 300 })),
      cost: fc.constantFrom(1, 1, 1, 2),
      /** Thousandths of a window: between the calls, and after them. */
      gap: fc.oneof(fc.constant(0), fc.nat({ max: 5 }), fc.nat({ max: 20 })),
      pause: fc.oneof(fc.constant(0), fc.nat({ max: 120 }), fc.nat({ max: 1200 })),
    }),
    { minLength: 1, maxLength: 12 },
  ),
});

type Play = typeof plays extends fc.Arbitrary<infer T> ? T : never;

const step = (worker: number, calls: number, gap: number, pause: number): Play['steps'][number] => ({
  worker,
  calls,
  cost: 1,
  gap,
  pause,
});
const BUSY: Omit<Play, 'steps'> = { limit: 100, burst: 200, windowMs: 1000, delays: [1] };

/** Shares are taken and left; when the limit is whole again, all is used that there is. */
const LEFT_BEHIND: Play = {
  ...BUSY,
  steps: [
    ...[step(0, 20, 2, 0), step(1, 20, 2, 0), step(2, 20, 2, 1200)],
    ...[step(0, 300, 1, 0), step(1, 300, 1, 0), step(2, 300, 1, 0)],
  ],
};
/** A share is taken at the end of a window; in the next one, all is used that there is. */
const ACROSS_THE_EDGE: Play = {
  ...BUSY,
  steps: [step(0, 1, 0, 900), step(0, 30, 2, 41), step(0, 300, 3, 0)],
};

/** What is admitted, and when. */
async function play(charge: Charge, { delays, steps }: Play): Promise<readonly Admission[]> {
  const span = windowMs(charge) / 1000;
  const world = new World(
    charge,
    delays.map((delay) => Math.round(delay * span)),
  );
  const names = new StoreNames('p');
  const fleet = { nodes: WORKERS, workers: WORKERS };
  const afterLoss = new AfterLoss(NO_STATE, fleet, world);
  const exactly = () => assert.fail('there is room for all');
  const workers = Array.from(
    { length: WORKERS },
    () =>
      new Leases({
        store: world,
        names,
        fleet,
        afterLoss,
        clock: world,
        storeClock: new StoreClock(world),
        exactly,
      }),
  );
  for (const { worker, calls, cost, gap, pause } of steps) {
    for (let n = 0; n < calls; n++) {
      const outcome = workers[worker].one({ ...charge, cost }, world.nowMs);
      if (!(outcome instanceof Promise) && outcome.allowed) world.admitted.push({ atMs: world.nowMs, cost });
      await world.pass(Math.round(gap * span));
    }
    await world.pass(Math.round(pause * span));
  }
  for (const leases of workers) leases.close();
  await world.pass(windowMs(charge));
  return world.admitted;
}

const within = (admitted: readonly Admission[], fromMs: number, toMs: number): number =>
  admitted.reduce((sum, { atMs, cost }) => (atMs >= fromMs && atMs < toMs ? sum + cost : sum), 0);

describe('what is admitted from shares', () => {
  const common = { scope: 's', key: 'k', cost: 1 };

  it('by a rate is in any stretch of a window at most limit + burst + ⌈limit × lease / window⌉', async () => {
    await fc.assert(
      fc.asyncProperty(plays, async (one) => {
        const { limit, burst, windowMs } = one;
        const rule = { limit, windowMs, burst, counting: 'leased' as const };
        const admitted = await play({ ...common, kind: 'gcra', rule }, one);
        const most = limit + burst + Math.ceil((limit * leaseMs(windowMs)) / windowMs);
        for (const { atMs } of admitted) assert.ok(within(admitted, atMs, atMs + windowMs) <= most);
      }),
      { numRuns: 60, examples: [[LEFT_BEHIND], [ACROSS_THE_EDGE]] },
    );
  });

  it('by a sliding window is in each window at most the limit', async () => {
    await fc.assert(
      fc.asyncProperty(plays, async (one) => {
        const { limit, windowMs } = one;
        const rule = { limit, windowMs, counting: 'leased' as const };
        const admitted = await play({ ...common, kind: 'sliding-window', rule }, one);
        for (const { atMs } of admitted) {
          const startMs = atMs - (atMs % windowMs);
          assert.ok(within(admitted, startMs, startMs + windowMs) <= limit);
        }
      }),
      { numRuns: 60, examples: [[LEFT_BEHIND], [ACROSS_THE_EDGE]] },
    );
  });
});
