import assert from 'node:assert/strict';
import { it } from 'node:test';
import { InvalidArgumentError } from 'commander';
import { parseWhen } from './when.ts';

const NOW = Date.UTC(2026, 10, 23, 15);

it('refuses what is no time', () => {
  const texts = [
    '',
    'tomorrow',
    '1',
    '-1d',
    '2027-02-30',
    '2027-13-01',
    '2027-01-31T25:00:00Z',
    '2027-01-31T12:00:00',
  ];
  for (const text of [...texts, '2027-02-30T00:00:00Z', '2027-01-31 12:00', '20270131']) {
    assert.throws(() => parseWhen(text, NOW), InvalidArgumentError, text);
  }
});

it('takes a duration from now, a day to its end or its begin, and a time', () => {
  assert.equal(parseWhen('90d', NOW), new Date(NOW + 90 * 86_400_000).toISOString());
  assert.equal(parseWhen('2027-01-31', NOW), '2027-01-31T23:59:59.000Z');
  assert.equal(parseWhen('2027-01-31', NOW, 'T00:00:00Z'), '2027-01-31T00:00:00.000Z');
  assert.equal(parseWhen('2027-01-31T12:00+02:00', NOW), '2027-01-31T10:00:00.000Z');
});
