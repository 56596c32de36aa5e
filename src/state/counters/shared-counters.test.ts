import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { chargeOf, ONE_OF_EACH } from '../../../test/contract/state/counters.ts';
import { counterStateContract } from '../../../test/contract/state.contract.ts';
import { attachSharedCounters, createSharedCounters } from './shared-counters.ts';
import { openTable } from './shared-table.ts';

const random = { hex: (bytes: number) => randomBytes(bytes).toString('hex') };
const create = (maxKeys = 1024) => createSharedCounters({ random, maxKeys, maxQuotas: 64, threads: 1 });
const NOW = 1_800_000_000_000;
const RULE = { limit: 10, windowMs: 60_000, burst: 10 };

counterStateContract('shared counters', () => attachSharedCounters(create().memory));

describe('shared counters', () => {
  it('are one for all that attach', () => {
    const { memory } = create();
    const states = [attachSharedCounters(memory), attachSharedCounters(memory)];
    for (let i = 0; i < 10; i++) assert.equal(gcra(states[i % 2], 'k').allowed, true);
    for (const state of states) assert.equal(gcra(state, 'k').allowed, false);
  });

  it('refuse new keys when all places are live, count it, and forget none of the live ones', () => {
    const shared = create(16);
    const state = attachSharedCounters(shared.memory);
    for (let i = 0; i < 16; i++) assert.equal(gcra(state, `key ${i}`, NOW + i).allowed, true);
    const refused = gcra(state, 'one too many', NOW + 20);
    assert.deepEqual([refused.allowed, refused.full], [false, true]);
    assert.deepEqual(shared.stats().counters, { maxKeys: 16, refusedForSpace: 1 });
    assert.deepEqual(shared.stats().quotas, { maxKeys: 64, refusedForSpace: 0 });
    for (let i = 0; i < 16; i++) assert.equal(gcra(state, `key ${i}`, NOW + 20).remaining, 8);
    assert.equal(gcra(state, 'one too many', NOW + 20 + refused.retryAfterMs).allowed, false);
  });

  it('keep a quarter of the places for keys that are proved, whatever flood of others there is', () => {
    const shared = create(16);
    const state = attachSharedCounters(shared.memory);
    const window = { limit: 10, windowMs: 60_000, unproven: true };
    const outcomes = [
      ...Array.from({ length: 6 }, (_, i) => state.gcra('g', `a${i}`, { ...window, burst: 10 }, 1, NOW)),
      ...Array.from({ length: 6 }, (_, i) => state.slidingWindow('w', `b${i}`, window, 1, NOW)),
    ];
    for (const outcome of outcomes) assert.ok(!(outcome instanceof Promise) && outcome.allowed);
    for (let i = 0; i < 100; i++) {
      assert.equal(state.gcra('g', `c${i}`, { ...window, burst: 10 }, 1, NOW).full, true);
      // A sum needs no place to be told, and takes none from others.
      assert.deepEqual(state.tally('t', `d${i}`, { windowMs: 60_000 }, 2, NOW), { sum: 2 });
    }
    for (let i = 0; i < 4; i++) assert.equal(gcra(state, `consumer ${i}`).allowed, true);
    assert.equal(gcra(state, 'consumer 4').full, true);
  });

  it('say of a key that holds nothing that it holds nothing, also when all places are live, and take none for it', () => {
    const shared = create(16);
    const state = attachSharedCounters(shared.memory);
    const empty = { allowed: true, remaining: 10, retryAfterMs: 0, resetMs: 0 };
    for (let i = 0; i < 100; i++) assert.deepEqual(state.gcra('s', `asked ${i}`, RULE, 0, NOW), empty);
    for (let i = 0; i < 16; i++) assert.equal(gcra(state, `key ${i}`, NOW).allowed, true);
    assert.deepEqual(state.gcra('s', 'one too many', RULE, 0, NOW), empty);
    assert.equal(shared.stats().counters.refusedForSpace, 0);
    const held = state.gcra('s', 'key 0', RULE, 0, NOW);
    assert.ok(!(held instanceof Promise));
    assert.deepEqual([held.remaining, held.resetMs], [9, 6000]);
  });

  it('give the place of an idle key away, after the wait that was told', () => {
    const state = attachSharedCounters(create(16).memory);
    for (let i = 0; i < 16; i++) gcra(state, `key ${i}`, NOW + i);
    const { retryAfterMs } = gcra(state, 'late', NOW + 20);
    assert.equal(gcra(state, 'late', NOW + 20 + retryAfterMs - 1).allowed, false);
    assert.equal(gcra(state, 'late', NOW + 20 + retryAfterMs).allowed, true);
    for (let i = 1; i < 16; i++) assert.equal(gcra(state, `key ${i}`, NOW + 20 + retryAfterMs).allowed, true);
  });

  it('give each of several new keys that are charged at once a place of its own, or refuse them all', async () => {
    const nowMs = NOW + 30_500;
    for (const spec of ONE_OF_EACH) {
      const state = attachSharedCounters(createSharedCounters({ random, maxKeys: 16, maxQuotas: 16 }).memory);
      const wide = { ...spec, windowMs: 60_000 };
      const charges = (count: number, cost: number) =>
        Array.from({ length: count }, (_, i) => chargeOf(wide, nowMs, { key: `key ${i}`, cost }));
      const tooMany = await state.charge(charges(17, 1), nowMs);
      assert.deepEqual(
        tooMany.map(({ full }) => full === true),
        tooMany.map((_, i) => i === 16),
      );
      assert.ok((await state.charge(charges(16, 0), nowMs)).every(({ remaining }) => remaining === 10));
      assert.ok((await state.charge(charges(16, 3), nowMs + 2)).every(({ remaining }) => remaining === 7));
      assert.ok((await state.charge(charges(16, 7), nowMs + 2)).every(({ remaining }) => remaining === 0));
    }
  });

  it('keep a key that has just become idle, for threads whose clock is a little behind', () => {
    const state = attachSharedCounters(create(16).memory);
    const rule = { limit: 1, windowMs: 10_000, burst: 1 };
    for (let i = 0; i < 16; i++) state.gcra('s', `key ${i}`, rule, 1, NOW);
    assert.deepEqual(allowed(state.gcra('s', 'late', rule, 1, NOW + 10_999)), false);
    assert.deepEqual(allowed(state.gcra('s', 'late', rule, 1, NOW + 11_000)), true);
  });

  it('do not stay full for hours after the clock was set back by hours', () => {
    const state = attachSharedCounters(create(16).memory);
    for (let i = 0; i < 16; i++) gcra(state, `key ${i}`, NOW + 36_000_000);
    assert.equal(gcra(state, 'late', NOW).allowed, true);
  });

  it('are seeded: the same keys fall elsewhere in another table', () => {
    const placesOf = () => {
      const { memory } = create();
      const state = attachSharedCounters(memory);
      for (let i = 0; i < 8; i++) gcra(state, `key ${i}`);
      return openTable(memory.counters).words.join();
    };
    assert.notEqual(placesOf(), placesOf());
  });

  it('refuse rather than let two in when a lock stays held, and go on once it is released', () => {
    const shared = create(16);
    const state = attachSharedCounters(shared.memory);
    const endedThreadId = 41;
    openTable(shared.memory.counters).words[0] = endedThreadId + 1;
    assert.throws(() => gcra(state, 'k'), { name: 'InternalError' });
    shared.release(endedThreadId + 1);
    assert.throws(() => gcra(state, 'k'), { name: 'InternalError' });
    shared.release(endedThreadId);
    assert.equal(gcra(state, 'k').allowed, true);
  });

  it('refuse a buffer that is none of theirs, and a size that is none', () => {
    const other = new SharedArrayBuffer(1024);
    for (const memory of [{ counters: other }, { quotas: other }]) {
      assert.throws(() => attachSharedCounters({ ...create().memory, ...memory }), { name: 'InternalError' });
    }
    for (const maxKeys of [0, -1, 1.5, Number.NaN, 2 ** 40]) {
      assert.throws(() => create(maxKeys), { name: 'InternalError' });
    }
  });
});

type State = ReturnType<typeof attachSharedCounters>;
const gcra = (state: State, key: string, nowMs = NOW) => {
  const outcome = state.gcra('s', key, RULE, 1, nowMs);
  assert.ok(!(outcome instanceof Promise));
  return outcome;
};
const allowed = (outcome: ReturnType<State['gcra']>) => {
  assert.ok(!(outcome instanceof Promise));
  return outcome.allowed;
};
