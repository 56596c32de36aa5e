/** Real threads on one table. This file is its own worker: the main thread runs the tests, the others hammer. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { CounterMemory } from './counter-memory.ts';
import { attachSharedCounters, createSharedCounters, type SharedCounters } from './shared-counters.ts';

const THREADS = 4;
const START = 1_800_000_000_000;

interface Job {
  readonly memory: CounterMemory;
  /** One word: how many requests were made by all threads. Time goes on by it. */
  readonly ticks: Int32Array;
  readonly requests: number;
  readonly requestsPerMs: number;
  readonly keys: number;
  readonly algorithm: 'gcra' | 'sliding';
  readonly limit: number;
  readonly windowMs: number;
}

if (isMainThread) tests();
else parentPort?.postMessage(hammer(workerData));

/** Admissions per key. */
function hammer(job: Job): number[] {
  const state = attachSharedCounters(job.memory);
  const admitted = new Array<number>(job.keys).fill(0);
  for (let i = 0; i < job.requests; i++) {
    const tick = Atomics.add(job.ticks, 0, 1);
    const key = tick % job.keys;
    if (ask(state, job, key, START + Math.floor(tick / job.requestsPerMs))) admitted[key]++;
  }
  return admitted;
}

function ask(state: ReturnType<typeof attachSharedCounters>, job: Job, key: number, nowMs: number): boolean {
  const { limit, windowMs } = job;
  const outcome =
    job.algorithm === 'gcra'
      ? state.gcra('s', `key ${key}`, { limit, windowMs, burst: limit }, 1, nowMs)
      : state.slidingWindow('s', `key ${key}`, { limit, windowMs }, 1, nowMs);
  assert.ok(!(outcome instanceof Promise));
  return outcome.allowed;
}

function tests(): void {
  const random = { hex: (bytes: number) => randomBytes(bytes).toString('hex') };
  const frozen: Omit<Job, 'memory' | 'ticks'> = {
    requests: 48_000,
    requestsPerMs: Number.POSITIVE_INFINITY,
    keys: 1,
    algorithm: 'gcra',
    limit: 10_007,
    windowMs: 60_000,
  };

  describe('shared counters under real threads', () => {
    it('admit exactly the burst of one key while time stands still', async () => {
      const { admitted } = await run(createSharedCounters({ random, maxKeys: 64 }), frozen);
      assert.deepEqual(admitted, [10_007]);
    });

    it('admit exactly the limit of a sliding window while time stands still', async () => {
      const { admitted } = await run(createSharedCounters({ random, maxKeys: 64 }), {
        ...frozen,
        algorithm: 'sliding',
      });
      assert.deepEqual(admitted, [10_007]);
    });

    it('admit exactly the burst and what time gives back, as time goes on', async () => {
      const job = { ...frozen, requestsPerMs: 1000, limit: 7000, windowMs: 100 };
      const shared = createSharedCounters({ random, maxKeys: 64 });
      const { admitted, full } = await run(shared, job);
      // 70 come back each millisecond and 1,000 are asked for, so nothing is ever left over.
      const lastMs = (THREADS * job.requests) / job.requestsPerMs - 1;
      const state = attachSharedCounters(shared.memory);
      let rest = 0;
      while (ask(state, full, 0, START + lastMs)) rest++;
      assert.equal(admitted[0] + rest, 7000 + (lastMs * 7000) / 100);
    });

    it('never give two keys one place: in a full table some keys have their limit, the rest nothing', async () => {
      const shared = createSharedCounters({ random, maxKeys: 16 });
      const { admitted } = await run(shared, { ...frozen, keys: 24, limit: 100 });
      assert.deepEqual(
        admitted.toSorted((a, b) => a - b),
        [...new Array<number>(8).fill(0), ...new Array<number>(16).fill(100)],
      );
      // The keys are asked in turn, so the eight without a place were asked for a third of all requests.
      assert.equal(shared.stats().counters.refusedForSpace, (THREADS * frozen.requests) / 3);
    });
  });
}

async function run(
  { memory }: SharedCounters,
  options: Omit<Job, 'memory' | 'ticks'>,
): Promise<{ admitted: number[]; full: Job }> {
  const full: Job = { ...options, memory, ticks: new Int32Array(new SharedArrayBuffer(4)) };
  const workers = Array.from(
    { length: THREADS },
    () => new Worker(new URL(import.meta.url), { workerData: full }),
  );
  const results = await Promise.all(workers.map((worker) => once(worker, 'message')));
  await Promise.all(workers.map((worker) => worker.terminate()));
  const admitted = new Array<number>(options.keys).fill(0);
  for (const [counts] of results) for (let key = 0; key < options.keys; key++) admitted[key] += counts[key];
  return { admitted, full };
}
