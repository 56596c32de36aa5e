import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import type { SlotRule } from '../../contract/index.ts';
import { FuturePlaces } from './future-places.ts';
import { VirtualTime } from './virtual-time.ts';

it('what is due is done in the order of its time, and of one time in the order asked', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 60 }), (times) => {
      const time = new VirtualTime();
      const done: [atMs: number, order: number][] = [];
      time.start(0);
      for (const [order, atMs] of times.entries()) time.at(atMs, () => void done.push([time.now(), order]));
      while (time.nextMs < Number.POSITIVE_INFINITY) time.doNext();
      const wanted = times.map((atMs, order) => [atMs, order]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      assert.deepEqual(done, wanted);
    }),
  );
});

it('time never goes back', () => {
  const time = new VirtualTime();
  time.start(100);
  time.goOnTo(150);
  time.goOnTo(120);
  assert.deepEqual([time.now(), time.monotonic()], [150, 50]);
  time.at(110, () => {});
  time.doNext();
  assert.equal(time.now(), 150);
});

const rule = (more: Partial<SlotRule>): SlotRule => ({
  limit: 1,
  queue: 0,
  waitMs: 0,
  priority: 'normal',
  ...more,
});
const holder = (durationMs: number, isAnswered = true) => ({
  endOf: (fromMs: number) => fromMs + durationMs,
  isAnswered,
});

const visit = fc.record({
  gapMs: fc.integer({ min: 0, max: 30 }),
  durationMs: fc.integer({ min: 1, max: 60 }),
  isGivenBackAtOnce: fc.boolean(),
});

it('no more than the limit are ever held, and nobody waits for longer than was said', () => {
  const settings = fc.record({
    limit: fc.integer({ min: 1, max: 4 }),
    queue: fc.integer({ min: 0, max: 3 }),
    waitMs: fc.integer({ min: 0, max: 80 }),
  });
  fc.assert(
    fc.property(settings, fc.array(visit, { maxLength: 40 }), (bounds, visits) => {
      const places = new FuturePlaces();
      const held: { fromMs: number; untilMs: number }[] = [];
      let nowMs = 0;
      for (const { gapMs, durationMs, isGivenBackAtOnce } of visits) {
        nowMs += gapMs;
        const { outcome, waitedMs } = places.acquire('a', rule(bounds), nowMs, holder(durationMs));
        if (!outcome.granted) continue;
        assert.ok(waitedMs <= bounds.waitMs);
        if (isGivenBackAtOnce) outcome.slot.release();
        else held.push({ fromMs: nowMs + waitedMs, untilMs: nowMs + waitedMs + durationMs });
      }
      for (const { fromMs } of held) {
        const together = held.filter((one) => one.fromMs <= fromMs && fromMs < one.untilMs).length;
        assert.ok(together <= bounds.limit, `${together} held at ${fromMs}`);
      }
    }),
  );
});

it('a place that is given back is free at once, and only once', () => {
  const places = new FuturePlaces();
  const first = places.acquire('a', rule({}), 0, holder(100)).outcome;
  assert.ok(first.granted);
  assert.equal(places.acquire('a', rule({}), 1, holder(1)).outcome.granted, false);
  assert.ok(places.acquire('b', rule({}), 1, holder(1)).outcome.granted);
  first.slot.release();
  const second = places.acquire('a', rule({}), 2, holder(100)).outcome;
  assert.ok(second.granted);
  first.slot.release();
  assert.equal(places.acquire('a', rule({}), 3, holder(1)).outcome.granted, false);
});

it('whoever was never answered may still hold a place', () => {
  const places = new FuturePlaces();
  const first = places.acquire('a', rule({ limit: 2 }), 0, holder(0, false));
  assert.ok(first.outcome.granted);
  assert.equal(first.isUncertain, false);
  first.outcome.slot.release();
  assert.equal(places.acquire('a', rule({ limit: 2 }), 10, holder(1000)).isUncertain, false);
  assert.equal(places.acquire('a', rule({ limit: 2 }), 11, holder(1000)).isUncertain, true);
  assert.equal(places.acquire('a', rule({ limit: 2 }), 60_000, holder(1)).isUncertain, false);
});
