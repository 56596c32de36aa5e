/** Whatever is asked, given back, given up and over in time, by two attachments: what a list by hand says. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PRIORITIES, type Slot, type SlotOutcome, type Waiter } from '../../contract/index.ts';
import { createSlots } from './slots.ts';
import { attachSlots, type WorkerSlots } from './worker-slots.ts';

const random = { hex: (bytes: number) => randomBytes(bytes).toString('hex') };

type Step =
  | {
      readonly do: 'ask';
      readonly by: 0 | 1;
      readonly limit: number;
      readonly queue: number;
      readonly rank: number;
    }
  /** Of what is held, or waits, the so many-th. */
  | { readonly do: 'release' | 'cancel' | 'timeout'; readonly nth: number };

/** One request, in the model and in truth. */
interface Asked {
  readonly id: number;
  readonly rank: number;
  readonly waiter: Waiter;
  /** What its time being over does. */
  timeout: () => void;
  outcome: SlotOutcome | undefined;
  slot: Slot | undefined;
}

class Model {
  readonly held: number[] = [];
  /** In the order in which they go. */
  readonly waiting: { readonly id: number; readonly rank: number }[] = [];
  readonly told = new Map<number, string>();
  #limit = 1;

  ask(id: number, limit: number, queue: number, rank: number): void {
    this.#limit = limit;
    this.#handOut();
    if (this.held.length < limit) return this.#grant(id);
    if (queue === 0) return void this.told.set(id, 'full');
    if (this.waiting.length >= queue && !this.#displace(rank)) return void this.told.set(id, 'queue-full');
    const behind = this.waiting.findIndex((other) => other.rank > rank);
    this.waiting.splice(behind === -1 ? this.waiting.length : behind, 0, { id, rank });
  }

  release(id: number): void {
    this.held.splice(this.held.indexOf(id), 1);
    this.#handOut();
  }

  leave(id: number, why: string): void {
    const at = this.waiting.findIndex((one) => one.id === id);
    this.waiting.splice(at, 1);
    this.told.set(id, why);
  }

  #grant(id: number): void {
    this.held.push(id);
    this.told.set(id, 'granted');
  }

  #handOut(): void {
    while (this.held.length < this.#limit) {
      const next = this.waiting.shift();
      if (next === undefined) return;
      this.#grant(next.id);
    }
  }

  #displace(rank: number): boolean {
    const last = this.waiting.at(-1);
    if (last === undefined || last.rank <= rank) return false;
    this.leave(last.id, 'queue-full');
    return true;
  }
}

/** The truth, asked as the model is. */
class Truth {
  readonly requests: Asked[] = [];
  readonly #slots: readonly WorkerSlots[];
  #timer: () => void = () => {};

  constructor() {
    const { buffer } = createSlots({
      random,
      maxKeys: 16,
      threads: 1,
      heldPerThread: 128,
      waitingPerThread: 128,
    });
    const schedule = (work: () => void) => {
      this.#timer = work;
      return () => {};
    };
    this.#slots = [attachSlots(buffer, schedule), attachSlots(buffer, schedule)];
  }

  ask(by: 0 | 1, limit: number, queue: number, rank: number): void {
    const waiter: Waiter = {};
    const rule = { limit, queue, waitMs: 1000, priority: PRIORITIES[rank] };
    const asked = this.#slots[by].acquire('s', 'k', rule, waiter);
    const id = this.requests.length;
    const request: Asked = { id, rank, waiter, timeout: this.#timer, outcome: undefined, slot: undefined };
    this.requests.push(request);
    const settle = (outcome: SlotOutcome) => {
      assert.equal(request.outcome, undefined);
      request.outcome = outcome;
      if (outcome.granted) request.slot = outcome.slot;
    };
    if (asked instanceof Promise) void asked.then(settle);
    else settle(asked);
  }

  told(): ReadonlyMap<number, string> {
    const all = new Map<number, string>();
    for (const { id, outcome } of this.requests) {
      if (outcome !== undefined) all.set(id, outcome.granted ? 'granted' : outcome.why);
    }
    return all;
  }

  /** Resolves when so many were told something: to be told by another attachment takes a moment. */
  async isTold(count: number): Promise<void> {
    for (let tries = 0; tries < 10_000 && this.told().size < count; tries++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

const steps = fc.array(
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('ask' as const),
        by: fc.constantFrom(0 as const, 1 as const),
        limit: fc.constantFrom(1, 2, 2, 2, 3),
        queue: fc.constantFrom(0, 2, 5, 50),
        rank: fc.nat({ max: PRIORITIES.length - 1 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom('release' as const, 'release' as const, 'cancel' as const, 'timeout' as const),
        nth: fc.nat({ max: 20 }),
      }),
    },
  ),
  { maxLength: 80, size: 'max' },
);

async function play(played: readonly Step[]): Promise<void> {
  const model = new Model();
  const truth = new Truth();
  for (const step of played) {
    if (step.do === 'ask') {
      model.ask(truth.requests.length, step.limit, step.queue, step.rank);
      truth.ask(step.by, step.limit, step.queue, step.rank);
    } else if (step.do === 'release') {
      const id = model.held[step.nth % model.held.length];
      if (id === undefined) continue;
      model.release(id);
      truth.requests[id].slot?.release();
    } else {
      const id = model.waiting[step.nth % model.waiting.length]?.id;
      if (id === undefined) continue;
      model.leave(id, step.do === 'cancel' ? 'cancelled' : 'timeout');
      const { waiter, timeout } = truth.requests[id];
      if (step.do === 'cancel') waiter.cancel?.();
      else timeout();
    }
    await truth.isTold(model.told.size);
    assert.deepEqual(truth.told(), new Map([...model.told].toSorted(([a], [b]) => a - b)));
  }
  await endAll(model, truth);
}

/** Gives back all that is held until nobody waits: then a whole limit is there again. */
async function endAll(model: Model, truth: Truth): Promise<void> {
  for (let id = model.held[0]; id !== undefined; id = model.held[0]) {
    model.release(id);
    truth.requests[id].slot?.release();
    await truth.isTold(model.told.size);
  }
  assert.deepEqual(model.waiting, []);
  for (let i = 0; i < 3; i++) truth.ask(0, 3, 0, 0);
  truth.ask(1, 3, 0, 0);
  assert.deepEqual([...truth.told().values()].slice(-4), ['granted', 'granted', 'granted', 'full']);
}

describe('places and those that wait for them', () => {
  it('are as a list by hand says, after whatever happens', async () => {
    await fc.assert(fc.asyncProperty(steps, play), { numRuns: 300 });
  });
});
