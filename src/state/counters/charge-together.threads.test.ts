/** Real threads that charge several counters at once. This file is its own worker, as its neighbour's. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Charge, CounterState } from '../../contract/index.ts';
import type { CounterMemory } from './counter-memory.ts';
import { attachSharedCounters, createSharedCounters } from './shared-counters.ts';

const THREADS = 4;
const ROUNDS = 12_000;
const NOW = 1_800_000_000_000;
const WINDOW = { startMs: NOW, endMs: NOW + 60_000 };
const SUM_RULE = { windowMs: 60_000 };

interface Job {
  readonly memory: CounterMemory;
  readonly thread: number;
  readonly refunds: boolean;
}

interface Done {
  /** What was admitted and not given back, by counter. */
  readonly kept: readonly number[];
  readonly admitted: number;
}

/** Counters of every kind, in both tables; the limits are reached long before the rounds end. */
const COUNTERS: readonly ((cost: number) => Charge)[] = [
  (cost) => ({
    kind: 'gcra',
    scope: 'a',
    key: 'k',
    cost,
    rule: { limit: 9001, windowMs: 60_000, burst: 9001 },
  }),
  (cost) => ({ kind: 'sliding-window', scope: 'b', key: 'k', cost, rule: { limit: 7001, windowMs: 60_000 } }),
  (cost) => ({ kind: 'fixed-window', scope: 'c', key: 'k', cost, rule: { limit: 8009, ...WINDOW } }),
  (cost) => ({ kind: 'quota', scope: 'd', key: 'k', cost, rule: { limit: 6007, ...WINDOW, carryOver: 100 } }),
  (cost) => ({
    kind: 'quota',
    scope: 'd',
    key: 'other',
    cost,
    rule: { limit: 9001, ...WINDOW, carryOver: 0 },
  }),
  (cost) => ({
    kind: 'gcra',
    scope: 'a',
    key: 'other',
    cost,
    rule: { limit: 5003, windowMs: 60_000, burst: 5003 },
  }),
];
const LIMITS = [9001, 7001, 8009, 6007, 9001, 5003];

if (isMainThread) tests();
else parentPort?.postMessage(hammer(workerData));

/** Charges two to five of them, in another order each time: were buckets locked in that order, threads would wait for each other. */
function hammer({ memory, thread, refunds }: Job): Done {
  const state = attachSharedCounters(memory);
  const kept = COUNTERS.map(() => 0);
  let admitted = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const cost = 1 + (round % 2);
    const chosen = Array.from(
      { length: 2 + ((round + thread) % 4) },
      (_, i) => (thread * 5 + round + i * (thread % 2 === 0 ? 1 : 5)) % COUNTERS.length,
    );
    const charges = chosen.map((i) => COUNTERS[i](cost));
    add(state);
    if (!isAdmitted(state, charges)) continue;
    admitted++;
    if (refunds && round % 3 !== 0) {
      state.refund(charges, NOW, NOW);
      continue;
    }
    for (const i of chosen) kept[i] += cost;
  }
  return { kept, admitted };
}

function isAdmitted(state: CounterState, charges: readonly Charge[]): boolean {
  const outcomes = state.charge(charges, NOW);
  assert.ok(!(outcomes instanceof Promise));
  return outcomes.every(({ allowed }) => allowed);
}

function add(state: CounterState, amount = 1): number {
  const tallied = state.tally('sum', 'k', SUM_RULE, amount, NOW);
  assert.ok(!(tallied instanceof Promise));
  return tallied.sum;
}

function tests(): void {
  const random = { hex: (bytes: number) => randomBytes(bytes).toString('hex') };

  describe('several charges at once, under real threads', () => {
    for (const refunds of [false, true]) {
      it(`are counted exactly in every counter${refunds ? ', also where most are given back' : ''}`, async () => {
        // Few buckets: most charges share one with others.
        const { memory } = createSharedCounters({ random, maxKeys: 64, maxQuotas: 16 });
        const all = await run({ memory, refunds });
        const kept = COUNTERS.map((_, i) => all.reduce((sum, done) => sum + done.kept[i], 0));
        assert.ok(all.reduce((sum, { admitted }) => sum + admitted, 0) > 1000);
        const state = attachSharedCounters(memory);
        const questions = await state.charge(
          COUNTERS.map((charge) => charge(0)),
          NOW,
        );
        assert.deepEqual(
          questions.map(({ remaining }) => remaining),
          LIMITS.map((limit, i) => limit - kept[i]),
        );
        assert.equal(add(state, 0), THREADS * ROUNDS);
        // Whatever was refused, one of its counters was full: some are, and none is over.
        assert.ok(questions.some(({ remaining }) => remaining === 0));
      });
    }
  });
}

async function run(job: Omit<Job, 'thread'>): Promise<Done[]> {
  const workers = Array.from(
    { length: THREADS },
    (_, thread) => new Worker(new URL(import.meta.url), { workerData: { ...job, thread } }),
  );
  const results = await Promise.all(workers.map((worker) => once(worker, 'message')));
  await Promise.all(workers.map((worker) => worker.terminate()));
  return results.map(([done]) => done);
}
