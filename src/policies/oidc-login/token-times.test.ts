import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { TokenTimes } from './session.ts';
import { tokenTimes } from './token-times.ts';

const NOW_MS = 1_000_000;
const NEVER: TokenTimes = { renewAtMs: undefined, untilMs: undefined };

const CASES: readonly (readonly [
  upstream: 'none' | 'access-token' | 'id-token',
  lifetimeMs: number | undefined,
  refreshToken: string | undefined,
  times: TokenTimes,
])[] = [
  ['none', 300_000, undefined, NEVER],
  ['none', undefined, 'r', NEVER],
  ['access-token', undefined, 'r', NEVER],
  ['none', 300_000, 'r', { renewAtMs: NOW_MS + 240_000, untilMs: NOW_MS + 300_000 }],
  ['access-token', 300_000, undefined, { renewAtMs: undefined, untilMs: NOW_MS + 300_000 }],
  ['access-token', 40_000, 'r', { renewAtMs: NOW_MS + 30_000, untilMs: NOW_MS + 40_000 }],
  ['access-token', 0, 'r', { renewAtMs: NOW_MS + 1, untilMs: NOW_MS }],
  ['id-token', 10_000, 'r', { renewAtMs: 1_940_000, untilMs: 2_000_000 }],
];

describe('the times of tokens', () => {
  for (const [upstream, lifetimeMs, refreshToken, times] of CASES)
    it(`for ${upstream}, of ${lifetimeMs} ms, with${refreshToken === undefined ? 'out' : ''} a refresh token`, () => {
      const tokens = {
        kind: 'tokens',
        accessToken: 'a',
        idToken: 'i',
        claims: {},
        lifetimeMs,
        refreshToken,
      } as const;
      assert.deepEqual(tokenTimes(upstream, tokens, { exp: 2000 }, NOW_MS), times);
    });
});
