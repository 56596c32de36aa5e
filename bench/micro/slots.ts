/** Places under way: nanoseconds each to take and give back in one thread. Run by hand: node bench/micro/slots.ts */
import { randomBytes } from 'node:crypto';
import type { CounterState, SlotRule } from '../../src/contract/index.ts';
import {
  attachInFlight,
  attachSharedCounters,
  createSharedCounters,
  type InFlight,
} from '../../src/state/index.ts';

const TURNS = 100_000;
const ROUNDS = 25;
const SCOPE = 'route:orders/concurrency';
const RULE: SlotRule = { limit: 100, queue: 50, waitMs: 1000, priority: 'normal' };

const random = { hex: (bytes: number) => randomBytes(bytes).toString('hex') };
const { memory } = createSharedCounters({ random });

/** Below the limit: an acquire that waits would be a promise. */
const acquire = (state: CounterState) => (key: string) => {
  const outcome = state.acquire(SCOPE, key, RULE, 1.8e12, {});
  if (outcome instanceof Promise || !outcome.granted) throw new Error('nobody else is here');
  outcome.slot.release();
};
const refuse = (state: CounterState) => (key: string) => {
  const outcome = state.acquire(SCOPE, key, { ...RULE, queue: 0 }, 1.8e12, {});
  if (outcome instanceof Promise || outcome.granted) throw new Error('it is full');
};
const take = (inFlight: InFlight) => (key: string) => inFlight.take(SCOPE, key, 100)?.release();

function measure(
  what: string,
  keys: readonly string[],
  turn: (key: string) => void,
): Record<string, string | number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const from = performance.now();
    for (let i = 0; i < TURNS; i++) turn(keys[i % keys.length]);
    best = Math.min(best, ((performance.now() - from) * 1e6) / TURNS);
  }
  return { what, keys: keys.length, ns: Math.round(best) };
}

/** Handed from one that gives back to the next that waits, within one thread. */
async function measureWaits(state: CounterState): Promise<Record<string, string | number>> {
  const one = { ...RULE, limit: 1, queue: 2000 };
  const from = performance.now();
  for (let round = 0; round < 20; round++) {
    const all = Array.from({ length: 1000 }, async () => {
      const outcome = await state.acquire(SCOPE, 'waits', one, 1.8e12, {});
      if (!outcome.granted) throw new Error(outcome.why);
      outcome.slot.release();
    });
    await Promise.all(all);
  }
  return {
    what: 'wait in a queue of 1,000',
    keys: 1,
    ns: Math.round(((performance.now() - from) * 1e6) / 20_000),
  };
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `203.0.${i >> 8}.${i & 255}`);
const state = attachSharedCounters(memory);
const rows = [
  measure('acquire and release', names(1), acquire(state)),
  measure('acquire and release', names(10_000), acquire(state)),
  measure('take and release', names(10_000), take(attachInFlight(memory))),
  await measureWaits(state),
];
for (let i = 0; i < 100; i++) await state.acquire(SCOPE, 'full', RULE, 1.8e12, {});
console.table([...rows, measure('refused', ['full'], refuse(state))]);
