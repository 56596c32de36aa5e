import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import type { Charge, QuotaRule } from '../../contract/index.ts';
import { attachSharedCounters, createSharedCounters } from './shared-counters.ts';
import { openTable } from './shared-table.ts';

const random = { hex: (bytes: number) => randomBytes(bytes).toString('hex') };
const create = (maxQuotas = 1024) => createSharedCounters({ random, maxKeys: 16, maxQuotas });
const DAY_MS = 86_400_000;
const NOW = 20_000 * DAY_MS + 5000;
const RULE: QuotaRule = { limit: 10, startMs: 20_000 * DAY_MS, endMs: 20_001 * DAY_MS, carryOver: 5 };
const quota = (key: string, cost = 1, rule = RULE): Charge => ({
  kind: 'quota',
  scope: 's',
  key,
  rule,
  cost,
});

describe('quotas in shared counters', () => {
  it('are told as they stand: where they began, what was used and what was carried over', async () => {
    const shared = create();
    const state = attachSharedCounters(shared.memory);
    assert.equal(shared.readQuota('s', 'k'), undefined);
    await state.charge([quota('k', 7)], NOW);
    assert.deepEqual(shared.readQuota('s', 'k'), { startMs: RULE.startMs, used: 7, carried: 0 });
    const next = { ...RULE, startMs: RULE.endMs, endMs: RULE.endMs + DAY_MS };
    await state.charge([quota('k', 1, next)], NOW + DAY_MS);
    assert.deepEqual(shared.readQuota('s', 'k'), { startMs: next.startMs, used: 1, carried: 3 });
    assert.equal(shared.readQuota('s', 'other'), undefined);
    assert.equal(shared.readQuota('other', 'k'), undefined);
  });

  it('go on in another process where they were, whatever the limit is there', async () => {
    const before = create();
    await attachSharedCounters(before.memory).charge([quota('k', 7)], NOW);
    const usage = before.readQuota('s', 'k');
    assert.ok(usage !== undefined);
    const after = create();
    const { endMs, carryOver } = RULE;
    assert.ok(after.restoreQuota('s', 'k', { ...usage, endMs, carryOver, unproven: false }, NOW));
    const state = attachSharedCounters(after.memory);
    const [refused] = await state.charge([quota('k', 4)], NOW);
    assert.equal(refused.allowed, false);
    const [allowed] = await state.charge([quota('k', 4, { ...RULE, limit: 11 })], NOW);
    assert.deepEqual([allowed.allowed, allowed.remaining], [true, 0]);
  });

  it('are set to what is restored, whatever they stood at', async () => {
    const shared = create();
    const state = attachSharedCounters(shared.memory);
    await state.charge([quota('k', 9)], NOW);
    const { startMs, endMs, carryOver } = RULE;
    assert.ok(
      shared.restoreQuota('s', 'k', { startMs, endMs, used: 2, carried: 4, carryOver, unproven: false }, NOW),
    );
    const [outcome] = await state.charge([quota('k', 1)], NOW);
    assert.deepEqual([outcome.allowed, outcome.remaining], [true, 11]);
  });

  it('are changed in one step, with effect at once, and not made', async () => {
    const shared = create();
    const state = attachSharedCounters(shared.memory);
    assert.equal(
      shared.changeQuota('s', 'k', () => assert.fail('there is nothing to change')),
      undefined,
    );
    await state.charge([quota('k', 10)], NOW);
    assert.equal((await state.charge([quota('k')], NOW))[0].allowed, false);
    const changed = shared.changeQuota('s', 'k', ({ used, carried }) => ({ used, carried: carried + 2 }));
    assert.deepEqual(changed, { startMs: RULE.startMs, used: 10, carried: 2 });
    assert.equal((await state.charge([quota('k', 2)], NOW))[0].allowed, true);
    assert.equal((await state.charge([quota('k')], NOW))[0].allowed, false);
    shared.changeQuota('s', 'k', ({ carried }) => ({ used: 0, carried }));
    assert.equal((await state.charge([quota('k')], NOW))[0].remaining, 11);
    assert.equal(shared.readQuota('s', 'other'), undefined);
  });

  it('are let go of when what changes them fails', async () => {
    const shared = create();
    const state = attachSharedCounters(shared.memory);
    await state.charge([quota('k')], NOW);
    const failing = () => {
      throw new Error('no change');
    };
    assert.throws(() => shared.changeQuota('s', 'k', failing), /no change/);
    assert.equal((await state.charge([quota('k')], NOW))[0].allowed, true);
  });

  it('have places of their own: a flood of other keys takes none, and waits for none', async () => {
    const shared = create(16);
    const state = attachSharedCounters(shared.memory);
    const rule = { limit: 1, windowMs: 60_000, burst: 1 };
    for (let i = 0; i < 100; i++) await state.gcra('s', `flood ${i}`, rule, 1, NOW);
    for (let i = 0; i < 16; i++) {
      const [outcome] = await state.charge([quota(`k${i}`)], NOW);
      assert.equal(outcome.allowed, true);
    }
    assert.equal(shared.stats().counters.refusedForSpace, 84);
    const [refused] = await state.charge([quota('one too many')], NOW);
    assert.deepEqual([refused.allowed, refused.full], [false, true]);
    assert.equal(shared.stats().quotas.refusedForSpace, 1);
    const { startMs, endMs, carryOver } = RULE;
    const one = { startMs, endMs, used: 1, carried: 0, carryOver, unproven: false };
    assert.equal(shared.restoreQuota('s', 'two too many', one, NOW), false);
    for (let i = 0; i < 16; i++) assert.equal(shared.readQuota('s', `k${i}`)?.used, 1);
  });

  it('leave half of the places to those who have proved who they are', async () => {
    const shared = create(16);
    const state = attachSharedCounters(shared.memory);
    const stranger = { ...RULE, unproven: true };
    for (let i = 0; i < 8; i++) {
      const [outcome] = await state.charge([quota(`192.0.2.${i}`, 1, stranger)], NOW);
      assert.equal(outcome.allowed, true);
    }
    const [refused] = await state.charge([quota('192.0.2.8', 1, stranger)], NOW);
    assert.deepEqual([refused.allowed, refused.full], [false, true]);
    const { startMs, endMs, carryOver } = RULE;
    const one = { startMs, endMs, used: 1, carried: 0, carryOver, unproven: false };
    assert.equal(shared.restoreQuota('s', '192.0.2.8', { ...one, unproven: true }, NOW), false);
    assert.equal(shared.restoreQuota('s', 'kept', { ...one, unproven: false }, NOW), true);
    for (let i = 0; i < 7; i++) {
      const [outcome] = await state.charge([quota(`consumer-${i}`)], NOW);
      assert.equal(outcome.allowed, true, `consumer ${i}`);
    }
    assert.equal((await state.charge([quota('192.0.2.0', 1, stranger)], NOW))[0].allowed, true);
  });

  it('are freed with the rest when the thread that held their lock has ended', async () => {
    const shared = create(16);
    const state = attachSharedCounters(shared.memory);
    openTable(shared.memory.quotas).words[0] = 42;
    assert.throws(() => shared.readQuota('s', 'k'), { name: 'InternalError' });
    shared.release(41);
    const [outcome] = await state.charge([quota('k')], NOW);
    assert.equal(outcome.allowed, true);
  });
});
