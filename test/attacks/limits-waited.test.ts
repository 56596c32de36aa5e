import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CounterState, Policy, PolicyContext } from '../../src/contract/index.ts';
import { credentialGuard } from '../../src/identity/index.ts';
import { adaptiveLimit } from '../../src/policies/adaptive-limit/policy.ts';
import { quota } from '../../src/policies/quota/policy.ts';
import { rateLimit } from '../../src/policies/rate-limit/policy.ts';
import type { RateLimitConfig } from '../../src/policies/rate-limit/schema.ts';
import { createLocalCounters } from '../../src/state/index.ts';
import { compileDeps, DEFAULT_NOW_MS, policyContext } from '../fixtures/policy-context.ts';

/**
 * A request may wait before it comes to a limit: for a place, for a hash, for somebody asked. Counted by when it came it
 * would set the counter's clock back by more than a window, and the next in time would find all of it given back: whoever
 * has some requests wait would have no limit at all.
 */

const LIMIT = 10;
const NOW_MS = DEFAULT_NOW_MS + 12 * 3_600_000;
const WAITED_MS = 5 * 60_000;

/** A request that came so long ago and is judged now. */
function waited(state: CounterState, waitedMs: number, nowMs = NOW_MS): PolicyContext {
  const context = policyContext({ state, nowMs: nowMs - waitedMs });
  return { ...context, deps: { ...context.deps, clock: { now: () => nowMs, monotonic: () => nowMs } } };
}

/** How many of a burst, with a request that waited after each few, are let on. */
async function admitted(policy: Policy): Promise<number> {
  const state = createLocalCounters();
  let count = 0;
  for (let i = 0; i < 10 * LIMIT; i++) {
    const isLate = i % LIMIT === LIMIT - 1;
    const decision = await policy.request?.(waited(state, isLate ? WAITED_MS : 0));
    assert.ok(decision !== undefined);
    if (decision.kind === 'continue') count++;
    else assert.ok(decision.kind === 'reject' && decision.error.status === 429);
  }
  return count;
}

const RATES: readonly [what: string, config: RateLimitConfig][] = [
  ['gcra', { limit: LIMIT, window: '1s' }],
  ['token-bucket', { limit: LIMIT, window: '1s', burst: LIMIT, algorithm: 'token-bucket' }],
  ['fixed-window', { limit: LIMIT, window: '1s', algorithm: 'fixed-window' }],
  ['sliding-window', { limit: LIMIT, window: '1s', algorithm: 'sliding-window' }],
  [
    'several limits',
    {
      limits: [
        { limit: LIMIT, window: '1s' },
        { limit: 10 * LIMIT, window: '1h' },
      ],
    },
  ],
];

describe('requests that waited', () => {
  for (const [what, config] of RATES) {
    it(`lift no rate-limit: ${what}`, async () => {
      const policy = await rateLimit.compile(config, compileDeps());
      assert.equal(await admitted(policy), LIMIT);
    });
  }

  it('lift no quota', async () => {
    const policy = await quota.compile({ limit: LIMIT, window: '1m' }, compileDeps());
    assert.equal(await admitted(policy), LIMIT);
  });

  it('lift no adaptive-limit', async () => {
    const policy = await adaptiveLimit.compile({ limit: LIMIT, window: '1s' }, compileDeps());
    assert.equal(await admitted(policy), LIMIT);
  });

  it('are counted by when they came as long as that changes nothing: a record tells when that was', async () => {
    const policy = await rateLimit.compile({ limit: 1, window: '1s' }, compileDeps());
    const state = createLocalCounters();
    assert.equal((await policy.request?.(waited(state, 999)))?.kind, 'continue');
    assert.equal((await policy.request?.(waited(state, 0, NOW_MS + 1)))?.kind, 'continue');
    assert.equal((await policy.request?.(waited(state, 999, NOW_MS + 1)))?.kind, 'reject');
  });

  it('shorten no wait for who guesses', async () => {
    const guard = credentialGuard({
      failures: 2,
      windowMs: 10_000,
      banAfter: 3,
      banWindowMs: 60_000,
      banMs: WAITED_MS,
    });
    const state = createLocalCounters();
    for (let i = 0; i < 10; i++) await guard.failed(waited(state, 0));
    assert.equal((await guard.check(waited(state, 0)))?.kind, 'reject');
    for (let i = 0; i < 3; i++) await guard.check(waited(state, WAITED_MS));
    assert.equal((await guard.check(waited(state, 0, NOW_MS + 1000)))?.kind, 'reject');
  });

  it('get back what they took by the very window they took it in', async () => {
    const config: RateLimitConfig = {
      limit: 1,
      window: '1m',
      algorithm: 'fixed-window',
      count: { status: [401] },
    };
    const policy = await rateLimit.compile(config, compileDeps());
    const state = createLocalCounters();
    const context = policyContext({ state, nowMs: NOW_MS });
    assert.equal((await policy.request?.(context))?.kind, 'continue');
    // The clock is set back by more than a window: another has the place of the window that is counted in now.
    context.now = NOW_MS - 10 * 60_000;
    assert.equal((await policy.request?.(waited(state, 0, context.now)))?.kind, 'continue');
    await context.end({ status: 200 });
    assert.equal((await policy.request?.(waited(state, 0, context.now)))?.kind, 'reject');
  });
});
