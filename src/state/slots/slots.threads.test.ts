/** Real threads on one memory, some of which are killed. This file is its own worker: the main thread runs the tests. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { isMainThread, parentPort, threadId, Worker, workerData } from 'node:worker_threads';
import { PRIORITIES, type SlotOutcome, type SlotRule, type Waiter } from '../../contract/index.ts';
import { openSlots, PLACE_WORDS, WAITER_WORDS } from './layout.ts';
import { createSlots, type Slots } from './slots.ts';
import { attachSlots, type WorkerSlots } from './worker-slots.ts';

const THREADS = 4;
const KEYS = 3;
const LIMIT = 3;
/** Requests of one thread that are under way or wait at one time. */
const AT_ONCE = 12;

interface Job {
  readonly buffer: SharedArrayBuffer;
  /**
   * `LIMIT` for each key: who holds a place sits down on a free one. What sits there is one word, so that it is told
   * apart who left it behind when it died.
   */
  readonly chairs: Int32Array;
  readonly turns: number;
  readonly calm: boolean;
}

interface Counts {
  granted: number;
  waited: number;
  cancelled: number;
  timeouts: number;
  /** Of those that waited for long: nobody told them. */
  lost: number;
  full: number;
  /** Granted though all chairs were taken. */
  over: number;
}

if (isMainThread) tests();
else if (workerData.calm) void play(workerData).then((counts) => parentPort?.postMessage(counts));
else hammer(workerData);

async function play(job: Job): Promise<Counts> {
  const slots = attachSlots(job.buffer);
  const counts: Counts = { granted: 0, waited: 0, cancelled: 0, timeouts: 0, lost: 0, full: 0, over: 0 };
  parentPort?.postMessage('ready');
  let left = job.turns;
  const one = async () => {
    while (left-- > 0) await turn(slots, job, counts);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, one));
  return counts;
}

/** Asks, waits perhaps, holds for a moment and gives back; sometimes it gives up. */
async function turn(slots: WorkerSlots, { chairs }: Job, counts: Counts): Promise<void> {
  const key = Math.floor(Math.random() * KEYS);
  const waiter: Waiter = {};
  const rule = randomRule();
  const asked = slots.acquire('s', `key ${key}`, rule, waiter);
  if (asked instanceof Promise) {
    counts.waited++;
    if (Math.random() < 0.2) setImmediate(() => waiter.cancel?.());
  }
  const outcome = await asked;
  count(outcome, rule, counts);
  if (!outcome.granted) return;
  const chair = sitDown(chairs, key);
  if (chair === -1) counts.over++;
  for (let i = Math.random() * 4; i > 1; i--) await new Promise((resolve) => setImmediate(resolve));
  if (chair !== -1) Atomics.store(chairs, chair, 0);
  outcome.slot.release();
}

function randomRule(): SlotRule {
  return {
    limit: LIMIT,
    queue: Math.random() < 0.2 ? 0 : 20,
    // Either long enough that only a lost wake-up could make it pass, or so short that it often does.
    waitMs: Math.random() < 0.8 ? 30_000 : 2,
    priority: PRIORITIES[Math.floor(Math.random() * PRIORITIES.length)],
  };
}

function count(outcome: SlotOutcome, { waitMs }: SlotRule, counts: Counts): void {
  if (outcome.granted) counts.granted++;
  else if (outcome.why === 'cancelled') counts.cancelled++;
  else if (outcome.why === 'timeout') counts[waitMs > 1000 ? 'lost' : 'timeouts']++;
  else counts.full++;
}

function sitDown(chairs: Int32Array, key: number): number {
  for (let chair = key * LIMIT; chair < (key + 1) * LIMIT; chair++) {
    if (Atomics.compareExchange(chairs, chair, 0, threadId) === 0) return chair;
  }
  return -1;
}

/** Takes and gives back without a pause until it is killed, so that it often dies within a change. */
function hammer({ buffer }: Job): never {
  const slots = attachSlots(buffer);
  const rule: SlotRule = { limit: LIMIT, queue: 20, waitMs: 30_000, priority: 'low' };
  parentPort?.postMessage('ready');
  const held: (() => void)[] = [];
  for (let i = 0; ; i++) {
    const waiter: Waiter = {};
    const outcome = slots.acquire('s', `key ${i % KEYS}`, rule, waiter);
    if (outcome instanceof Promise) waiter.cancel?.();
    else if (outcome.granted) held.push(() => outcome.slot.release());
    if (held.length > 2) held.shift()?.();
  }
}

function tests(): void {
  const random = { hex: (bytes: number) => randomBytes(bytes).toString('hex') };
  const create = () =>
    createSlots({ random, maxKeys: 16, threads: THREADS, heldPerThread: 256, waitingPerThread: 64 });
  const jobOf = (slots: Slots, more: Partial<Job> = {}): Job => ({
    buffer: slots.buffer,
    chairs: new Int32Array(new SharedArrayBuffer(KEYS * LIMIT * 4)),
    turns: 6000,
    calm: true,
    ...more,
  });
  const start = (workerData: Job): Running => {
    const thread = new Worker(new URL(import.meta.url), { workerData });
    return { thread, id: thread.threadId };
  };

  describe('slots under real threads', { timeout: 60_000 }, () => {
    it('never go over the limit, lose no wake-up, and end at nothing held', async () => {
      const slots = create();
      const job = jobOf(slots);
      const threads = Array.from({ length: THREADS }, () => start(job));
      const counts = await Promise.all(threads.map(resultOf));
      assert.deepEqual([total(counts, 'over'), total(counts, 'lost')], [0, 0]);
      for (const what of ['granted', 'waited', 'cancelled', 'full'] as const) {
        assert.ok(total(counts, what) > 100, `${what} ${total(counts, what)}`);
      }
      for (const thread of threads) await end(thread, slots);
      nothingHeld(slots);
    });

    it('outlive threads that are killed: what they held goes to those that wait', async () => {
      const slots = create();
      const job = jobOf(slots);
      const steady = [start(job), start(job)];
      let isOver = false;
      const done = Promise.all(steady.map(resultOf)).finally(() => {
        isOver = true;
      });
      let kills = 0;
      while (!isOver) {
        const victim = start(job);
        await once(victim.thread, 'message');
        // It dies somewhere in the middle of its work.
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 20));
        await end(victim, slots, job.chairs);
        kills++;
      }
      const counts = await done;
      assert.deepEqual([total(counts, 'over'), total(counts, 'lost')], [0, 0]);
      assert.ok(kills >= 2, `${kills} kills`);
      for (const thread of steady) await end(thread, slots);
      nothingHeld(slots);
    });

    it('are whole again after threads died within a change', async () => {
      const slots = create();
      for (let round = 0; round < 8; round++) {
        const victims = [start(jobOf(slots, { calm: false })), start(jobOf(slots, { calm: false }))];
        await Promise.all(victims.map(({ thread }) => once(thread, 'message')));
        await Promise.all(victims.map((victim) => end(victim, slots)));
      }
      nothingHeld(slots);
    });
  });
}

/** One that has ended has no id any more. */
interface Running {
  readonly thread: Worker;
  readonly id: number;
}

async function resultOf({ thread }: Running): Promise<Counts> {
  await once(thread, 'message');
  const [counts] = await once(thread, 'message');
  return counts;
}

async function end({ thread, id }: Running, slots: Slots, chairs?: Int32Array): Promise<void> {
  await thread.terminate();
  if (chairs !== undefined) {
    for (let chair = 0; chair < chairs.length; chair++) Atomics.compareExchange(chairs, chair, id, 0);
  }
  slots.release(id);
}

const total = (all: readonly Counts[], what: keyof Counts): number =>
  all.reduce((sum, counts) => sum + counts[what], 0);

/** Nobody holds or waits, by whatever is written down. */
function nothingHeld(slots: Slots): void {
  const { owners, locks, places, lists, tickets, waiters, told } = openSlots(slots.buffer);
  for (const [name, words] of Object.entries({ owners, locks, lists, tickets, told })) {
    assert.ok(
      words.every((word) => word === 0),
      name,
    );
  }
  for (let at = 0; at < places.length; at += PLACE_WORDS)
    assert.deepEqual([...places.slice(at, at + 2)], [0, 0]);
  for (let at = 0; at < waiters.length; at += WAITER_WORDS) assert.equal(waiters[at], 0);
}
