/** A bucket whose sums and lists were left as they happened to be by a thread that died while it had it locked. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { PRIORITIES, type Priority, type SlotRule } from '../../contract/index.ts';
import { LIMIT, LIST_WORDS, openSlots, PLACE_WORDS, STATE, TICKET, WAITER_WORDS, WAYS } from './layout.ts';
import { createSlots } from './slots.ts';
import { attachSlots, ownerOf, type WorkerSlots } from './worker-slots.ts';

const random = { hex: (bytes: number) => randomBytes(bytes).toString('hex') };
const DEAD = 4711;

interface Stage {
  readonly all: readonly WorkerSlots[];
  readonly served: string[];
  readonly waits: Promise<void>[];
  readonly releases: (() => void)[];
  /** Leaves the bucket locked and as `harm` leaves it, and has the dead thread's end told. */
  die(harm: (memory: ReturnType<typeof openSlots>) => void): void;
}

const ruleOf = (priority: Priority): SlotRule => ({ limit: 2, queue: 50, waitMs: 20_000, priority });

/** Two hold a place, and those named wait, in turn by two attachments. */
function stage(waiting: readonly (readonly [string, Priority])[]): Stage {
  const slots = createSlots({ random, maxKeys: 16, threads: 2, heldPerThread: 64, waitingPerThread: 32 });
  // Nobody's time is ever over: who is let in was told so.
  const never = () => () => {};
  const all = [attachSlots(slots.buffer, never), attachSlots(slots.buffer, never)];
  const served: string[] = [];
  const releases: (() => void)[] = [];
  for (const one of all) {
    // Given back after the other, its ticket is the next to be used: those that wait have lower ones and higher ones.
    const before = take(one, 'before');
    releases.push(take(one, 'k'));
    before();
  }
  const waits = waiting.map(async ([name, priority], i) => {
    const outcome = await all[i % 2].acquire('s', 'k', ruleOf(priority), {});
    served.push(outcome.granted ? name : `${name} ${outcome.why}`);
    if (outcome.granted) outcome.slot.release();
  });
  const die: Stage['die'] = (harm) => {
    const memory = openSlots(slots.buffer);
    memory.locks[0] = ownerOf(DEAD);
    harm(memory);
    slots.release(DEAD);
    assert.equal(memory.locks[0], 0);
  };
  return { all, served, waits, releases, die };
}

const WAITING = [
  ['low 1', 'low'],
  ['high 1', 'high'],
  ['normal 1', 'normal'],
  ['low 2', 'low'],
  ['high 2', 'high'],
] as const;

describe('a bucket left half changed', () => {
  it('is made anew from what is held and who waits, in the order in which they came', async () => {
    const { all, served, waits, releases, die } = stage(WAITING);
    die(({ places, lists }) => {
      for (let at = 0; at < WAYS * PLACE_WORDS; at++) if (at % PLACE_WORDS !== LIMIT) places[at] = 77;
      lists.fill(77, 0, WAYS * LIST_WORDS);
    });
    assert.deepEqual(told(all[0], 'k'), 'full 2');
    assert.deepEqual(told(all[0], 'another'), 'granted 1');
    releases[0]();
    await settled(waits);
    assert.deepEqual(served, ['high 1', 'high 2', 'normal 1', 'low 1', 'low 2']);
    releases[1]();
    assert.deepEqual(told(all[0], 'k'), 'granted 1');
  });

  it('tells those that had a place already and were not told', async () => {
    const { all, served, waits, die } = stage([['one', PRIORITIES[0]]]);
    die(({ tickets, waiters }) => {
      // As `handOut` leaves it after its first word: the ticket holds a place, its waiter still says that it waits.
      const at = waiters.findIndex((word, i) => i % WAITER_WORDS === STATE && word !== 0);
      tickets[waiters[at + TICKET]] = tickets.find((word) => word !== 0) ?? 0;
    });
    await settled(waits);
    assert.deepEqual(served, ['one']);
    assert.deepEqual(told(all[0], 'k'), 'full 2');
  });
});

/** Rejects where they do not end by themselves: to be told by another attachment takes a moment. */
async function settled(waits: readonly Promise<void>[]): Promise<void> {
  let isOver = false;
  void Promise.all(waits).then(() => {
    isOver = true;
  });
  for (let tries = 0; tries < 10_000 && !isOver; tries++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(isOver, 'they wait for ever');
}

describe('the end of a thread', () => {
  it('gives what it held to those of others that wait, and to none of its own', async () => {
    const { all, served, waits, die } = stage([
      ['its own', 'critical'],
      ['of another', 'low'],
      ['its own too', 'high'],
    ]);
    // The first attachment holds one of two places, and has the first and the third that wait.
    die(({ owners }) => {
      owners[0] = ownerOf(DEAD);
    });
    await settled([waits[1]]);
    assert.deepEqual(served, ['of another']);
    assert.deepEqual(told(all[1], 'k'), 'granted 2');
    assert.deepEqual(told(all[1], 'k'), 'full 2');
  });
});

/** Takes one that must be there; returns what gives it back. */
function take(slots: WorkerSlots, key: string): () => void {
  const outcome = slots.acquire('s', key, ruleOf('normal'), {});
  assert.ok(!(outcome instanceof Promise) && outcome.granted);
  return () => outcome.slot.release();
}

/** What a request that does not wait is told. */
function told(slots: WorkerSlots, key: string): string {
  const outcome = slots.acquire('s', key, { ...ruleOf('normal'), queue: 0 }, {});
  assert.ok(!(outcome instanceof Promise));
  return outcome.granted ? `granted ${outcome.held}` : `${outcome.why} ${outcome.held}`;
}
