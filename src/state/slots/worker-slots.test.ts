import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { slotsContract } from '../../../test/contract/slots.contract.ts';
import type { SlotOutcome, SlotRule, Waiter } from '../../contract/index.ts';
import { createLocalCounters } from '../counters/local-counters.ts';
import { attachSharedCounters, createSharedCounters } from '../counters/shared-counters.ts';
import { openSlots } from './layout.ts';
import { createSlots, type SlotsOptions } from './slots.ts';
import { attachSlots, type WorkerSlots } from './worker-slots.ts';

const random = { hex: (bytes: number) => randomBytes(bytes).toString('hex') };
const create = (more: Partial<SlotsOptions> = {}) =>
  createSlots({ random, maxKeys: 64, threads: 2, heldPerThread: 64, waitingPerThread: 32, ...more });
const RULE: SlotRule = { limit: 1, queue: 0, waitMs: 0, priority: 'normal' };
const PATIENT: SlotRule = { ...RULE, queue: 100, waitMs: 20_000 };
const told = (outcome: SlotOutcome) => (outcome.granted ? 'granted' : outcome.why);

slotsContract('counters of one thread', () => [createLocalCounters()], { waits: false });
slotsContract(
  'shared counters',
  () => {
    const { memory } = createSharedCounters({ random, maxKeys: 16, maxQuotas: 16, threads: 1 });
    return [attachSharedCounters(memory), attachSharedCounters(memory)];
  },
  { waits: true },
);

/** What is at hand without a wait. */
function now(slots: WorkerSlots, rule: SlotRule = RULE, key = 'k'): SlotOutcome {
  const outcome = slots.acquire('s', key, rule, {});
  assert.ok(!(outcome instanceof Promise));
  return outcome;
}

describe('slots in shared memory', () => {
  it('are answered at once where nobody has to wait', () => {
    const slots = attachSlots(create().buffer);
    assert.equal(told(now(slots, PATIENT)), 'granted');
    assert.equal(told(now(slots)), 'full');
  });

  it('go to who came first, whichever attachment it came by', async () => {
    const { buffer } = create();
    const all = [attachSlots(buffer), attachSlots(buffer), attachSlots(buffer)];
    const first = now(all[0], PATIENT);
    const served: number[] = [];
    const waits = Array.from({ length: 30 }, async (_, i) => {
      const outcome = await all[(i * 7) % 3].acquire('s', 'k', PATIENT, {});
      assert.ok(outcome.granted);
      served.push(i);
      outcome.slot.release();
    });
    assert.ok(first.granted);
    first.slot.release();
    await Promise.all(waits);
    assert.deepEqual(
      served,
      Array.from({ length: 30 }, (_, i) => i),
    );
    assert.equal(told(now(all[0])), 'granted');
  });

  it('cannot be had by a newcomer while somebody waits', async () => {
    const { buffer } = create();
    const [one, other] = [attachSlots(buffer), attachSlots(buffer)];
    const held = now(one, PATIENT);
    const waits = other.acquire('s', 'k', PATIENT, {});
    assert.ok(held.granted);
    held.slot.release();
    assert.equal(told(now(one)), 'full');
    assert.equal(told(await waits), 'granted');
  });

  it('refuse a key more when all its places are held, count it, and forget no key that is held', () => {
    const shared = create({ maxKeys: 16 });
    const slots = attachSlots(shared.buffer);
    for (let i = 0; i < 16; i++) assert.equal(told(now(slots, RULE, `key ${i}`)), 'granted');
    assert.equal(told(now(slots, RULE, 'one too many')), 'no-room');
    assert.equal(slots.take('s', 'one too many', 5), undefined);
    assert.deepEqual(shared.stats(), { maxKeys: 16, refusedForSpace: 2 });
    for (let i = 0; i < 16; i++) assert.equal(told(now(slots, RULE, `key ${i}`)), 'full');
  });

  it('give the place of a key that holds nothing to another', () => {
    const slots = attachSlots(create({ maxKeys: 16 }).buffer);
    for (let i = 0; i < 500; i++) {
      const outcome = now(slots, RULE, `key ${i}`);
      assert.ok(outcome.granted);
      outcome.slot.release();
    }
    assert.equal(told(now(slots)), 'granted');
  });

  it('refuse more than one thread may hold, and hold so many again', () => {
    const slots = attachSlots(create({ heldPerThread: 3 }).buffer);
    const many = { ...RULE, limit: 100 };
    for (let round = 0; round < 3; round++) {
      const outcomes = [1, 2, 3].map(() => now(slots, many));
      assert.equal(told(now(slots, many)), 'no-room');
      for (const outcome of outcomes) if (outcome.granted) outcome.slot.release();
    }
  });

  /** As many as are let wait, evenly under so many keys of which each has its only place held. */
  const fill = (slots: WorkerSlots, scope: string, { keys = 1, rule = PATIENT } = {}) => {
    const waiters: Waiter[] = [];
    const waits: Promise<SlotOutcome>[] = [];
    for (let i = 0; ; i++) {
      const waiter: Waiter = {};
      const outcome = slots.acquire(scope, `k${i % keys}`, rule, waiter);
      if (outcome instanceof Promise) {
        waiters.push(waiter);
        waits.push(outcome);
      } else if (!outcome.granted) {
        assert.equal(told(outcome), 'queue-full');
        return { waiters, waits };
      }
    }
  };
  const cancelAll = async ({ waiters, waits }: ReturnType<typeof fill>): Promise<void> => {
    for (const waiter of waiters) waiter.cancel?.();
    assert.deepEqual(new Set((await Promise.all(waits)).map(told)), new Set(['cancelled']));
  };

  it('let of one attachment no more wait than it leaves free to others, under however many keys', async () => {
    const slots = attachSlots(create({ maxKeys: 1024, heldPerThread: 256, waitingPerThread: 64 }).buffer);
    for (let round = 0; round < 3; round++) {
      const filled = [1, 5, 1, 1, 1, 1].map((keys, i) => fill(slots, `${i}`, { keys }));
      assert.deepEqual(
        filled.map(({ waits }) => waits.length),
        [32, 16, 8, 4, 2, 1],
      );
      const [, greedy] = filled;
      await cancelAll({ waiters: greedy.waiters.splice(0, 2), waits: greedy.waits.splice(0, 2) });
      const [again, newcomer] = ['1', 'newcomer'].map((scope) => fill(slots, scope, { keys: 5 }));
      assert.deepEqual([again.waits.length, newcomer.waits.length], [0, 2], 'who has most gets no more');
      for (const one of [...filled, newcomer]) await cancelAll(one);
    }
  });

  it('let one that matters more wait in place of one of the same thread, where no more may', async () => {
    const { buffer } = create({ waitingPerThread: 32 });
    const [slots, elsewhere] = [attachSlots(buffer), attachSlots(buffer)];
    const [low, high] = (['low', 'high'] as const).map((priority) => ({ ...PATIENT, priority }));
    const { waits } = fill(slots, 's', { rule: low });
    assert.equal(waits.length, 16);
    assert.ok(slots.acquire('s', 'k0', high, {}) instanceof Promise);
    assert.equal(told(await waits[15]), 'queue-full');
    // Displaced elsewhere, it would leave as many here as before, and one attachment could have all that wait here.
    assert.ok(elsewhere.acquire('s', 'k0', low, {}) instanceof Promise);
    const outcome = slots.acquire('s', 'k0', high, {});
    assert.ok(!(outcome instanceof Promise));
    assert.equal(told(outcome), 'queue-full');
  });

  it('let go of nobody else by what was said of one that is done', async () => {
    const timers: (() => void)[] = [];
    const slots = attachSlots(create().buffer, (work) => {
      timers.push(work);
      return () => {};
    });
    now(slots, PATIENT);
    const one: Waiter = {};
    const first = slots.acquire('s', 'k', PATIENT, one);
    const { cancel } = one;
    cancel?.();
    assert.equal(told(await first), 'cancelled');
    // The next that waits is written down where the first was.
    const next: Waiter = {};
    const second = slots.acquire('s', 'k', PATIENT, next);
    cancel?.();
    timers[0]();
    assert.ok(next.cancel !== undefined);
    next.cancel();
    assert.equal(told(await second), 'cancelled');
  });

  it('count what is open apart from what is under way', () => {
    const { buffer } = create();
    const [one, other] = [attachSlots(buffer), attachSlots(buffer)];
    const slots = [one.take('s', 'k', 2), other.take('s', 'k', 2)];
    assert.equal(one.take('s', 'k', 2), undefined);
    assert.deepEqual([one.held('s', 'k'), other.held('s', 'k'), one.held('s', 'nobody')], [2, 2, 0]);
    assert.equal(told(now(one)), 'granted');
    slots[0]?.release();
    slots[0]?.release();
    assert.equal(other.held('s', 'k'), 1);
    assert.throws(() => one.take('s', 'k', 0), { name: 'InternalError' });
  });

  it('give a place that came in time though the time is over by now', async () => {
    let due = () => {};
    const { buffer } = create();
    const [one, other] = [
      attachSlots(buffer),
      attachSlots(buffer, (work) => {
        due = work;
        return () => {};
      }),
    ];
    const held = now(one, PATIENT);
    const waits = other.acquire('s', 'k', PATIENT, {});
    assert.ok(held.granted);
    held.slot.release();
    due();
    assert.equal(told(await waits), 'granted');
  });

  it('refuse rather than let two in when a key stays locked; what is given back meanwhile is not lost', () => {
    const later: (() => void)[] = [];
    const shared = create({ maxKeys: 16 });
    const slots = attachSlots(shared.buffer, (work) => {
      later.push(work);
      return () => {};
    });
    const held = now(slots);
    const endedThreadId = 41;
    openSlots(shared.buffer).locks[0] = endedThreadId + 1;
    assert.throws(() => now(slots), { name: 'InternalError' });
    assert.ok(held.granted);
    held.slot.release();
    shared.release(endedThreadId);
    assert.equal(told(now(slots)), 'full');
    for (const work of later.splice(0)) work();
    assert.equal(told(now(slots)), 'granted');
  });

  it('refuse memory that is none of theirs, sizes that are none, and more threads than there is room for', () => {
    assert.throws(() => attachSlots(new SharedArrayBuffer(1024)), { name: 'InternalError' });
    for (const maxKeys of [0, -1, 1.5, Number.NaN, 2 ** 40]) {
      assert.throws(() => create({ maxKeys }), { name: 'InternalError' });
    }
    const { buffer } = create({ threads: 1 });
    for (let i = 0; i < 8; i++) attachSlots(buffer);
    assert.throws(() => attachSlots(buffer), { name: 'InternalError' });
  });
});
