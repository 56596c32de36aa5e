/** What counters must do with several charges at once. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Charge, CounterState, LimitOutcome } from '../../../src/contract/index.ts';
import {
  type Create,
  chargeOf,
  chargeOne,
  type Effort,
  ONE_OF_EACH,
  remaining,
  runsOf,
  type Spec,
  START,
  specs,
} from './counters.ts';

/** A counter and what is charged to it: with every other of a list, they have scopes of their own. */
interface Asked {
  readonly spec: Spec;
  readonly cost: number;
}

const scopeOf = (i: number): string => `limit ${i}`;

const chargesOf = (asked: readonly Asked[], nowMs: number): Charge[] =>
  asked.map(({ spec, cost }, i) => chargeOf(spec, nowMs, { scope: scopeOf(i), cost }));

const lefts = (state: CounterState, asked: readonly Asked[], nowMs: number): Promise<number[]> =>
  Promise.all(asked.map(({ spec }, i) => remaining(state, spec, nowMs, { scope: scopeOf(i) })));

const isAllowed = ({ allowed }: LimitOutcome): boolean => allowed;

export function chargesContract(create: Create, effort: Effort): void {
  describe('several charges at once', () => {
    allOrNone(create);
    refusals(create);
    properties(create, effort);
  });
}

function allOrNone(create: Create): void {
  const all = ONE_OF_EACH.map((spec) => ({ spec, cost: 3 }));

  it('are charged all where all admit, and told in their order', async () => {
    const state = await create();
    const costs = all.map(({ spec }, i) => ({ spec, cost: i + 1 }));
    const outcomes = await state.charge(chargesOf(costs, START), START);
    assert.deepEqual(outcomes.map(isAllowed), [true, true, true, true]);
    assert.deepEqual(
      outcomes.map((outcome) => outcome.remaining),
      [9, 8, 7, 6],
    );
    assert.deepEqual(await lefts(state, all, START), [9, 8, 7, 6]);
  });

  for (const refusing of [[0], [3], [1, 2], [0, 3], [0, 1, 2, 3]]) {
    it(`are charged none where ${refusing.join(' and ')} of 0 to 3 refuse, and each is told as asked alone`, async () => {
      const [state, twin] = [await create(), await create()];
      const full = refusing.map((i) => chargeOf(ONE_OF_EACH[i], START, { scope: scopeOf(i), cost: 9 }));
      for (const each of [state, twin]) assert.ok((await each.charge(full, START)).every(isAllowed));
      const before = await lefts(state, all, START);
      const charges = chargesOf(all, START);
      const outcomes = await state.charge(charges, START);
      assert.deepEqual(
        outcomes.map(isAllowed),
        all.map((_, i) => !refusing.includes(i)),
      );
      assert.deepEqual(await lefts(state, all, START), before);
      const alone: LimitOutcome[] = [];
      for (const charge of charges) alone.push(await chargeOne(twin, charge, START));
      assert.deepEqual(outcomes, alone);
    });
  }

  it('leave no trace of a refused attempt, however often it is made', async () => {
    const state = await create();
    const [first, second] = [START, START + 1];
    const full = { scope: scopeOf(3), cost: 10 };
    await state.charge([chargeOf(ONE_OF_EACH[3], first, full)], first);
    // The clocks of two threads differ: what is not charged may not depend on which of them asks.
    for (let i = 0; i < 100; i++) {
      const nowMs = i % 2 === 0 ? second : first;
      assert.ok(!(await state.charge(chargesOf(all, nowMs), nowMs)).every(isAllowed));
    }
    assert.deepEqual(await lefts(state, all, second), [10, 10, 10, 0]);
  });

  it('are none, or many', async () => {
    const state = await create();
    assert.deepEqual(await state.charge([], START), []);
    const many = Array.from({ length: 40 }, (_, i) => ({ spec: ONE_OF_EACH[i % 4], cost: 1 }));
    assert.ok((await state.charge(chargesOf(many, START), START)).every(isAllowed));
    assert.deepEqual(new Set(await lefts(state, many, START)), new Set([9]));
  });

  it('may ask of one counter while they charge another', async () => {
    const state = await create();
    const asked = all.map(({ spec }, i) => ({ spec, cost: i === 0 ? 1 : 0 }));
    const outcomes = await state.charge(chargesOf(asked, START), START);
    assert.ok(outcomes.every(isAllowed));
    assert.deepEqual(await lefts(state, all, START), [9, 10, 10, 10]);
  });

  it('tell the keys of one scope apart', async () => {
    const state = await create();
    for (const spec of ONE_OF_EACH) {
      const charges = ['a', 'b', 'c'].map((key, i) => chargeOf(spec, START, { key, cost: i + 1 }));
      assert.ok((await state.charge(charges, START)).every(isAllowed));
      assert.deepEqual(
        await Promise.all(['a', 'b', 'c', 'd'].map((key) => remaining(state, spec, START, { key }))),
        [9, 8, 7, 10],
      );
    }
  });

  it('are the counters that are charged one at a time', async () => {
    const state = await create();
    const [gcra, sliding] = ONE_OF_EACH;
    assert.ok(gcra.kind === 'gcra' && sliding.kind === 'sliding-window');
    await state.charge([chargeOf(gcra, START, { cost: 4 }), chargeOf(sliding, START, { cost: 5 })], START);
    assert.equal((await state.gcra(chargeOf(gcra, START).scope, 'k', gcra, 1, START)).remaining, 5);
    assert.equal(
      (await state.slidingWindow(chargeOf(gcra, START).scope, 'k', sliding, 1, START)).remaining,
      4,
    );
  });
}

function refusals(create: Create): void {
  const good = chargeOf(ONE_OF_EACH[0], START);
  const fixed = chargeOf(ONE_OF_EACH[2], START);
  const quota = chargeOf(ONE_OF_EACH[3], START);
  assert.ok(fixed.kind === 'fixed-window' && quota.kind === 'quota');
  const bad: readonly (readonly [string, Charge])[] = [
    ['a negative cost', { ...good, cost: -1 }],
    ['a fractional cost', { ...good, cost: 0.5 }],
    ['a cost that is no number', { ...quota, cost: Number.NaN }],
    ['a limit of 0', { ...fixed, rule: { ...fixed.rule, limit: 0 } }],
    ['a fractional limit', { ...quota, rule: { ...quota.rule, limit: 1.5 } }],
    ['a window that ends as it begins', { ...fixed, rule: { ...fixed.rule, endMs: fixed.rule.startMs } }],
    ['a window without an end', { ...fixed, rule: { ...fixed.rule, endMs: Number.POSITIVE_INFINITY } }],
    ['a window that began before the epoch', { ...quota, rule: { ...quota.rule, startMs: -1 } }],
    ['less than nothing carried over', { ...quota, rule: { ...quota.rule, carryOver: -1 } }],
    ['more than can be counted', { ...quota, rule: { ...quota.rule, limit: 2 ** 52 + 2 } }],
    ['a rate of 0', chargeOf({ kind: 'gcra', limit: 0, windowMs: 1000, burst: 1 }, START)],
    ['a sliding window of 0', { ...good, kind: 'sliding-window', rule: { limit: 1, windowMs: 0 } }],
  ];
  for (const [what, charge] of bad) {
    it(`throw at ${what}, and charge none`, async () => {
      const state = await create();
      const others = [chargeOf(ONE_OF_EACH[1], START, { scope: 'a' }), charge, fixed];
      await assert.rejects(async () => state.charge(others, START), { name: 'InternalError' });
      await assert.rejects(async () => state.refund(others, START, START), { name: 'InternalError' });
      assert.equal(await remaining(state, ONE_OF_EACH[1], START, { scope: 'a' }), 10);
      assert.equal(await remaining(state, ONE_OF_EACH[2], START), 10);
      assert.equal((await chargeOne(state, good, START)).remaining, 9);
    });
  }

  for (const nowMs of [Number.NaN, -1, Number.POSITIVE_INFINITY]) {
    it(`throw at the time ${nowMs}`, async () => {
      const state = await create();
      await assert.rejects(async () => state.charge([good], nowMs), { name: 'InternalError' });
      await assert.rejects(async () => state.refund([good], nowMs, START), { name: 'InternalError' });
      await assert.rejects(async () => state.refund([good], START, nowMs), { name: 'InternalError' });
    });
  }
}

/** Counters of any kind, and rounds of charges to them with the time between, in thousandths of a second. */
const scripts = fc.array(specs, { minLength: 1, maxLength: 5 }).chain((counters) =>
  fc.record({
    counters: fc.constant(counters),
    rounds: fc.array(
      fc.record({
        step: fc.oneof(fc.nat({ max: 20 }), fc.constant(0), fc.nat({ max: 3000 })),
        costs: fc.array(fc.constantFrom(0, 1, 1, 1, 2, 5, 12), {
          minLength: counters.length,
          maxLength: counters.length,
        }),
      }),
      { minLength: 1, maxLength: 40 },
    ),
  }),
);

/** A wait so long that what was to be carried over may have been forgotten. */
const isTooLong = (asked: readonly Asked[], waitMs: number): boolean =>
  asked.some(({ spec, cost }) => cost > spec.limit && waitMs > spec.windowMs);

function properties(create: Create, effort: Effort): void {
  it('are charged all or none, each admitted while its counter has so much left', async () => {
    await fc.assert(
      fc.asyncProperty(scripts, async ({ counters, rounds }) => {
        const state = await create();
        let nowMs = START;
        for (const { step, costs } of rounds) {
          nowMs += step;
          const asked = counters.map((spec, i) => ({ spec, cost: costs[i] }));
          const before = await lefts(state, asked, nowMs);
          const outcomes = await state.charge(chargesOf(asked, nowMs), nowMs);
          assert.deepEqual(
            outcomes.map(isAllowed),
            costs.map((cost, i) => cost <= before[i]),
          );
          const isCharged = outcomes.every(isAllowed);
          assert.deepEqual(
            await lefts(state, asked, nowMs),
            before.map((left, i) => left - (isCharged ? costs[i] : 0)),
          );
        }
      }),
      { numRuns: runsOf(200, effort) },
    );
  });

  it('get through after the longest wait they are told, and not a millisecond earlier', async () => {
    await fc.assert(
      fc.asyncProperty(scripts, async ({ counters, rounds }) => {
        const state = await create();
        let nowMs = START;
        for (const { step, costs } of rounds) {
          nowMs += step;
          const asked = counters.map((spec, i) => ({ spec, cost: costs[i] }));
          const told = await state.charge(chargesOf(asked, nowMs), nowMs);
          const waitMs = Math.max(...told.map((outcome) => outcome.retryAfterMs));
          assert.equal(waitMs === 0, told.every(isAllowed));
          if (waitMs === 0 || !Number.isFinite(waitMs) || isTooLong(asked, waitMs)) continue;
          nowMs += waitMs;
          const early = await state.charge(chargesOf(asked, nowMs - 1), nowMs - 1);
          assert.equal(early.every(isAllowed), false, 'one millisecond early');
          const then = await state.charge(chargesOf(asked, nowMs), nowMs);
          assert.ok(then.every(isAllowed), 'after the wait');
        }
      }),
      { numRuns: runsOf(200, effort) },
    );
  });

  it('told that no wait helps, get through after none', async () => {
    await fc.assert(
      fc.asyncProperty(
        specs,
        fc.integer({ min: 1, max: 60 }),
        fc.nat({ max: 200_000 }),
        async (spec, cost, waitMs) => {
          const state = await create();
          const outcome = await chargeOne(state, chargeOf(spec, START, { cost }), START);
          if (Number.isFinite(outcome.retryAfterMs)) return;
          const later = START + waitMs;
          assert.equal((await chargeOne(state, chargeOf(spec, later, { cost }), later)).allowed, false);
        },
      ),
      { numRuns: runsOf(100, effort) },
    );
  });
}
