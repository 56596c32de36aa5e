/** Counter updates: nanoseconds each in one thread. Run by hand: node bench/micro/counters.ts */
import { randomBytes } from 'node:crypto';
import type { CounterState } from '../../src/contract/index.ts';
import { attachSharedCounters, createLocalCounters, createSharedCounters } from '../../src/state/index.ts';

const UPDATES = 200_000;
const ROUNDS = 25;
const SCOPE = 'route:orders/rate-limit';
const GCRA = { limit: 1000, windowMs: 60_000, burst: 1000 };
const SLIDING = { limit: 1000, windowMs: 60_000 };

const random = { hex: (bytes: number) => randomBytes(bytes).toString('hex') };
const shared = () => attachSharedCounters(createSharedCounters({ random }).memory);

type Update = (key: string, nowMs: number) => unknown;
const gcra =
  (state: CounterState): Update =>
  (key, nowMs) =>
    state.gcra(SCOPE, key, GCRA, 1, nowMs);
const sliding =
  (state: CounterState): Update =>
  (key, nowMs) =>
    state.slidingWindow(SCOPE, key, SLIDING, 1, nowMs);

/** The way not taken: one 64-bit compare-and-swap of the state, without hash, table or outcome object. */
function bigintSwap(): Update {
  const cells = new BigInt64Array(new SharedArrayBuffer(8 * 65536));
  let next = 0;
  return (_, nowMs) => {
    const at = next++ & 0xffff;
    for (;;) {
      const old = Atomics.load(cells, at);
      const time = Math.max(Number(old), nowMs) + 60;
      if (Atomics.compareExchange(cells, at, old, BigInt(time)) === old) return time;
    }
  };
}

/** The way taken, as bare: a lock by compare-and-swap around plain doubles. */
function lockedDoubles(): Update {
  const locks = new Int32Array(new SharedArrayBuffer(4 * 65536));
  const cells = new Float64Array(new SharedArrayBuffer(8 * 65536));
  let next = 0;
  return (_, nowMs) => {
    const at = next++ & 0xffff;
    if (Atomics.compareExchange(locks, at, 0, 1) !== 0) throw new Error('nobody else is here');
    const time = Math.max(cells[at], nowMs) + 60;
    cells[at] = time;
    Atomics.store(locks, at, 0);
    return time;
  };
}

function measure(name: string, keys: readonly string[], update: Update): Record<string, string | number> {
  let best = Number.POSITIVE_INFINITY;
  let last: unknown;
  for (let round = 0; round < ROUNDS; round++) {
    const from = performance.now();
    for (let i = 0; i < UPDATES; i++) last = update(keys[i % keys.length], 1.8e12 + round * 1000 + (i >> 10));
    best = Math.min(best, ((performance.now() - from) * 1e6) / UPDATES);
  }
  return { what: name, keys: keys.length, 'ns/update': Math.round(best), last: typeof last };
}

const names = (count: number) => Array.from({ length: count }, (_, i) => `203.0.${i >> 8}.${i & 255}`);
console.table([
  measure('gcra, shared', names(16), gcra(shared())),
  measure('gcra, shared', names(10_000), gcra(shared())),
  measure('gcra, shared', names(100_000), gcra(shared())),
  measure('sliding window, shared', names(10_000), sliding(shared())),
  measure('gcra, local', names(10_000), gcra(createLocalCounters())),
  measure('bare: BigInt compare-and-swap', names(16), bigintSwap()),
  measure('bare: lock and doubles', names(16), lockedDoubles()),
]);
