/** The scripts count as the counters in memory do, number for number, whatever is asked of them. */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import fc from 'fast-check';
import { chargeOf, type Spec, START, specs } from '../../../test/contract/state/counters.ts';
import { RedisServer } from '../../../test/fixtures/redis-server.ts';
import { type StoreWorld, storeWorld } from '../../../test/fixtures/store-world.ts';
import type { Charge, CounterState } from '../../contract/index.ts';
import { createLocalCounters } from '../counters/local-counters.ts';

let server: RedisServer;
let world: StoreWorld;
before(async () => {
  server = await RedisServer.start();
  world = await storeWorld(server.url, { time: 'evaluation', timeoutMs: 10_000 });
});
after(async () => {
  await world.close();
  await server.stop();
});

/** Up to the edge of what is counted exactly: limit × window is at most 2^52. */
const edges: fc.Arbitrary<Spec> = fc.oneof(
  fc.record({
    kind: fc.constant('gcra' as const),
    limit: fc.integer({ min: 1, max: 2 ** 21 }),
    windowMs: fc.integer({ min: 1, max: 2 ** 31 }),
    burst: fc.integer({ min: 1, max: 2 ** 21 }),
  }),
  fc.record({
    kind: fc.constant('sliding-window' as const),
    limit: fc.integer({ min: 1, max: 2 ** 21 }),
    windowMs: fc.integer({ min: 1, max: 2 ** 31 }),
  }),
);

/**
 * What is carried over is left to the contract: counters in memory remember who only asked for a while, and what is
 * in the store is written by a charge alone.
 */
const withoutCarrying = specs.map((spec) => (spec.kind === 'quota' ? { ...spec, carryOver: 0 } : spec));

const plays = fc.record({
  counters: fc.array(fc.oneof({ arbitrary: withoutCarrying, weight: 3 }, edges), {
    minLength: 1,
    maxLength: 4,
  }),
  steps: fc.array(
    fc.record({
      /** Thousandths of the first window. */
      step: fc.oneof(fc.constant(0), fc.nat({ max: 300 }), fc.nat({ max: 4000 })),
      /** Thousandths of the first limit, and a little. */
      cost: fc.tuple(fc.constantFrom(0, 1, 100, 500, 1000), fc.nat({ max: 3 })),
      use: fc.constantFrom('charge', 'charge', 'charge', 'refund', 'tally'),
      /** Of another request before. */
      ago: fc.nat({ max: 5 }),
    }),
    { minLength: 1, maxLength: 30 },
  ),
});

let plays_ = 0;

it('whatever is charged, given back and summed up, the answers are those of the counters in memory', async () => {
  await fc.assert(
    fc.asyncProperty(plays, async ({ counters, steps }) => {
      plays_++;
      const local = createLocalCounters();
      const [{ windowMs, limit }] = counters;
      const charged: { charges: Charge[]; atMs: number }[] = [];
      let nowMs = START;
      for (const {
        step,
        cost: [part, more],
        use,
        ago,
      } of steps) {
        nowMs += Math.round((step * windowMs) / 1000);
        const cost = Math.floor((part * limit) / 1000) + more;
        const charges = counters.map((spec, i) =>
          chargeOf(spec, nowMs, { scope: `${plays_} limit ${i}`, cost }),
        );
        const earlier = charged.at(-1 - ago);
        const ask = async (state: CounterState): Promise<unknown> => {
          if (use === 'tally') return state.tally(`${plays_}`, 'k', { windowMs }, cost / 3, nowMs);
          if (use === 'charge') return state.charge(charges, nowMs);
          return earlier === undefined ? undefined : state.refund(earlier.charges, earlier.atMs, nowMs);
        };
        const expected = await ask(local);
        assert.deepEqual(plain(await ask(world.state)), plain(expected), use);
        if (use === 'charge') charged.push({ charges, atMs: nowMs });
      }
    }),
    { numRuns: 250 },
  );
});

/** Without the shapes of objects. */
const plain = (answer: unknown): unknown =>
  Array.isArray(answer)
    ? answer.map(({ allowed, remaining, retryAfterMs, resetMs }) => [
        allowed,
        remaining,
        retryAfterMs,
        resetMs,
      ])
    : answer;
