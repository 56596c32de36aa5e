import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { policyContext } from '../../test/fixtures/policy-context.ts';
import type { LimitOutcome } from '../contract/index.ts';
import {
  type HeadersPreset,
  kongWindowOf,
  limitHeaders,
  limitName,
  type ToldLimit,
  wholeSeconds,
} from './limit-headers.ts';

const SECOND: ToldLimit = { name: 'per-second', limit: 10, windowMs: 1000 };
const HOUR: ToldLimit = { name: 'per-hour', limit: 1000, windowMs: 3_600_000 };
const room = (remaining: number, resetMs: number): LimitOutcome => ({
  allowed: true,
  remaining,
  retryAfterMs: 0,
  resetMs,
});
const full = (retryAfterMs: number, resetMs = 3_600_000): LimitOutcome => ({
  allowed: false,
  remaining: 0,
  retryAfterMs,
  resetMs,
});

/** What an answer says: fields that replace others, `+` before one that is added to them. */
function told(
  preset: HeadersPreset | undefined,
  limits: readonly ToldLimit[],
  outcomes: readonly LimitOutcome[],
  returned = 0,
): readonly string[] {
  const context = policyContext();
  const headers = limitHeaders(preset, limits);
  if (outcomes.length === 1) headers?.append(context, outcomes[0]);
  else headers?.appendAll(context, outcomes, returned);
  return context.recorded.map(
    ([call, name, value]) => `${call === 'appendResponseHeader' ? '+' : ''}${name}: ${value}`,
  );
}

describe('headers of one limit', () => {
  const cases: readonly [preset: HeadersPreset | undefined, outcome: LimitOutcome, lines: string[]][] = [
    [
      undefined,
      room(999, 3600),
      ['+RateLimit-Policy: "per-hour";q=1000;w=3600', '+RateLimit: "per-hour";r=999;t=4'],
    ],
    ['draft', full(1500), ['+RateLimit-Policy: "per-hour";q=1000;w=3600', '+RateLimit: "per-hour";r=0;t=2']],
    [
      'kong',
      room(999, 3600),
      [
        'X-RateLimit-Limit-Hour: 1000',
        'X-RateLimit-Remaining-Hour: 999',
        'RateLimit-Limit: 1000',
        'RateLimit-Remaining: 999',
        'RateLimit-Reset: 4',
      ],
    ],
    [
      'envoy',
      full(1500),
      [
        'x-ratelimit-limit: 1000, 1000;w=3600;name="per-hour"',
        'x-ratelimit-remaining: 0',
        'x-ratelimit-reset: 2',
      ],
    ],
    [
      'openai',
      room(59, 1000),
      [
        'x-ratelimit-limit-requests: 1000',
        'x-ratelimit-remaining-requests: 59',
        'x-ratelimit-reset-requests: 1s',
      ],
    ],
    ['none', room(59, 1000), []],
  ];
  for (const [preset, outcome, lines] of cases) {
    it(`${preset ?? 'by default'}, ${outcome.allowed ? 'with room' : 'used up'}`, () => {
      assert.deepEqual(told(preset, [HOUR], [outcome]), lines);
    });
  }

  it('leave out a window that is no whole number of seconds, or changes', () => {
    for (const windowMs of [1500, undefined]) {
      const limit = { name: 'a', limit: 5, windowMs };
      assert.equal(told('draft', [limit], [room(1, 1)])[0], '+RateLimit-Policy: "a";q=5');
      assert.equal(told('envoy', [limit], [room(1, 1)])[0], 'x-ratelimit-limit: 5, 5;name="a"');
    }
  });

  it('never say a time without an end', () => {
    assert.equal(
      told('draft', [HOUR], [full(Number.POSITIVE_INFINITY, 5000)])[1],
      '+RateLimit: "per-hour";r=0;t=5',
    );
  });

  it('say times to OpenAI’s clients as Go writes them', () => {
    for (const [ms, text] of [
      [0, '0s'],
      [1, '1ms'],
      [0.2, '1ms'],
      [999, '999ms'],
      [1000, '1s'],
      [8640, '8.64s'],
      [59_999, '59.999s'],
      [60_000, '1m0s'],
      [360_000, '6m0s'],
      [3_600_000, '1h0m0s'],
      [86_400_000 + 61_500, '24h1m1.5s'],
    ] as const) {
      assert.equal(told('openai', [HOUR], [room(0, ms)])[2], `x-ratelimit-reset-requests: ${text}`);
    }
  });
});

describe('headers of several limits', () => {
  const both = [SECOND, HOUR];
  it('are members of one list', () => {
    assert.deepEqual(told('draft', both, [room(9, 100), room(500, 1_800_000)]), [
      '+RateLimit-Policy: "per-second";q=10;w=1, "per-hour";q=1000;w=3600',
      '+RateLimit: "per-second";r=9;t=1, "per-hour";r=500;t=1800',
    ]);
  });

  it('say what those that had room got back when another refused', () => {
    const [, standing] = told('draft', both, [full(300), room(498, 1_800_000)], 2);
    assert.equal(standing, '+RateLimit: "per-second";r=0;t=1, "per-hour";r=500;t=1800');
  });

  const tightest: readonly [what: string, outcomes: LimitOutcome[], limit: number][] = [
    ['the least left', [room(9, 100), room(500, 9000)], 10],
    ['the least left, of the longer', [room(9, 100), room(3, 9000)], 1000],
    ['of equals the longer window', [room(3, 100), room(3, 9000)], 1000],
    ['one that refuses, whatever another has left', [full(300), room(0, 9000)], 10],
    ['of several that refuse the longest wait', [full(900), full(9000)], 1000],
  ];
  for (const [what, outcomes, limit] of tightest) {
    it(`say one in particular: ${what}`, () => {
      assert.ok(told('kong', both, outcomes).includes(`RateLimit-Limit: ${limit}`));
      assert.ok(told('envoy', both, outcomes)[0].startsWith(`x-ratelimit-limit: ${limit}, `));
      assert.equal(told('openai', both, outcomes)[0], `x-ratelimit-limit-requests: ${limit}`);
    });
  }

  it('in Kong’s names, each by its window', () => {
    assert.deepEqual(told('kong', both, [room(9, 100), room(500, 9000)]), [
      'X-RateLimit-Limit-Second: 10',
      'X-RateLimit-Remaining-Second: 9',
      'X-RateLimit-Limit-Hour: 1000',
      'X-RateLimit-Remaining-Hour: 500',
      'RateLimit-Limit: 10',
      'RateLimit-Remaining: 9',
      'RateLimit-Reset: 1',
    ]);
  });

  it('in Envoy’s names, all policies in one', () => {
    assert.deepEqual(told('envoy', both, [room(9, 100), room(500, 9000)]), [
      'x-ratelimit-limit: 10, 10;w=1;name="per-second", 1000;w=3600;name="per-hour"',
      'x-ratelimit-remaining: 9',
      'x-ratelimit-reset: 1',
    ]);
  });
});

describe('what headers are made of', () => {
  it('Kong has names for six windows', () => {
    const day = 86_400_000;
    const windows = [1000, 60_000, 3_600_000, day, 30 * day, 365 * day].map(kongWindowOf);
    assert.deepEqual(windows, ['Second', 'Minute', 'Hour', 'Day', 'Month', 'Year']);
    assert.deepEqual([undefined, 500, 300_000, 31 * day].map(kongWindowOf), Array(4).fill(undefined));
    assert.throws(() => limitHeaders('kong', [{ name: 'a', limit: 1, windowMs: 500 }]));
    const month: ToldLimit = { name: 'a', limit: 1, windowMs: undefined, kongWindow: 'Month' };
    assert.equal(told('kong', [month], [room(0, 1)])[0], 'X-RateLimit-Limit-Month: 1');
  });

  it('seconds are rounded up', () => assert.deepEqual([0, 1, 1000, 1001].map(wholeSeconds), [0, 1, 1, 2]));

  it('a name is the attachment’s own', () => {
    assert.equal(limitName('route:orders/rate-limit#2', 'orders'), 'rate-limit-2');
    assert.equal(limitName('route:orders/rate-limit@per minute', 'orders'), 'rate-limit-per-minute');
    assert.equal(limitName('listener:public/rate-limit', undefined), 'listener-rate-limit');
  });
});
