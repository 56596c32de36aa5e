import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findTimeZone, firstShowing, type TimeZone, timeZoneNames, UTC } from './time-zone.ts';

const utc = (text: string): number => Date.parse(`${text}Z`);

function zoneOf(name: string): TimeZone {
  const zone = findTimeZone(name);
  assert.ok(zone !== undefined, name);
  return zone;
}

describe('time zones', () => {
  const names: readonly (readonly [name: string, isThere: boolean])[] = [
    ['UTC', true],
    ['Europe/Berlin', true],
    ['Asia/Calcutta', true],
    ['Etc/GMT+5', true],
    ['Europe/Berln', false],
    ['', false],
    ['Mars/Olympus', false],
  ];
  for (const [name, isThere] of names) {
    it(`${isThere ? 'finds' : 'does not know'} "${name}"`, () => {
      assert.equal(findTimeZone(name) !== undefined, isThere);
    });
  }

  it('lists names that are all found', () => {
    const listed = timeZoneNames();
    assert.ok(listed.length > 300 && listed.includes('UTC') && listed.includes('America/New_York'));
    assert.deepEqual(
      listed.filter((name) => findTimeZone(name) === undefined),
      [],
    );
  });

  const offsets: readonly (readonly [zone: string, at: string, minutes: number])[] = [
    ['UTC', '2026-07-01T00:00', 0],
    ['Europe/Berlin', '2026-01-01T00:00', 60],
    ['Europe/Berlin', '2026-07-01T00:00', 120],
    ['America/New_York', '2026-12-31T23:00', -300],
    ['Asia/Kathmandu', '2026-01-01T00:00', 345],
    ['Pacific/Kiritimati', '2026-01-01T00:00', 840],
    ['Antarctica/Troll', '2026-07-01T00:00', 120],
    ['Australia/Lord_Howe', '2026-01-01T00:00', 660],
    ['Australia/Lord_Howe', '2026-07-01T00:00', 630],
  ];
  for (const [zone, at, minutes] of offsets) {
    it(`knows what the clocks of ${zone} show at ${at}`, () => {
      assert.equal(zoneOf(zone).offsetMs(utc(at)), minutes * 60_000);
      assert.equal(zoneOf(zone).offsetMs(utc(at) + 999), minutes * 60_000);
    });
  }

  const showings: readonly (readonly [what: string, zone: string, shown: string, at: string])[] = [
    ['a common time', 'Europe/Berlin', '2026-01-15T06:30', '2026-01-15T05:30'],
    ['a common time in summer', 'Europe/Berlin', '2026-07-15T06:30', '2026-07-15T04:30'],
    ['a time that is left out: when it is', 'Europe/Berlin', '2026-03-29T02:30', '2026-03-29T01:00'],
    ['the first time behind what is left out', 'Europe/Berlin', '2026-03-29T03:00', '2026-03-29T01:00'],
    ['the last time before', 'Europe/Berlin', '2026-03-29T01:59', '2026-03-29T00:59'],
    ['a time that is shown twice: the first', 'Europe/Berlin', '2026-10-25T02:30', '2026-10-25T00:30'],
    ['the time after the second', 'Europe/Berlin', '2026-10-25T03:00', '2026-10-25T02:00'],
    ['a midnight that is left out', 'Africa/Cairo', '2026-04-24T00:00', '2026-04-23T22:00'],
    ['a midnight that is shown twice', 'America/Havana', '2026-11-01T00:00', '2026-11-01T04:00'],
    ['half an hour left out', 'Australia/Lord_Howe', '2026-10-04T02:15', '2026-10-03T15:30'],
    ['two hours left out', 'Antarctica/Troll', '2026-03-29T02:00', '2026-03-29T01:00'],
    ['a day that is left out', 'Pacific/Apia', '2011-12-30T12:00', '2011-12-30T10:00'],
  ];
  for (const [what, zone, shown, at] of showings) {
    it(`finds ${what}`, () => {
      assert.equal(new Date(firstShowing(zoneOf(zone), utc(shown))).toISOString(), `${at}:00.000Z`);
    });
  }

  it('takes UTC as it is', () => {
    assert.equal(firstShowing(UTC, 12_345), 12_345);
  });
});
