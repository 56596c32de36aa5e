import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseExpiry } from './expiry.ts';

const cases: readonly (readonly [text: string, ms: number | undefined])[] = [
  ['2026-11-23', Date.UTC(2026, 10, 23, 23, 59, 59, 999)],
  ['2024-02-29', Date.UTC(2024, 1, 29, 23, 59, 59, 999)],
  ['2026-11-23T10:30Z', Date.UTC(2026, 10, 23, 10, 30)],
  ['2026-11-23T10:30:15Z', Date.UTC(2026, 10, 23, 10, 30, 15)],
  ['2026-11-23T10:30:15+02:00', Date.UTC(2026, 10, 23, 8, 30, 15)],
  ['2026-02-30', undefined],
  ['2025-02-29T10:00Z', undefined],
  ['2026-13-01', undefined],
  ['2026-11-23T25:00Z', undefined],
  ['2026-11-23T10:30:15', undefined],
  ['2026-11-23 10:30Z', undefined],
  ['20261123', undefined],
  ['tomorrow', undefined],
  ['', undefined],
];

describe('parseExpiry', () => {
  for (const [text, ms] of cases) it(JSON.stringify(text), () => assert.equal(parseExpiry(text), ms));
});
