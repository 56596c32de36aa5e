/** Ten million callers with something to remember at one time. Run by hand: node bench/micro/counter-keys.ts [KEYS [PLACES]] */
import { randomBytes } from 'node:crypto';
import { attachSharedCounters, createSharedCounters } from '../../src/state/index.ts';

const KEYS = Number(process.argv[2] ?? 10_000_000);
const PLACES = Number(process.argv[3] ?? 16_777_216);
const NOW = 1.8e12;
const ONCE_AN_HOUR = { limit: 1, windowMs: 3_600_000, burst: 1 };

const random = { hex: (bytes: number) => randomBytes(bytes).toString('hex') };
const shared = createSharedCounters({ random, maxKeys: PLACES });
const state = attachSharedCounters(shared.memory);

/** How many of all keys are let on, each asked once; and what that took. */
function round(nowMs: number): { letOn: number; ns: number } {
  const from = performance.now();
  let letOn = 0;
  for (let i = 0; i < KEYS; i++) {
    const key = `2001:db8:${(i >> 16).toString(16)}:${(i & 0xffff).toString(16)}`;
    if (state.gcra('s', key, ONCE_AN_HOUR, 1, nowMs).allowed) letOn++;
  }
  return { letOn, ns: Math.round(((performance.now() - from) * 1e6) / KEYS) };
}

const first = round(NOW);
const refused = shared.stats().counters.refusedForSpace;
const second = round(NOW + 1000);
if (first.letOn + refused !== KEYS || second.letOn !== 0) throw new Error('a live key was forgotten');
console.table({
  keys: KEYS,
  places: shared.stats().counters.maxKeys,
  'let on once': first.letOn,
  'let on twice': second.letOn,
  'refused for space': refused,
  'ns for a new key': first.ns,
  'ns for a known key': second.ns,
  'resident MB': Math.round(process.memoryUsage.rss() / 1e6),
});
