/** Counter updates: nanoseconds each in one thread. Run by hand: node bench/micro/counters.ts */
import { randomBytes } from 'node:crypto';
import type { Charge, CounterState, SumRule } from '../../src/contract/index.ts';
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

const WINDOW = { startMs: 1.8e12, endMs: 1.8e12 + 3_600_000 };
const KINDS: readonly ((scope: string, key: string) => Charge)[] = [
  (scope, key) => ({ kind: 'gcra', scope, key, cost: 1, rule: GCRA }),
  (scope, key) => ({ kind: 'sliding-window', scope, key, cost: 1, rule: SLIDING }),
  (scope, key) => ({ kind: 'fixed-window', scope, key, cost: 1, rule: { limit: 1e9, ...WINDOW } }),
  (scope, key) => ({ kind: 'quota', scope, key, cost: 1, rule: { limit: 1e9, ...WINDOW, carryOver: 0 } }),
];
const SCOPES = Array.from({ length: 8 }, (_, i) => `${SCOPE} ${i}`);

/** So many limits of all kinds in turn, made as a policy makes them: one list for each request. */
const charging =
  (state: CounterState, limits: number): Update =>
  (key, nowMs) =>
    state.charge(chargesOf(limits, key), nowMs);

function chargesOf(limits: number, key: string): Charge[] {
  const charges: Charge[] = [];
  for (let i = 0; i < limits; i++) charges.push(KINDS[i & 3](SCOPES[i], key));
  return charges;
}

const refunding =
  (state: CounterState, limits: number): Update =>
  (key, nowMs) =>
    state.refund(chargesOf(limits, key), nowMs, nowMs);

const MINUTE: SumRule = { windowMs: 60_000 };
const summing =
  (state: CounterState): Update =>
  (key, nowMs) =>
    state.tally(SCOPE, key, MINUTE, 1, nowMs);

const names = (count: number) => Array.from({ length: count }, (_, i) => `203.0.${i >> 8}.${i & 255}`);
console.table([
  measure('gcra, shared', names(16), gcra(shared())),
  measure('gcra, shared', names(10_000), gcra(shared())),
  measure('gcra, shared', names(100_000), gcra(shared())),
  measure('sliding window, shared', names(10_000), sliding(shared())),
  measure('charge of 1 limit, shared', names(10_000), charging(shared(), 1)),
  measure('charge of 8 limits, shared', names(16), charging(shared(), 8)),
  measure('charge of 8 limits, shared', names(10_000), charging(shared(), 8)),
  measure('refund of 8 limits, shared', names(10_000), refunding(shared(), 8)),
  measure('tally, shared', names(10_000), summing(shared())),
  measure('charge of 8 limits, local', names(10_000), charging(createLocalCounters(), 8)),
  measure('gcra, local', names(10_000), gcra(createLocalCounters())),
  measure('bare: BigInt compare-and-swap', names(16), bigintSwap()),
  measure('bare: lock and doubles', names(16), lockedDoubles()),
]);
