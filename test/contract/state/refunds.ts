/** What counters must do with what is given back. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Charge } from '../../../src/contract/index.ts';
import {
  type Create,
  chargeOf,
  type Effort,
  ONE_OF_EACH,
  remaining,
  runsOf,
  type Spec,
  START,
  specs,
} from './counters.ts';

interface Case {
  readonly name: string;
  readonly spec: Spec;
  /** Charged at this millisecond, this much. */
  readonly charges: readonly { readonly at: number; readonly cost: number }[];
  /** Which of them is given back, and when. */
  readonly refund: { readonly of: number; readonly at: number };
  /** What is left at which time. */
  readonly left: readonly (readonly [at: number, left: number])[];
}

const [GCRA, SLIDING, FIXED, QUOTA] = ONE_OF_EACH;

const cases: readonly Case[] = [
  ...ONE_OF_EACH.map((spec) => ({
    name: `${spec.kind}: at once, is as if it had never been charged`,
    spec,
    charges: [
      { at: 0, cost: 3 },
      { at: 0, cost: 4 },
    ],
    refund: { of: 1, at: 0 },
    left: [[0, 7]] as const,
  })),
  {
    name: 'gcra: gives back only what time has not',
    spec: GCRA,
    charges: [
      { at: 0, cost: 10 },
      { at: 300, cost: 3 },
    ],
    refund: { of: 0, at: 400 },
    left: [
      [400, 7],
      [500, 8],
    ],
  },
  {
    name: 'gcra: gives back nothing that has drained',
    spec: GCRA,
    charges: [
      { at: 0, cost: 5 },
      { at: 600, cost: 8 },
    ],
    refund: { of: 0, at: 600 },
    left: [[600, 2]],
  },
  {
    name: 'gcra: a charge by a clock that was set back since is kept',
    spec: GCRA,
    charges: [{ at: 50_000, cost: 4 }],
    refund: { of: 0, at: 0 },
    left: [[0, 6]],
  },
  {
    name: 'sliding window: out of the window before',
    spec: SLIDING,
    charges: [
      { at: 500, cost: 8 },
      { at: 1500, cost: 2 },
    ],
    refund: { of: 0, at: 1500 },
    left: [[1500, 8]],
  },
  {
    name: 'sliding window: nothing out of windows before that',
    spec: SLIDING,
    charges: [
      { at: 500, cost: 8 },
      { at: 2500, cost: 2 },
    ],
    refund: { of: 0, at: 2500 },
    left: [[2500, 8]],
  },
  ...[FIXED, QUOTA].flatMap((spec) => [
    {
      name: `${spec.kind}: nothing out of a window that has ended`,
      spec,
      charges: [
        { at: 500, cost: 8 },
        { at: 1500, cost: 2 },
      ],
      refund: { of: 0, at: 1500 },
      left: [[1500, 8]] as const,
    },
    {
      name: `${spec.kind}: nothing out of one that ended long ago, and the current one goes on`,
      spec,
      charges: [
        { at: 500, cost: 8 },
        { at: 5500, cost: 2 },
      ],
      refund: { of: 0, at: 5500 },
      left: [[5500, 8]] as const,
    },
    {
      name: `${spec.kind}: a charge by a clock that was set back since is kept`,
      spec,
      charges: [
        { at: 50_000, cost: 8 },
        { at: 500, cost: 2 },
      ],
      refund: { of: 0, at: 500 },
      left: [[500, 8]] as const,
    },
  ]),
  {
    name: 'quota: what is given back is left over, and carried',
    spec: { kind: 'quota', limit: 10, windowMs: 1000, carryOver: 5 },
    charges: [
      { at: 0, cost: 8 },
      { at: 0, cost: 1 },
    ],
    refund: { of: 0, at: 999 },
    left: [
      [999, 9],
      [1000, 15],
    ],
  },
  {
    name: 'quota: who was given back all is as one who never came',
    spec: { kind: 'quota', limit: 10, windowMs: 1000, carryOver: 5 },
    charges: [{ at: 0, cost: 8 }],
    refund: { of: 0, at: 999 },
    left: [
      [999, 10],
      [1000, 10],
    ],
  },
  {
    name: 'quota: who came before and was given back all left it all',
    spec: { kind: 'quota', limit: 10, windowMs: 1000, carryOver: 5 },
    charges: [
      { at: 0, cost: 10 },
      { at: 1000, cost: 8 },
    ],
    refund: { of: 1, at: 1000 },
    left: [
      [1000, 10],
      [2000, 15],
    ],
  },
];

export function refundsContract(create: Create, effort: Effort): void {
  describe('what is given back', () => {
    for (const { name, spec, charges, refund, left } of cases) {
      it(name, async () => {
        const state = await create();
        const charged = charges.map(({ at, cost }) => chargeOf(spec, START + at, { cost }));
        for (const [i, { at }] of charges.entries())
          assert.ok((await state.charge([charged[i]], START + at))[0].allowed);
        await state.refund([charged[refund.of]], START + charges[refund.of].at, START + refund.at);
        for (const [at, expected] of left)
          assert.equal(await remaining(state, spec, START + at), expected, `at ${at}`);
      });
    }

    it('is nothing where nothing was charged', async () => {
      const state = await create();
      const never = ONE_OF_EACH.map((spec) => chargeOf(spec, START, { cost: 5 }));
      await state.refund(never, START, START);
      await state.refund([], START, START);
      for (const spec of ONE_OF_EACH) assert.equal(await remaining(state, spec, START), 10);
    });

    it('is of all charges that are named, and of no other key', async () => {
      const state = await create();
      const charges = ONE_OF_EACH.map((spec) => chargeOf(spec, START, { cost: 5 }));
      const others = ONE_OF_EACH.map((spec) => chargeOf(spec, START, { key: 'other', cost: 5 }));
      await state.charge([...charges, ...others], START);
      await state.refund(charges, START, START);
      for (const spec of ONE_OF_EACH) {
        assert.equal(await remaining(state, spec, START), 10);
        assert.equal(await remaining(state, spec, START, { key: 'other' }), 5);
      }
    });

    neverMore(create, effort);
  });
}

/** An admitted request: what it charged, when, and whether it was given back in the end. */
interface Admitted {
  readonly charges: readonly Charge[];
  readonly atMs: number;
  isRefunded: boolean;
}

/**
 * Who ever charged a quota that carries over is known, which earns it what the windows after it leave: no refund takes
 * that back. So all are known here from the start, and for as long as a script goes on.
 */
const remembered = specs.map((spec) =>
  spec.kind === 'quota' && spec.carryOver > 0 ? { ...spec, windowMs: 60_000 } : spec,
);

const scripts = fc.record({
  counters: fc.array(remembered, { minLength: 1, maxLength: 3 }),
  steps: fc.array(
    fc.record({
      /** Milliseconds; sometimes a little back, as between threads. */
      step: fc.oneof(fc.constant(0), fc.nat({ max: 300 }), fc.integer({ min: -1, max: 3000 })),
      cost: fc.constantFrom(1, 1, 2, 5),
      /** Gives back which of those admitted so far, or asks. */
      refund: fc.option(fc.nat({ max: 100 }), { nil: undefined, freq: 2 }),
    }),
    { minLength: 2, maxLength: 60 },
  ),
});

function neverMore(create: Create, effort: Effort): void {
  it('never admits more than if it had never been charged', async () => {
    await fc.assert(
      fc.asyncProperty(scripts, async ({ counters, steps }) => {
        const state = await create();
        const first = counters.map((spec, i) => chargeOf(spec, START, { scope: `limit ${i}` }));
        await state.charge(first, START);
        const admitted: Admitted[] = [{ charges: first, atMs: START, isRefunded: false }];
        let [nowMs, latestMs] = [START, START];
        for (const { step, cost, refund } of steps) {
          // No further back than the shortest window: a clock that is set back is believed then.
          nowMs = Math.max(nowMs + step, latestMs - 1);
          latestMs = Math.max(nowMs, latestMs);
          const open = admitted.slice(1).filter(({ isRefunded }) => !isRefunded);
          if (refund !== undefined && open.length > 0) {
            const one = open[refund % open.length];
            await state.refund(one.charges, one.atMs, nowMs);
            one.isRefunded = true;
            continue;
          }
          const charges = counters.map((spec, i) => chargeOf(spec, nowMs, { scope: `limit ${i}`, cost }));
          const outcomes = await state.charge(charges, nowMs);
          if (outcomes.every(({ allowed }) => allowed))
            admitted.push({ charges, atMs: nowMs, isRefunded: false });
        }
        // The same without those that were given back: admits all that was, and has no less left.
        const without = await create();
        for (const { charges, atMs, isRefunded } of admitted) {
          if (isRefunded) continue;
          const outcomes = await without.charge(charges, atMs);
          assert.ok(outcomes.every(({ allowed }) => allowed));
        }
        for (const [i, spec] of counters.entries()) {
          for (const atMs of [latestMs, latestMs + spec.windowMs, latestMs + 3 * spec.windowMs]) {
            const scope = `limit ${i}`;
            const left = await remaining(state, spec, atMs, { scope });
            assert.ok(left <= (await remaining(without, spec, atMs, { scope })));
          }
        }
      }),
      { numRuns: runsOf(400, effort) },
    );
  });
}
