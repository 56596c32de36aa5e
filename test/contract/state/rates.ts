/** What counters must do with one rate at a time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Awaitable, CounterState, GcraRule, LimitOutcome } from '../../../src/contract/index.ts';
import { type Create, type Effort, runsOf, SCOPE, START } from './counters.ts';

type Outcome = Partial<LimitOutcome>;
/** At `at` ms after the start, `times` requests of `cost`, the last with this outcome, all alike in `allowed`. */
interface Step {
  readonly at: number;
  readonly times?: number;
  readonly cost?: number;
  readonly is: Outcome;
}
/** GCRA with a burst, a sliding window without. */
interface Rule {
  readonly limit: number;
  readonly windowMs: number;
  readonly burst?: number | undefined;
}
interface Case {
  readonly name: string;
  readonly rule: Rule;
  readonly steps: readonly Step[];
}

const cases: readonly Case[] = [
  {
    name: 'gcra admits a burst, then one per emission interval',
    rule: { limit: 60, windowMs: 60_000, burst: 3 },
    steps: [
      { at: 0, times: 3, is: { allowed: true, remaining: 0, retryAfterMs: 0, resetMs: 3000 } },
      { at: 0, is: { allowed: false, remaining: 0, retryAfterMs: 1000, resetMs: 3000 } },
      { at: 999, is: { allowed: false, retryAfterMs: 1 } },
      { at: 1000, is: { allowed: true, remaining: 0, resetMs: 3000 } },
      { at: 1000, is: { allowed: false, retryAfterMs: 1000 } },
      { at: 3500, times: 2, is: { allowed: true, remaining: 0 } },
      { at: 3500, is: { allowed: false, retryAfterMs: 500 } },
      { at: 60_000, is: { allowed: true, remaining: 2, resetMs: 1000 } },
    ],
  },
  {
    name: 'gcra is exact where the interval is no whole number of milliseconds',
    rule: { limit: 7, windowMs: 1000, burst: 7 },
    steps: [
      { at: 0, times: 7, is: { allowed: true, remaining: 0, resetMs: 1000 } },
      { at: 0, is: { allowed: false, retryAfterMs: 143 } },
      { at: 142, is: { allowed: false, retryAfterMs: 1 } },
      { at: 143, is: { allowed: true, remaining: 0 } },
      { at: 285, is: { allowed: false, retryAfterMs: 1 } },
      { at: 286, is: { allowed: true } },
      { at: 999, times: 4, is: { allowed: true } },
      { at: 999, is: { allowed: false, retryAfterMs: 1 } },
      { at: 1000, is: { allowed: true } },
    ],
  },
  {
    name: 'gcra charges a cost as a whole or not at all',
    rule: { limit: 10, windowMs: 10_000, burst: 10 },
    steps: [
      { at: 0, cost: 8, is: { allowed: true, remaining: 2 } },
      { at: 0, cost: 3, is: { allowed: false, remaining: 2, retryAfterMs: 1000 } },
      { at: 0, cost: 2, is: { allowed: true, remaining: 0 } },
      { at: 0, cost: 0, is: { allowed: true, remaining: 0 } },
      { at: 0, cost: 11, is: { allowed: false, retryAfterMs: Number.POSITIVE_INFINITY } },
    ],
  },
  {
    name: 'gcra survives a clock set back within the window: nothing more admitted, waits honest',
    rule: { limit: 60, windowMs: 60_000, burst: 2 },
    steps: [
      { at: 5000, times: 2, is: { allowed: true } },
      { at: 0, is: { allowed: false, retryAfterMs: 6000, resetMs: 7000 } },
      { at: 5999, is: { allowed: false, retryAfterMs: 1 } },
      { at: 6000, is: { allowed: true } },
    ],
  },
  {
    name: 'gcra survives a clock set back by hours: at most one window is lost, nothing more admitted',
    rule: { limit: 60, windowMs: 60_000, burst: 60 },
    steps: [
      { at: 36_000_000, times: 60, is: { allowed: true } },
      { at: 0, is: { allowed: false, retryAfterMs: 1000 } },
      { at: 1000, is: { allowed: true } },
      { at: 1000, is: { allowed: false, retryAfterMs: 1000 } },
      { at: 61_000, times: 60, is: { allowed: true, remaining: 0 } },
    ],
  },
  {
    name: 'sliding window weighs the window before',
    rule: { limit: 10, windowMs: 1000 },
    steps: [
      { at: 0, times: 10, is: { allowed: true, remaining: 0, retryAfterMs: 0, resetMs: 2000 } },
      { at: 500, is: { allowed: false, remaining: 0, retryAfterMs: 600, resetMs: 1500 } },
      { at: 1000, is: { allowed: false, retryAfterMs: 100 } },
      { at: 1099, is: { allowed: false, retryAfterMs: 1 } },
      { at: 1100, is: { allowed: true, remaining: 0 } },
      { at: 1500, times: 4, is: { allowed: true, remaining: 0 } },
      { at: 1500, is: { allowed: false, retryAfterMs: 100 } },
      { at: 4000, times: 10, is: { allowed: true } },
      { at: 4000, is: { allowed: false } },
    ],
  },
  {
    name: 'sliding window charges a cost as a whole or not at all',
    rule: { limit: 10, windowMs: 1000 },
    steps: [
      { at: 0, cost: 8, is: { allowed: true, remaining: 2 } },
      { at: 0, cost: 3, is: { allowed: false, remaining: 2, retryAfterMs: 1125 } },
      { at: 0, cost: 10, is: { allowed: false, retryAfterMs: 2000 } },
      { at: 0, cost: 11, is: { allowed: false, retryAfterMs: Number.POSITIVE_INFINITY } },
      { at: 0, cost: 0, is: { allowed: true, remaining: 2 } },
    ],
  },
  {
    name: 'sliding window survives a clock set back within the window',
    rule: { limit: 2, windowMs: 1000 },
    steps: [
      { at: 1000, times: 2, is: { allowed: true } },
      { at: 900, is: { allowed: false, retryAfterMs: 1600 } },
      { at: 2500, is: { allowed: true } },
    ],
  },
  {
    name: 'sliding window survives a clock set back by hours',
    rule: { limit: 2, windowMs: 1000 },
    steps: [
      { at: 36_000_000, times: 2, is: { allowed: true } },
      { at: 0, is: { allowed: false, retryAfterMs: 1500 } },
      { at: 1500, is: { allowed: true } },
      { at: 1500, is: { allowed: false } },
    ],
  },
];

const use = (state: CounterState, rule: Rule, cost: number, nowMs: number, key = 'k') =>
  rule.burst === undefined
    ? state.slidingWindow(SCOPE, key, rule, cost, nowMs)
    : state.gcra(SCOPE, key, { ...rule, burst: rule.burst }, cost, nowMs);

export function ratesContract(create: Create, effort: Effort): void {
  describe('one rate at a time', () => {
    for (const { name: title, rule, steps } of cases)
      it(title, async () => runCase(await create(), rule, steps));
    apartness(create);
    refusals(create);
    properties(create, effort);
  });
}

async function runCase(state: CounterState, rule: Rule, steps: readonly Step[]): Promise<void> {
  for (const [i, { at, times = 1, cost = 1, is }] of steps.entries()) {
    let outcome: LimitOutcome | undefined;
    for (let n = 0; n < times; n++) {
      outcome = await use(state, rule, cost, START + at);
      assert.equal(outcome.allowed, is.allowed, `step ${i}, request ${n}`);
    }
    assert.deepEqual({ ...outcome, ...is }, outcome, `step ${i}`);
  }
}

function apartness(create: Create): void {
  const rule: GcraRule = { limit: 1, windowMs: 60_000, burst: 1 };
  const others: readonly (readonly [string, (state: CounterState) => Awaitable<LimitOutcome>])[] = [
    ['another key', (state) => state.gcra(SCOPE, 'k2', rule, 1, START)],
    ['an empty key', (state) => state.gcra(SCOPE, '', rule, 1, START)],
    ['a key that goes on', (state) => state.gcra(SCOPE, 'k\0', rule, 1, START)],
    ['a key of other units with the same low bytes', (state) => state.gcra(SCOPE, '\u016b', rule, 1, START)],
    ['a lone surrogate', (state) => state.gcra(SCOPE, '\ud800', rule, 1, START)],
    ['another lone surrogate', (state) => state.gcra(SCOPE, '\udfff', rule, 1, START)],
    ['a very long key', (state) => state.gcra(SCOPE, 'k'.repeat(100_000), rule, 1, START)],
    ['another scope', (state) => state.gcra(`${SCOPE}2`, 'k', rule, 1, START)],
    ['scope and key cut elsewhere', (state) => state.gcra(SCOPE.slice(0, -1), 'tk', rule, 1, START)],
    ['another algorithm', (state) => state.slidingWindow(SCOPE, 'k', rule, 1, START)],
    ['another rule', (state) => state.gcra(SCOPE, 'k', { ...rule, windowMs: 30_000 }, 1, START)],
  ];
  it('never counts one key for another', async () => {
    const state = await create();
    assert.equal((await state.gcra(SCOPE, 'k', rule, 1, START)).allowed, true);
    for (const [what, ask] of others) {
      assert.equal((await ask(state)).allowed, true, what);
      assert.equal((await ask(state)).allowed, false, `${what}, again`);
    }
    assert.equal((await state.gcra(SCOPE, 'k', rule, 1, START)).allowed, false);
  });
}

function refusals(create: Create): void {
  const good: GcraRule = { limit: 1, windowMs: 1000, burst: 1 };
  const bad: readonly (readonly [string, GcraRule, number, number])[] = [
    ['a negative cost', good, -1, START],
    ['a fractional cost', good, 0.5, START],
    ['a cost that is no number', good, Number.NaN, START],
    ['a time that is no number', good, 1, Number.NaN],
    ['a time before the epoch', good, 1, -1],
    ['an endless time', good, 1, Number.POSITIVE_INFINITY],
    ['a limit of 0', { ...good, limit: 0 }, 1, START],
    ['a window of 0', { ...good, windowMs: 0 }, 1, START],
    ['a fractional window', { ...good, windowMs: 0.5 }, 1, START],
    ['a burst of 0', { ...good, burst: 0 }, 1, START],
    ['a rule beyond exact numbers', { limit: 2 ** 40, windowMs: 2 ** 20, burst: 1 }, 1, START],
  ];
  for (const [what, rule, cost, nowMs] of bad) {
    it(`throws at ${what}, and still counts after it`, async () => {
      const state = await create();
      await assert.rejects(async () => state.gcra(SCOPE, 'k', rule, cost, nowMs), { name: 'InternalError' });
      await assert.rejects(
        async () => state.slidingWindow(SCOPE, 'k', { ...rule, limit: rule.burst * rule.limit }, cost, nowMs),
        { name: 'InternalError' },
      );
      assert.equal((await state.gcra(SCOPE, 'k', good, 1, START)).allowed, true);
    });
  }

  it('takes a time between two milliseconds for the earlier one', async () => {
    const state = await create();
    assert.equal((await state.gcra(SCOPE, 'k', good, 1, START + 0.9)).allowed, true);
    const refused = await state.gcra(SCOPE, 'k', good, 1, START + 0.95);
    assert.equal(refused.retryAfterMs, 1000);
    assert.equal((await state.gcra(SCOPE, 'k', good, 1, START + 0.95 + 1000)).allowed, true);
  });
}

const rules = fc.record({
  limit: fc.integer({ min: 1, max: 20 }),
  windowMs: fc.constantFrom(1, 7, 100, 1000, 60_000),
  burst: fc.option(fc.integer({ min: 1, max: 25 }), { nil: undefined }),
});
/** Steps of time as thousandths of the window, mostly small; sometimes a little back, as between threads. */
const requests = fc.array(
  fc.record({
    step: fc.oneof(fc.nat({ max: 60 }), fc.constant(0), fc.integer({ min: -100, max: 3000 })),
    cost: fc.constantFrom(1, 1, 1, 2, 5),
  }),
  { minLength: 1, maxLength: 120 },
);

/** The first request comes at the very end of the window before, the rest in the next one. */
const BEFORE_THE_WINDOW: [Rule, { step: number; cost: number }[]] = [
  { limit: 3, windowMs: 1000 },
  [
    { step: -1, cost: 1 },
    { step: 0, cost: 2 },
    { step: 22, cost: 1 },
    { step: 255, cost: 1 },
    { step: 58, cost: 1 },
  ],
];

interface Admission {
  /** The latest time any request had shown by then. */
  readonly atMs: number;
  readonly cost: number;
}

function properties(create: Create, effort: Effort): void {
  const play = async (state: CounterState, rule: Rule, asked: readonly { step: number; cost: number }[]) => {
    const admitted: Admission[] = [];
    let nowMs = START;
    let latestMs = 0; // No time was shown yet: the first request may come before START.
    for (const { step, cost } of asked) {
      nowMs = Math.max(nowMs + Math.round((step * rule.windowMs) / 1000), latestMs - rule.windowMs);
      latestMs = Math.max(latestMs, nowMs);
      const { allowed } = await use(state, rule, cost, nowMs);
      if (allowed) admitted.push({ atMs: latestMs, cost });
    }
    return { admitted, latestMs };
  };
  const most = (admitted: readonly Admission[], windowMs: number): number =>
    Math.max(0, ...admitted.map(({ atMs }) => within(admitted, atMs, atMs + windowMs)));

  it('no stretch of a window admits more than the rule says', async () => {
    await fc.assert(
      fc.asyncProperty(rules, requests, async (rule, asked) => {
        const { admitted } = await play(await create(), rule, asked);
        if (rule.burst !== undefined) {
          assert.ok(most(admitted, rule.windowMs) <= rule.limit + rule.burst);
          assert.ok(most(admitted, 1) <= rule.burst);
          return;
        }
        assert.ok(most(admitted, rule.windowMs) < 2 * rule.limit || rule.limit === 1);
        for (const { atMs } of admitted) {
          const startMs = atMs - (atMs % rule.windowMs);
          assert.ok(within(admitted, startMs, startMs + rule.windowMs) <= rule.limit);
        }
      }),
      { numRuns: runsOf(400, effort), examples: [BEFORE_THE_WINDOW] },
    );
  });

  it('a refused client gets through after retryAfterMs, and not a millisecond earlier', async () => {
    await fc.assert(
      fc.asyncProperty(rules, requests, fc.integer({ min: 1, max: 5 }), async (rule, asked, cost) => {
        const state = await create();
        const { latestMs } = await play(state, rule, asked);
        const refused = await use(state, rule, cost, latestMs);
        if (refused.allowed || cost > (rule.burst ?? rule.limit)) return;
        assert.ok(refused.retryAfterMs >= 1);
        const early = await use(state, rule, cost, latestMs + refused.retryAfterMs - 1);
        assert.equal(early.allowed, false, 'one millisecond early');
        assert.equal((await use(state, rule, cost, latestMs + refused.retryAfterMs)).allowed, true);
      }),
      { numRuns: runsOf(400, effort) },
    );
  });

  it('remaining is what is admitted, and after resetMs a key is as good as new', async () => {
    await fc.assert(
      fc.asyncProperty(rules, requests, async (rule, asked) => {
        const state = await create();
        const { latestMs } = await play(state, rule, asked);
        const { remaining, resetMs } = await use(state, rule, 0, latestMs);
        const fresh = await use(state, rule, 0, latestMs + resetMs);
        assert.equal(fresh.remaining, rule.burst ?? rule.limit);
        const again = await create();
        await play(again, rule, asked);
        for (let n = 0; n < remaining; n++) assert.equal((await use(again, rule, 1, latestMs)).allowed, true);
        assert.equal((await use(again, rule, 1, latestMs)).allowed, false);
      }),
      { numRuns: runsOf(200, effort) },
    );
  });
}

const within = (admitted: readonly Admission[], fromMs: number, toMs: number): number =>
  admitted.reduce((sum, { atMs, cost }) => (atMs >= fromMs && atMs < toMs ? sum + cost : sum), 0);
