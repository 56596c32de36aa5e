/** What counters must do with many callers at the same time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { CounterState } from '../../../src/contract/index.ts';
import {
  type Create,
  chargeOf,
  type Effort,
  mostAtOnce,
  remaining,
  runsOf,
  SCOPE,
  START,
  specs,
} from './counters.ts';

/** What a caller does in turn: charges some of the counters, and perhaps gives it back. */
const acts = fc.record({
  /** Bits: which of the counters. */
  which: fc.integer({ min: 1, max: 7 }),
  cost: fc.constantFrom(1, 1, 2, 5),
  isRefunded: fc.boolean(),
});
const callers = fc.array(fc.array(acts, { minLength: 1, maxLength: 8 }), { minLength: 2, maxLength: 6 });

const scopeOf = (i: number): string => `limit ${i}`;

export function callersContract(create: Create, effort: Effort): void {
  describe('callers at the same time', () => {
    it('get as much as the rule admits, and not one more, however their requests interleave', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          specs,
          fc.integer({ min: 2, max: 8 }),
          async (turns, spec, count) => {
            const state = await create();
            let admitted = 0;
            const caller = async () => {
              for (let n = 0; n < 8; n++) {
                await turns.schedule(Promise.resolve());
                const [{ allowed }] = await state.charge([chargeOf(spec, START)], START);
                if (allowed) admitted++;
              }
            };
            await turns.waitFor(Promise.all(Array.from({ length: count }, caller)));
            assert.equal(admitted, Math.min(mostAtOnce(spec), count * 8));
          },
        ),
        { numRuns: runsOf(100, effort) },
      );
    });

    it('leave behind what they were admitted and kept, and no more, in every counter', async () => {
      const counters = fc.tuple(specs, specs, specs);
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), counters, callers, async (turns, counters, callers) => {
          const state = await create();
          const kept = [0, 0, 0];
          const caller = async (todo: (typeof callers)[number]) => {
            for (const { which, cost, isRefunded } of todo) {
              const places = [0, 1, 2].filter((i) => which & (1 << i));
              const charges = places.map((i) => chargeOf(counters[i], START, { scope: scopeOf(i), cost }));
              await turns.schedule(Promise.resolve());
              const outcomes = await state.charge(charges, START);
              if (!outcomes.every(({ allowed }) => allowed)) continue;
              for (const i of places) kept[i] += cost;
              await turns.schedule(Promise.resolve());
              if (!isRefunded) continue;
              await state.refund(charges, START, START);
              for (const i of places) kept[i] -= cost;
            }
          };
          await turns.waitFor(Promise.all(callers.map(caller)));
          for (const [i, spec] of counters.entries()) {
            const left = await remaining(state, spec, START, { scope: scopeOf(i) });
            assert.equal(left, mostAtOnce(spec) - kept[i]);
          }
        }),
        { numRuns: runsOf(200, effort) },
      );
    });

    it('add up to the sum of what each added', async () => {
      const state = await create();
      const adding = Array.from({ length: 50 }, (_, i) => add(state, i));
      assert.equal(Math.max(...(await Promise.all(adding))), (49 * 50) / 2);
    });
  });
}

const add = async (state: CounterState, amount: number): Promise<number> =>
  (await state.tally(SCOPE, 'k', { windowMs: 60_000 }, amount, START)).sum;
