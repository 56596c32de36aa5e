import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { CELLS_PER_KEY } from './cells.ts';
import { addGcra, askGcra, chargeGcra } from './gcra.ts';

const START = 1_700_000_000_000;

const rules = fc.record({
  limit: fc.integer({ min: 1, max: 50 }),
  windowMs: fc.integer({ min: 1, max: 5000 }),
  burst: fc.integer({ min: 1, max: 50 }),
});
/** What is asked for, and how much later: clocks are set back too. */
const asks = fc.array(
  fc.record({ cost: fc.integer({ min: 0, max: 60 }), afterMs: fc.integer({ min: -9000, max: 9000 }) }),
  { minLength: 1, maxLength: 40 },
);

it('to charge a counter alone is to ask it and then to add what it admits', () => {
  fc.assert(
    fc.property(rules, asks, (rule, list) => {
      const together = new Float64Array(2 * CELLS_PER_KEY);
      const apart = new Float64Array(2 * CELLS_PER_KEY);
      let nowMs = START;
      for (const { cost, afterMs } of list) {
        nowMs += afterMs;
        const outcome = askGcra(apart, CELLS_PER_KEY, rule, cost, nowMs);
        if (outcome.allowed) addGcra(apart, CELLS_PER_KEY, rule, cost);
        assert.deepEqual(chargeGcra(together, CELLS_PER_KEY, rule, cost, nowMs), outcome);
        assert.deepEqual(together, apart);
      }
    }),
  );
});
