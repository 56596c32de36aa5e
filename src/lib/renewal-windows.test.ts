import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type CalendarRenewal, type Renewal, RenewalWindows, type TimeWindow } from './renewal-windows.ts';
import { findTimeZone, type TimeZone, timeZoneNames, UTC } from './time-zone.ts';

const HOUR_MS = 3_600_000;
const FROM_MS = Date.UTC(2020, 0, 1);
const TO_MS = Date.UTC(2036, 0, 1);

function zoneOf(name: string): TimeZone {
  const zone = findTimeZone(name);
  assert.ok(zone !== undefined, name);
  return zone;
}
const berlin = zoneOf('Europe/Berlin');

/** So many windows, one after the other, from the one around `fromMs` on. */
function windowsFrom(renewal: Renewal, fromMs: number, count: number): TimeWindow[] {
  const windows = new RenewalWindows(renewal);
  const found = [windows.at(fromMs)];
  while (found.length < count) found.push(windows.at(found[found.length - 1].endMs));
  return found;
}

const startsOf = (renewal: Renewal, from: string, count: number): string[] =>
  windowsFrom(renewal, Date.parse(from), count).map(({ startMs }) =>
    new Date(startMs).toISOString().slice(0, 16),
  );

const cases: readonly (readonly [name: string, renewal: Renewal, from: string, starts: readonly string[]])[] =
  [
    [
      'so many days from the epoch',
      { per: 'length', lengthMs: 30 * 24 * HOUR_MS },
      '2026-01-01T00:00Z',
      ['2025-12-08T00:00', '2026-01-07T00:00'],
    ],
    [
      'a day of UTC',
      { per: 'day', zone: UTC, atMs: 0 },
      '2026-01-01T12:00Z',
      ['2026-01-01T00:00', '2026-01-02T00:00'],
    ],
    [
      'a day that renews at six, before six',
      { per: 'day', zone: UTC, atMs: 6 * HOUR_MS },
      '2026-01-01T05:59:59Z',
      ['2025-12-31T06:00', '2026-01-01T06:00'],
    ],
    [
      'days of 23 and 24 hours',
      { per: 'day', zone: berlin, atMs: 0 },
      '2026-03-28T12:00Z',
      ['2026-03-27T23:00', '2026-03-28T23:00', '2026-03-29T22:00', '2026-03-30T22:00'],
    ],
    [
      'a day of 25 hours',
      { per: 'day', zone: berlin, atMs: 0 },
      '2026-10-25T12:00Z',
      ['2026-10-24T22:00', '2026-10-25T23:00', '2026-10-26T23:00'],
    ],
    [
      'days that renew at a time that one of them has not',
      { per: 'day', zone: berlin, atMs: 2.5 * HOUR_MS },
      '2026-03-28T12:00Z',
      ['2026-03-28T01:30', '2026-03-29T01:00', '2026-03-30T00:30'],
    ],
    [
      'days that renew at a time that one of them has twice',
      { per: 'day', zone: berlin, atMs: 2.5 * HOUR_MS },
      '2026-10-24T12:00Z',
      ['2026-10-24T00:30', '2026-10-25T00:30', '2026-10-26T01:30'],
    ],
    [
      'weeks from Monday',
      { per: 'week', zone: UTC, atMs: 0, weekday: 0 },
      '2026-11-25T12:00Z',
      ['2026-11-23T00:00', '2026-11-30T00:00'],
    ],
    [
      'weeks from Sunday, on a Sunday',
      { per: 'week', zone: UTC, atMs: 0, weekday: 6 },
      '2026-11-29T00:00Z',
      ['2026-11-29T00:00', '2026-12-06T00:00'],
    ],
    [
      'weeks from Thursday, the day of the epoch',
      { per: 'week', zone: UTC, atMs: 0, weekday: 3 },
      '1970-01-01T00:00Z',
      ['1970-01-01T00:00', '1970-01-08T00:00'],
    ],
    [
      'months',
      { per: 'month', zone: UTC, atMs: 0, day: 1 },
      '2026-11-25T12:00Z',
      ['2026-11-01T00:00', '2026-12-01T00:00', '2027-01-01T00:00'],
    ],
    [
      'months from the 28th',
      { per: 'month', zone: UTC, atMs: 0, day: 28 },
      '2027-02-27T23:59:59Z',
      ['2027-01-28T00:00', '2027-02-28T00:00', '2027-03-28T00:00'],
    ],
    [
      'months from their last day, in a leap year too',
      { per: 'month', zone: UTC, atMs: 0, day: 'last' },
      '2028-01-31T00:00Z',
      ['2028-01-31T00:00', '2028-02-29T00:00', '2028-03-31T00:00', '2028-04-30T00:00'],
    ],
    [
      'months from their last day at six in Berlin',
      { per: 'month', zone: berlin, atMs: 6 * HOUR_MS, day: 'last' },
      '2026-03-31T03:59:59Z',
      ['2026-02-28T05:00', '2026-03-31T04:00', '2026-04-30T04:00'],
    ],
    [
      'years from April',
      { per: 'year', zone: UTC, atMs: 0, month: 3, day: 1 },
      '2026-01-01T00:00Z',
      ['2025-04-01T00:00', '2026-04-01T00:00'],
    ],
    [
      'years from the last day of February',
      { per: 'year', zone: UTC, atMs: 0, month: 1, day: 'last' },
      '2028-01-01T00:00Z',
      ['2027-02-28T00:00', '2028-02-29T00:00', '2029-02-28T00:00'],
    ],
  ];

describe('windows that renew', () => {
  for (const [name, renewal, from, starts] of cases) {
    it(`are ${name}`, () => assert.deepEqual(startsOf(renewal, from, starts.length), starts));
  }

  it('are one object as long as they last, also when the time goes back within them', () => {
    const windows = new RenewalWindows({ per: 'day', zone: berlin, atMs: 0 });
    const first = windows.at(FROM_MS);
    assert.equal(windows.at(first.endMs - 1), first);
    assert.equal(windows.at(first.startMs), first);
    const next = windows.at(first.endMs);
    assert.equal(next.startMs, first.endMs);
    assert.deepEqual(windows.at(first.endMs - 1), first);
  });
});

const atMinutes = fc.integer({ min: 0, max: 24 * 60 - 1 }).map((minutes) => minutes * 60_000);
const dayOfMonth = fc.oneof(fc.integer({ min: 1, max: 28 }), fc.constant('last' as const));
const days = fc.oneof(
  fc.constant({ per: 'day' as const }),
  fc.record({ per: fc.constant('week' as const), weekday: fc.nat({ max: 6 }) }),
  fc.record({ per: fc.constant('month' as const), day: dayOfMonth }),
  fc.record({ per: fc.constant('year' as const), month: fc.nat({ max: 11 }), day: dayOfMonth }),
);

const shownAt = (zone: TimeZone, atMs: number): number => atMs + zone.offsetMs(atMs);

/** It begins when the clocks first show its time on its day: not before, and no later than it has to. */
function checkStart({ zone, atMs, ...renewal }: CalendarRenewal, startMs: number): void {
  const before = shownAt(zone, startMs - 1);
  const shown = shownAt(zone, startMs);
  const day = new Date(shown - atMs);
  const time = (shown - atMs) % (24 * HOUR_MS);
  // Later than its time only where the clocks leave that out.
  if (time !== 0) assert.ok(shown - before > 1, `${zone.name}: ${time} ms late at ${startMs}`);
  assert.ok(before < shown - time, `${zone.name}: shown before ${startMs}`);
  for (let quarters = 1; quarters <= 16; quarters++) {
    const earlier = startMs - (quarters * HOUR_MS) / 4;
    assert.ok(shownAt(zone, earlier) < shown - time, `${zone.name}: shown at ${earlier}, before ${startMs}`);
  }
  if (renewal.per === 'week') assert.equal((day.getUTCDay() + 6) % 7, renewal.weekday);
  if (renewal.per === 'year') assert.equal(day.getUTCMonth(), renewal.month);
  if (renewal.per !== 'month' && renewal.per !== 'year') return;
  const last = new Date(Date.UTC(day.getUTCFullYear(), day.getUTCMonth() + 1, 0)).getUTCDate();
  assert.equal(day.getUTCDate(), renewal.day === 'last' ? last : renewal.day);
}

describe('windows that renew, in every time zone', () => {
  for (const name of timeZoneNames()) {
    it(`tile the time of ${name}`, () => {
      const zone = zoneOf(name);
      fc.assert(
        fc.property(days, atMinutes, fc.integer({ min: FROM_MS, max: TO_MS }), (own, atMs, nowMs) => {
          const renewal: CalendarRenewal = { ...own, zone, atMs };
          const windows = new RenewalWindows(renewal);
          const { startMs, endMs } = windows.at(nowMs);
          assert.ok(startMs <= nowMs && nowMs < endMs);
          checkStart(renewal, startMs);
          checkStart(renewal, endMs);
          const fresh = () => new RenewalWindows(renewal);
          assert.equal(fresh().at(startMs - 1).endMs, startMs);
          assert.equal(fresh().at(endMs).startMs, endMs);
          assert.deepEqual(fresh().at(startMs), { startMs, endMs });
          assert.deepEqual(fresh().at(endMs - 1), { startMs, endMs });
        }),
        { numRuns: 12 },
      );
    });
  }

  it('tile each hour in which the clocks of some places change', () => {
    for (const name of ['Europe/Berlin', 'America/Havana', 'Africa/Casablanca', 'Australia/Lord_Howe']) {
      const zone = zoneOf(name);
      for (const atMs of [0, 0.5, 1, 2, 2.5, 3, 23.5].map((hours) => hours * HOUR_MS)) {
        const renewal: CalendarRenewal = { per: 'day', zone, atMs };
        for (const { startMs, endMs } of windowsFrom(renewal, FROM_MS, 366)) {
          checkStart(renewal, startMs);
          assert.ok(endMs - startMs >= 22 * HOUR_MS && endMs - startMs <= 26 * HOUR_MS, `${name} ${startMs}`);
        }
      }
    }
  });
});
