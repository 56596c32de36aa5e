import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ConfigIssue } from '../../errors.ts';
import type { AclTime } from './schema.ts';
import { compileTimes } from './times.ts';

const OFFICE: AclTime = { days: ['mon-fri'], from: '08:00', to: '18:00', zone: 'Europe/Berlin' };
const NIGHT: AclTime = { days: ['fri'], from: '22:00', to: '06:00', zone: 'Europe/Berlin' };

function isIn(times: readonly AclTime[], moment: string): boolean {
  const issues: ConfigIssue[] = [];
  const ask = compileTimes(times, 'times', issues);
  assert.deepEqual(issues, []);
  return ask(Date.parse(moment));
}

describe('times', () => {
  const cases: [name: string, times: AclTime[], moment: string, expected: boolean][] = [
    ['the first minute in winter', [OFFICE], '2026-11-23T07:00:00Z', true],
    ['the last second before it', [OFFICE], '2026-11-23T06:59:59.999Z', false],
    ['the last second', [OFFICE], '2026-11-23T16:59:59.999Z', true],
    ['the end is not in it', [OFFICE], '2026-11-23T17:00:00Z', false],
    ['the first minute in summer', [OFFICE], '2026-07-20T06:00:00Z', true],
    ['the end in summer', [OFFICE], '2026-07-20T16:00:00Z', false],
    ['Saturday', [OFFICE], '2026-11-28T10:00:00Z', false],
    ['Monday there, Sunday in UTC', [{ days: ['mon'], zone: 'Asia/Tokyo' }], '2026-11-22T15:00:00Z', true],
    [
      'Sunday there, Monday in UTC',
      [{ days: ['mon'], zone: 'America/New_York' }],
      '2026-11-23T04:59:00Z',
      false,
    ],
    ['Friday night', [NIGHT], '2026-11-27T21:00:00Z', true],
    ['the morning after it', [NIGHT], '2026-11-28T04:59:00Z', true],
    ['its end', [NIGHT], '2026-11-28T05:00:00Z', false],
    ['the night before it', [NIGHT], '2026-11-27T02:00:00Z', false],
    ['the night after it', [NIGHT], '2026-11-28T22:00:00Z', false],
    [
      'over midnight and the week',
      [{ days: ['sun'], from: '23:00', to: '01:00' }],
      '2026-11-23T00:30:00Z',
      true,
    ],
    ['until midnight', [{ from: '18:00', to: '00:00' }], '2026-11-23T23:59:00Z', true],
    ['until midnight, and no longer', [{ from: '18:00', to: '00:00' }], '2026-11-23T00:00:00Z', false],
    ['until 24:00', [{ from: '18:00', to: '24:00' }], '2026-11-23T23:59:00Z', true],
    ['days over the end of the week', [{ days: ['sat-mon'] }], '2026-11-23T12:00:00Z', true],
    ['not in days over the end of the week', [{ days: ['sat-mon'] }], '2026-11-24T12:00:00Z', false],
    ['one of two', [OFFICE, { days: ['sat'] }], '2026-11-28T10:00:00Z', true],
    [
      'before the clocks go on',
      [{ from: '02:00', to: '03:00', zone: 'Europe/Berlin' }],
      '2026-03-29T00:59:00Z',
      false,
    ],
    [
      'the hour that is left out',
      [{ from: '02:00', to: '03:00', zone: 'Europe/Berlin' }],
      '2026-03-29T01:00:00Z',
      false,
    ],
    [
      'the hour that comes twice, once',
      [{ from: '02:00', to: '03:00', zone: 'Europe/Berlin' }],
      '2026-10-25T00:30:00Z',
      true,
    ],
    [
      'the hour that comes twice, again',
      [{ from: '02:00', to: '03:00', zone: 'Europe/Berlin' }],
      '2026-10-25T01:30:00Z',
      true,
    ],
    [
      'and then it is over',
      [{ from: '02:00', to: '03:00', zone: 'Europe/Berlin' }],
      '2026-10-25T02:00:00Z',
      false,
    ],
    [
      'a zone off by three quarters',
      [{ from: '05:45', to: '05:46', zone: 'Asia/Kathmandu' }],
      '2026-11-23T00:00:00Z',
      true,
    ],
    [
      'a change by half an hour',
      [{ from: '02:30', to: '02:31', zone: 'Australia/Lord_Howe' }],
      '2026-10-03T15:30:00Z',
      true,
    ],
    ['midnight', [{ from: '00:00', to: '00:01', zone: 'Europe/London' }], '2026-11-23T00:00:30Z', true],
  ];
  for (const [name, times, moment, expected] of cases) {
    it(`${moment} is ${expected ? '' : 'not '}in it: ${name}`, () =>
      assert.equal(isIn(times, moment), expected));
  }

  it('are the same whatever was asked before', () => {
    const ask = compileTimes([OFFICE], 'times', []);
    const moments = ['2026-11-23T07:00:00Z', '2026-11-28T07:00:00Z', '2026-07-20T05:59:00Z'].map(Date.parse);
    const [first, second] = [moments.map(ask), moments.toReversed().map(ask).toReversed()];
    assert.deepEqual(first, [true, false, false]);
    assert.deepEqual(second, first);
  });

  it('suggest the zone that was meant', () => {
    const issues: ConfigIssue[] = [];
    compileTimes([{ zone: 'Europe/Berln' }], 'allow.times', issues);
    assert.deepEqual(issues, [
      {
        path: 'allow.times[0].zone',
        message: 'there is no time zone "Europe/Berln"',
        suggestion: 'did you mean "Europe/Berlin"?',
      },
    ]);
  });
});
