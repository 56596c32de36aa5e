/** What counters must do with sums. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { SumRule } from '../../../src/contract/index.ts';
import { type Create, type Effort, runsOf, SCOPE, START } from './counters.ts';

const WINDOW_MS = 1000;
const RULE: SumRule = { windowMs: WINDOW_MS };

interface Step {
  readonly at: number;
  readonly add: number;
  readonly is: number;
}
interface Case {
  readonly name: string;
  readonly steps: readonly Step[];
}

const cases: readonly Case[] = [
  {
    name: 'adds up within a window, fractions too, and 0 only asks',
    steps: [
      { at: 0, add: 0, is: 0 },
      { at: 0, add: 2, is: 2 },
      { at: 500, add: 0.5, is: 2.5 },
      { at: 999, add: 0, is: 2.5 },
    ],
  },
  {
    name: 'weighs the window before by what still lies within the last one, and forgets what lies before that',
    steps: [
      { at: 0, add: 8, is: 8 },
      { at: 1000, add: 0, is: 8 },
      { at: 1250, add: 1, is: 7 },
      { at: 1750, add: 0, is: 3 },
      { at: 2000, add: 0, is: 1 },
      { at: 2500, add: 0, is: 0.5 },
      { at: 3000, add: 0, is: 0 },
    ],
  },
  {
    name: 'forgets a window when the next but one begins, whether somebody asked meanwhile or nobody',
    steps: [
      { at: 999, add: 1000, is: 1000 },
      { at: 2000, add: 1, is: 1 },
    ],
  },
  {
    name: 'loses nothing to a clock that is set back by no more than a window, and counts nothing twice',
    steps: [
      { at: 1000, add: 4, is: 4 },
      { at: 500, add: 4, is: 8 },
      { at: 1500, add: 0, is: 8 },
      { at: 2500, add: 0, is: 4 },
    ],
  },
  {
    name: 'keeps its sum when the clock is set back by hours, and loses it by that clock',
    steps: [
      { at: 36_000_000, add: 4, is: 4 },
      { at: 0, add: 0, is: 4 },
      { at: 1500, add: 0, is: 2 },
      { at: 2000, add: 0, is: 0 },
    ],
  },
];

export function sumsContract(create: Create, effort: Effort): void {
  describe('a sum', () => {
    for (const { name, steps } of cases) {
      it(name, async () => {
        const state = await create();
        for (const [i, { at, add, is }] of steps.entries())
          assert.deepEqual(await state.tally(SCOPE, 'k', RULE, add, START + at), { sum: is }, `step ${i}`);
      });
    }

    it('is one for each scope, key and length, and no other counter', async () => {
      const state = await create();
      const add = async (scope: string, key: string, windowMs: number, amount: number) =>
        (await state.tally(scope, key, { windowMs }, amount, START)).sum;
      assert.equal(await add(SCOPE, 'k', WINDOW_MS, 5), 5);
      assert.equal(await add(SCOPE, 'other', WINDOW_MS, 1), 1);
      assert.equal(await add(`${SCOPE}2`, 'k', WINDOW_MS, 1), 1);
      assert.equal(await add(SCOPE, 'k', 2 * WINDOW_MS, 1), 1);
      assert.equal(
        (await state.slidingWindow(SCOPE, 'k', { limit: 1, windowMs: WINDOW_MS }, 1, START)).allowed,
        true,
      );
      assert.equal(await add(SCOPE, 'k', WINDOW_MS, 1), 6);
    });

    it('is the same whatever is to be done when counters are lost', async () => {
      const state = await create();
      for (const [i, onLoss] of (['local', 'open', 'closed', undefined] as const).entries())
        assert.deepEqual(await state.tally(SCOPE, 'k', { ...RULE, onLoss }, 1, START), { sum: i + 1 });
    });

    const bad: readonly (readonly [string, number, number, number])[] = [
      ['an amount below 0', WINDOW_MS, -1, START],
      ['an amount that is no number', WINDOW_MS, Number.NaN, START],
      ['an endless amount', WINDOW_MS, Number.POSITIVE_INFINITY, START],
      ['a time that is no number', WINDOW_MS, 1, Number.NaN],
      ['a window of 0', 0, 1, START],
      ['a window that is no whole number', 0.5, 1, START],
    ];
    for (const [what, windowMs, amount, nowMs] of bad) {
      it(`throws at ${what}, and still counts after it`, async () => {
        const state = await create();
        await assert.rejects(async () => state.tally(SCOPE, 'k', { windowMs }, amount, nowMs), {
          name: 'InternalError',
        });
        assert.equal((await state.tally(SCOPE, 'k', RULE, 1, START)).sum, 1);
      });
    }

    it('is never under what was added since its window began, nor over what was added in the last two', async () => {
      const added = fc.array(fc.record({ step: fc.nat({ max: 1500 }), amount: fc.nat({ max: 9 }) }), {
        minLength: 1,
        maxLength: 40,
      });
      await fc.assert(
        fc.asyncProperty(added, async (steps) => {
          const state = await create();
          const log: { atMs: number; amount: number }[] = [];
          let nowMs = START;
          for (const { step, amount } of steps) {
            nowMs += step;
            log.push({ atMs: nowMs, amount });
            const { sum } = await state.tally(SCOPE, 'k', RULE, amount, nowMs);
            const startMs = nowMs - (nowMs % WINDOW_MS);
            const since = (fromMs: number) =>
              log.reduce((total, entry) => (entry.atMs >= fromMs ? total + entry.amount : total), 0);
            assert.ok(sum >= since(startMs) && sum <= since(startMs - WINDOW_MS), `${sum}`);
          }
        }),
        { numRuns: runsOf(100, effort) },
      );
    });
  });
}
