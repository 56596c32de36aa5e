import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BodyPace } from './body-pace.ts';

const TIMEOUT_MS = 30_000;

/** Milliseconds until a client is given up that sends `bytes` every `everyMs`; undefined when it is not within an hour. */
function givenUpAfterMs(bytes: number, everyMs: number, bytesPerSecond = 240): number | undefined {
  const pace = new BodyPace(TIMEOUT_MS, bytesPerSecond);
  let received = 0;
  let leftMs = pace.await(0, 0);
  for (let nowMs = 0; nowMs < 3_600_000; nowMs += everyMs) {
    if (leftMs <= everyMs) return nowMs + leftMs;
    received += bytes;
    leftMs = pace.await(nowMs + everyMs, received);
  }
  return undefined;
}

describe('how long a body is waited for', () => {
  const RATES: readonly (readonly [
    name: string,
    bytes: number,
    everyMs: number,
    rate: number,
    min: number,
    max: number,
  ])[] = [
    ['nothing comes', 0, 1000, 240, 30_000, 30_000],
    ['a byte a second', 1, 1000, 240, 30_000, 31_000],
    ['a byte every 29 seconds', 1, 29_000, 240, 30_000, 31_000],
    ['half the rate', 120, 1000, 240, 59_000, 61_000],
    ['silence longer than the timeout, any rate', 1, 31_000, 0, 30_000, 30_000],
  ];
  for (const [name, bytes, everyMs, rate, min, max] of RATES) {
    it(`gives up: ${name}`, () => {
      const afterMs = givenUpAfterMs(bytes, everyMs, rate) ?? Number.POSITIVE_INFINITY;
      assert.ok(afterMs >= min && afterMs <= max, `${afterMs} ms`);
    });
  }

  const GOES_ON: readonly (readonly [name: string, bytes: number, everyMs: number, rate: number])[] = [
    ['the rate', 240, 1000, 240],
    ['the rate, in pieces far apart', 240 * 20, 20_000, 240],
    ['a byte every 29 seconds, any rate', 1, 29_000, 0],
  ];
  for (const [name, bytes, everyMs, rate] of GOES_ON)
    it(`waits on: ${name}`, () => assert.equal(givenUpAfterMs(bytes, everyMs, rate), undefined));

  it('keeps nothing of what came fast for later: at most the timeout', () => {
    const pace = new BodyPace(TIMEOUT_MS, 240);
    pace.await(0, 0);
    assert.equal(pace.await(100, 10_000_000), TIMEOUT_MS);
  });

  it('does not count the time in which nobody reads', () => {
    const pace = new BodyPace(TIMEOUT_MS, 240);
    pace.await(0, 0);
    pace.pause(10_000);
    assert.equal(pace.await(500_000, 0), 20_000);
    pace.pause(501_000);
    pace.pause(600_000);
    assert.equal(pace.await(700_000, 0), 19_000);
  });
});
