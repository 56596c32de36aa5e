import assert from 'node:assert/strict';
import { it } from 'node:test';
import { RestartBackoff } from './worker-backoff.ts';

it('starts again at once after single deaths, then ever later up to a bound', () => {
  const backoff = new RestartBackoff();
  const delays = Array.from({ length: 12 }, () => backoff.delayAfter(50));
  assert.deepEqual(delays, [0, 0, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000]);
});

it('forgets deaths before a thread that lived long', () => {
  const backoff = new RestartBackoff();
  for (let i = 0; i < 8; i++) backoff.delayAfter(50);
  assert.deepEqual([backoff.delayAfter(30_000), backoff.delayAfter(50), backoff.delayAfter(50)], [0, 0, 100]);
});
