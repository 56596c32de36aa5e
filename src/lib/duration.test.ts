import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { formatDuration, parseDuration } from './duration.ts';

describe('parseDuration', () => {
  for (const text of [
    '',
    '5',
    'm',
    '5 m',
    ' 5m',
    '5m ',
    '5M',
    '-5m',
    '+5m',
    '1.5s',
    '1m30s',
    '05m',
    '5w',
    '1e3s',
    '5m\n',
    '9999999999s',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseDuration(text), undefined));
  }

  for (const [text, ms] of [
    ['0s', 0],
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['30d', 2_592_000_000],
  ] as const) {
    it(`reads ${text}`, () => assert.equal(parseDuration(text), ms));
  }
});

describe('formatDuration', () => {
  for (const [ms, text] of [
    [0, '0s'],
    [1, '1ms'],
    [1500, '1500ms'],
    [60_000, '1m'],
    [90_000, '90s'],
    [86_400_000, '1d'],
    [0.5, '0.5ms'],
  ] as const) {
    it(`writes ${ms} as ${text}`, () => assert.equal(formatDuration(ms), text));
  }
});
