/** What counters must do when the clock they are told of is set forward or back while they count. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type Create,
  chargeOf,
  chargeOne,
  type Effort,
  mostAtOnce,
  remaining,
  runsOf,
  type Spec,
  START,
  specs,
} from './counters.ts';

/** The most that any stretch of a window admits by a clock that goes on as it should. */
function mostPerStretch(spec: Spec): number {
  if (spec.kind === 'gcra') return spec.limit + spec.burst;
  return 2 * oneWindow(spec);
}

/** What one window is worth: a step of the clock may give or take so much, and no more. */
function oneWindow(spec: Spec): number {
  if (spec.kind === 'gcra') return Math.max(spec.limit, spec.burst);
  return spec.kind === 'quota' ? spec.limit + spec.carryOver : spec.limit;
}

/** After so long without requests, a counter is as good as new by a clock that goes on as it should. */
function recoveryMs(spec: Spec): number {
  if (spec.kind === 'gcra') return Math.ceil((spec.burst * spec.windowMs) / spec.limit);
  return spec.kind === 'sliding-window' ? 2 * spec.windowMs : spec.windowMs;
}

/** In windows: a little, about one, and many; to either side. */
const steps = fc.oneof(
  fc.double({ min: -1.2, max: 1.2, noNaN: true }),
  fc.double({ min: -3, max: 3, noNaN: true }),
  fc.double({ min: -1000, max: 1000, noNaN: true }),
);

const scripts = fc.record({
  spec: specs,
  /** Between them the clock makes the steps. */
  phases: fc.array(
    fc.array(
      fc.record({
        /** Thousandths of a window that really go by before the request. */
        gap: fc.oneof(fc.constant(0), fc.nat({ max: 60 }), fc.nat({ max: 1500 })),
        cost: fc.constantFrom(1, 1, 1, 2, 5),
      }),
      { minLength: 1, maxLength: 50 },
    ),
    { minLength: 2, maxLength: 3 },
  ),
  steps: fc.array(steps, { minLength: 2, maxLength: 2 }),
});

export function clockStepsContract(create: Create, effort: Effort): void {
  describe('a step of the clock', () => {
    it('gives and takes no more than one window, whatever is counted', async () => {
      await fc.assert(
        fc.asyncProperty(scripts, async ({ spec, phases, steps }) => {
          const state = await create();
          const admitted: { atMs: number; cost: number }[] = [];
          let realMs = 0;
          let offsetMs = START;
          for (const [i, requests] of phases.entries()) {
            if (i > 0) offsetMs += Math.round(steps[i - 1] * spec.windowMs);
            for (const { gap, cost } of requests) {
              realMs += Math.round((gap * spec.windowMs) / 1000);
              const nowMs = offsetMs + realMs;
              const { allowed } = await chargeOne(state, chargeOf(spec, nowMs, { cost }), nowMs);
              if (allowed) admitted.push({ atMs: realMs, cost });
            }
          }
          const most = mostPerStretch(spec) + (phases.length - 1) * oneWindow(spec);
          for (const { atMs } of admitted) {
            const inOneWindow = admitted.filter((one) => one.atMs >= atMs && one.atMs < atMs + spec.windowMs);
            const sum = inOneWindow.reduce((total, { cost }) => total + cost, 0);
            assert.ok(sum <= most, `${sum} of ${most}`);
          }
          const later = offsetMs + realMs + recoveryMs(spec) + spec.windowMs;
          const left = await remaining(state, spec, later);
          assert.ok(left >= mostAtOnce(spec), `${left} of ${mostAtOnce(spec)}`);
        }),
        { numRuns: runsOf(400, effort) },
      );
    });

    it('of hours back refuses nobody for hours', async () => {
      const specs: readonly Spec[] = [
        { kind: 'gcra', limit: 10, windowMs: 1000, burst: 10 },
        { kind: 'sliding-window', limit: 10, windowMs: 1000 },
        { kind: 'fixed-window', limit: 10, windowMs: 1000 },
        { kind: 'quota', limit: 10, windowMs: 1000, carryOver: 5 },
      ];
      for (const spec of specs) {
        const state = await create();
        const before = START + 36_000_000;
        assert.ok((await chargeOne(state, chargeOf(spec, before, { cost: 10 }), before)).allowed);
        await chargeOne(state, chargeOf(spec, START, { cost: 1 }), START);
        for (const waitMs of [2000, 4000]) {
          const nowMs = START + waitMs;
          const { allowed } = await chargeOne(state, chargeOf(spec, nowMs, { cost: 10 }), nowMs);
          assert.ok(allowed, `${spec.kind} after ${waitMs} ms`);
        }
      }
    });
  });
}
