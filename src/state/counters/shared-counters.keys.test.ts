import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { it } from 'node:test';
import { attachSharedCounters, createSharedCounters } from './shared-counters.ts';

const KEYS = 10_000_000;
const PLACES = 2 ** 20;
/** Half the table is live at any time: each key for 100 ms of what it owes and a second of grace. */
const KEYS_PER_MS = 450;
const NOW = 1_800_000_000_000;
const SHORT = { limit: 10, windowMs: 1000, burst: 10 };
const LONG = { limit: 1, windowMs: 3_600_000, burst: 1 };

it('ten million keys come and go in a table of a million: idle ones make room, none that is live is forgotten', () => {
  const random = { hex: (bytes: number) => randomBytes(bytes).toString('hex') };
  const shared = createSharedCounters({ random, maxKeys: PLACES });
  const state = attachSharedCounters(shared.memory);
  const isLetOn = (key: string, rule: typeof LONG, nowMs: number): boolean =>
    state.gcra('s', key, rule, 1, nowMs).allowed;
  const lasting = Array.from({ length: 2000 }, (_, i) => `lasting ${i}`);
  assert.ok(lasting.every((key) => isLetOn(key, LONG, NOW)));
  let letOn = 0;
  for (let i = 0; i < KEYS; i++) {
    const nowMs = NOW + Math.floor(i / KEYS_PER_MS);
    if (isLetOn(`key ${i}`, SHORT, nowMs)) letOn++;
    if (i % 1_000_000 === 0) assert.ok(!lasting.some((key) => isLetOn(key, LONG, nowMs)));
  }
  const { maxKeys, refusedForSpace } = shared.stats().counters;
  assert.equal(letOn + refusedForSpace, KEYS);
  // Only where seventeen live keys meet in one bucket of sixteen.
  assert.ok(refusedForSpace < KEYS / 100, `${refusedForSpace} refused`);
  assert.equal(maxKeys, PLACES);
  assert.ok(shared.memory.counters.byteLength < 50e6);
});
