import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { NO_STATE, remote } from '../../../test/fixtures/nobody-there.ts';
import {
  compileDeps,
  DEFAULT_NOW_MS,
  policyContext,
  type RecordedContext,
} from '../../../test/fixtures/policy-context.ts';
import type { Charge, CounterState, Decision, LimitOutcome, Policy } from '../../contract/index.ts';
import { createLocalCounters } from '../../state/index.ts';
import { rateLimit } from './policy.ts';
import type { LimitOption, RateLimitConfig } from './schema.ts';

const deps = compileDeps({ attachment: 'route:orders/rate-limit' });
const compile = async (config: RateLimitConfig): Promise<Policy> => await rateLimit.compile(config, deps);

async function ask(policy: Policy, context: RecordedContext): Promise<Decision> {
  const decision = await policy.request?.(context);
  assert.ok(decision);
  return decision;
}

/** Seconds that a refusal tells to wait; 0 for none. */
function told(decision: Decision): number {
  if (decision.kind !== 'reject') return 0;
  const { headers } = decision.error;
  assert.equal(headers[0], 'Retry-After');
  return Number(headers[1]);
}

const WINDOWS = ['250ms', '1s', '7s', '1m', '90s', '1h', '1d'] as const;

const aLimit: fc.Arbitrary<Omit<LimitOption, 'window'>> = fc.oneof(
  fc.record({ limit: fc.integer({ min: 1, max: 40 }) }),
  fc.record({ limit: fc.integer({ min: 1, max: 40 }), burst: fc.integer({ min: 1, max: 60 }) }),
  fc.record({
    limit: fc.integer({ min: 1, max: 40 }),
    burst: fc.integer({ min: 1, max: 60 }),
    algorithm: fc.constant('token-bucket' as const),
  }),
  fc.record({
    limit: fc.integer({ min: 1, max: 40 }),
    algorithm: fc.constantFrom('fixed-window' as const, 'sliding-window' as const),
  }),
);

const someLimits: fc.Arbitrary<LimitOption[]> = fc
  .subarray([...WINDOWS], { minLength: 1, maxLength: 4 })
  .chain((windows) => fc.tuple(...windows.map((window) => aLimit.map((one) => ({ ...one, window })))));

const most = (limits: readonly LimitOption[]): number =>
  Math.min(
    ...limits.map(({ limit, burst, algorithm = 'gcra' }) =>
      algorithm === 'gcra' || algorithm === 'token-bucket' ? (burst ?? limit) : limit,
    ),
  );

/** When requests come, in milliseconds after the one before, mostly at once. */
const someGaps = fc.array(
  fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 90_000 })),
  {
    minLength: 1,
    maxLength: 60,
  },
);

describe('Retry-After', () => {
  it('is kept: who waits exactly so long gets through', async () => {
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(someLimits, someGaps, fc.nat(), async (limits, gaps, seed) => {
        const cost = 1 + (seed % most(limits));
        const policy = await compile({ limits, cost, headers: 'none' });
        const state = createLocalCounters();
        let nowMs = DEFAULT_NOW_MS + (seed % 100_000);
        const send = async () => await ask(policy, policyContext({ state, nowMs }));
        for (const gap of gaps) {
          nowMs += gap;
          const seconds = told(await send());
          if (seconds === 0) continue;
          refused++;
          nowMs += seconds * 1000;
          assert.equal(told(await send()), 0, `refused ${seconds} s later`);
        }
      }),
      { numRuns: 150 },
    );
    assert.ok(refused > 100, `only ${refused} were refused`);
  });

  it('is not longer than it has to be: a second less is refused', async () => {
    await fc.assert(
      fc.asyncProperty(someLimits, fc.nat(), async (limits, seed) => {
        const policy = await compile({ limits, headers: 'none' });
        const state = createLocalCounters();
        const nowMs = DEFAULT_NOW_MS + (seed % 100_000);
        const send = async (at: number) => told(await ask(policy, policyContext({ state, nowMs: at })));
        let seconds = 0;
        for (let n = 0; n < 100 && seconds === 0; n++) seconds = await send(nowMs);
        // A refused request changes nothing, so that it may be asked before its time.
        if (seconds > 1) assert.ok((await send(nowMs + (seconds - 1) * 1000)) > 0);
      }),
      { numRuns: 100 },
    );
  });
});

describe('a token bucket', () => {
  it('admits what gcra with its burst does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 60 }),
        fc.constantFrom(...WINDOWS),
        someGaps,
        async (limit, burst, window, gaps) => {
          const run = async (algorithm: 'gcra' | 'token-bucket') => {
            const policy = await compile({ limit, burst, window, algorithm });
            const state = createLocalCounters();
            let nowMs = DEFAULT_NOW_MS;
            const seen: unknown[] = [];
            for (const gap of gaps) {
              nowMs += gap;
              const context = policyContext({ state, nowMs });
              seen.push(told(await ask(policy, context)), context.recorded);
            }
            return seen;
          };
          assert.deepEqual(await run('gcra'), await run('token-bucket'));
        },
      ),
      { numRuns: 50 },
    );
  });

  it('is a bucket: what came in, at most its size, less what was taken', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 60 }),
        someGaps,
        async (limit, burst, gaps) => {
          const policy = await compile({ limit, burst, window: '1m', algorithm: 'token-bucket' });
          const state = createLocalCounters();
          let nowMs = DEFAULT_NOW_MS;
          // In parts of a token, so that it is exact: a millisecond brings `limit`, a token is a window of them.
          let tokens = burst * 60_000;
          for (const gap of gaps) {
            nowMs += gap;
            tokens = Math.min(burst * 60_000, tokens + gap * limit);
            const isThere = tokens >= 60_000;
            if (isThere) tokens -= 60_000;
            const decision = await ask(policy, policyContext({ state, nowMs }));
            assert.equal(decision.kind, isThere ? 'continue' : 'reject');
          }
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('several limits', () => {
  it('admit what all of them admit, and a refused request costs none of them anything', async () => {
    await fc.assert(
      fc.asyncProperty(someLimits, someGaps, async (limits, gaps) => {
        const named = limits.map((one, i) => ({ ...one, name: `l${i}` }));
        const together = await compile({ limits: named });
        const apart = await Promise.all(named.map(async (one) => await compile({ limits: [one] })));
        const state = createLocalCounters();
        const states = apart.map(() => createLocalCounters());
        let nowMs = DEFAULT_NOW_MS;
        for (const gap of gaps) {
          nowMs += gap;
          const decision = await ask(together, policyContext({ state, nowMs }));
          if (decision.kind === 'continue') {
            for (const [i, one] of apart.entries()) {
              const alone = await ask(one, policyContext({ state: states[i], nowMs }));
              assert.equal(alone.kind, 'continue', `l${i} would have refused`);
            }
            continue;
          }
          assert.ok(decision.kind === 'reject');
          const refusing: string[] = [];
          for (const [i, one] of apart.entries()) {
            const alone = await ask(one, policyContext({ state: onTrial(states[i]), nowMs }));
            if (alone.kind === 'reject') refusing.push(`l${i}`);
          }
          assert.equal(decision.error.rule, refusing.join(', '));
        }
      }),
      { numRuns: 100 },
    );
  });
});

/** Counters that are only asked: what is charged is given back at once. */
function onTrial(state: CounterState): CounterState {
  return {
    ...NO_STATE,
    async charge(list, nowMs) {
      const outcomes = await state.charge(list, nowMs);
      if (outcomes.every(({ allowed }) => allowed)) await state.refund(list, nowMs, nowMs);
      return outcomes;
    },
  };
}

const ROOM: LimitOutcome = { allowed: true, remaining: 1, retryAfterMs: 0, resetMs: 1000 };
const FULL: LimitOutcome = { allowed: false, remaining: 0, retryAfterMs: 1500, resetMs: 1500, full: true };
const NEVER: LimitOutcome = {
  allowed: false,
  remaining: 0,
  retryAfterMs: Number.POSITIVE_INFINITY,
  resetMs: 0,
};
const LOST: LimitOutcome = { ...ROOM, lost: true };
const LOST_CLOSED: LimitOutcome = { ...ROOM, allowed: false, lost: true };

/** Counters that say this, whatever is asked, and remember what is given back. */
function saying(outcomes: readonly LimitOutcome[]): CounterState & { readonly returned: Charge[] } {
  const returned: Charge[] = [];
  return {
    ...NO_STATE,
    returned,
    gcra: () => outcomes[0],
    slidingWindow: () => outcomes[0],
    charge: () => outcomes,
    refund: (list) => void returned.push(...list),
  };
}

describe('what counters may say', () => {
  const one: RateLimitConfig = { limit: 5, window: '1m' };
  const two: RateLimitConfig = {
    limits: [
      { limit: 5, window: '1m', name: 'm' },
      { limit: 9, window: '1h', name: 'h' },
    ],
  };
  const closed = { onStateLoss: 'closed' } as const;
  const cases: readonly [
    what: string,
    config: RateLimitConfig,
    outcomes: readonly LimitOutcome[],
    code: string | undefined,
    retry: number,
    notices: readonly string[],
  ][] = [
    ['room', one, [ROOM], undefined, 0, []],
    ['no place left in the table', one, [FULL], 'rate-limited', 2, []],
    ['no wait helps', one, [NEVER], 'rate-limited', 60, []],
    ['lost, and open or counted here', one, [LOST], undefined, 0, ['state-lost']],
    ['lost, and refused by the share of here', one, [LOST_CLOSED], 'rate-limited', 0, ['state-lost']],
    ['lost, and closed', { ...one, ...closed }, [LOST_CLOSED], 'limits-unavailable', 1, ['state-lost']],
    [
      'lost, a fixed window',
      { ...one, ...closed, algorithm: 'fixed-window' },
      [LOST_CLOSED],
      'limits-unavailable',
      1,
      ['state-lost'],
    ],
    ['several, all lost', two, [LOST, LOST], undefined, 0, ['state-lost']],
    [
      'several, lost and closed',
      { ...two, ...closed },
      [LOST_CLOSED, LOST_CLOSED],
      'limits-unavailable',
      1,
      ['state-lost'],
    ],
    ['several, no place for one', two, [ROOM, FULL], 'rate-limited', 2, []],
    ['several, no wait helps with one', two, [ROOM, NEVER], 'rate-limited', 3600, []],
  ];
  for (const [what, config, outcomes, code, retry, notices] of cases) {
    for (const later of [false, true]) {
      it(`${what}${later ? ', later' : ''}: ${code ?? 'let on'}`, async () => {
        const state = saying(outcomes);
        const context = policyContext({ state: later ? remote(state) : state });
        const decision = await ask(await compile(config), context);
        assert.equal(decision.kind === 'reject' ? decision.error.code : undefined, code);
        assert.equal(told(decision), retry);
        assert.deepEqual(context.notices, notices);
        if (code === 'limits-unavailable') assert.deepEqual(context.recorded, []);
        if (outcomes.includes(FULL)) {
          assert.ok(decision.kind === 'reject');
          assert.match(decision.error.reason ?? '', /table of counters/);
        }
      });
    }
  }

  it('nothing is given back that the shared store never took', async () => {
    for (const config of [one, two]) {
      const policy = await compile({ ...config, count: { status: [401] } });
      const state = saying([LOST, LOST]);
      const context = policyContext({ state });
      await ask(policy, context);
      await context.end({ status: 200 });
      assert.deepEqual(state.returned, []);
    }
  });

  it('says to the counters how they are shared', async () => {
    const rules: unknown[] = [];
    const state: CounterState = {
      ...NO_STATE,
      gcra: (_scope, _key, rule) => {
        rules.push([rule.counting, rule.onLoss]);
        return ROOM;
      },
      charge: (list) => {
        for (const { rule } of list) rules.push([rule.counting, rule.onLoss]);
        return list.map(() => ROOM);
      },
    };
    const shared = { counting: 'leased', onStateLoss: 'open' } as const;
    for (const config of [one, { ...one, ...shared }, { ...two, ...shared }])
      await ask(await compile(config), policyContext({ state }));
    const leased = ['leased', 'open'];
    assert.deepEqual(rules, [['exact', 'local'], leased, leased, leased]);
  });
});

describe('only answers that count', () => {
  const count = { status: [401] };
  const configs: readonly [what: string, config: RateLimitConfig][] = [
    ['gcra', { limit: 5, window: '1m' }],
    ['a token bucket', { limit: 5, window: '1m', burst: 5, algorithm: 'token-bucket' }],
    ['a fixed window', { limit: 5, window: '1m', algorithm: 'fixed-window' }],
    ['a sliding window', { limit: 5, window: '1m', algorithm: 'sliding-window' }],
    [
      'several limits',
      {
        limits: [
          { limit: 5, window: '1m' },
          { limit: 50, window: '1h', algorithm: 'fixed-window' },
        ],
      },
    ],
  ];
  for (const [what, config] of configs) {
    it(`never more are under way than may still count: ${what}`, async () => {
      const policy = await compile({ ...config, count });
      const state = createLocalCounters();
      const send = async () => {
        const context = policyContext({ state });
        return (await ask(policy, context)).kind === 'continue' ? context : undefined;
      };
      const underWay = await Promise.all(Array.from({ length: 12 }, send));
      const admitted = underWay.filter((context) => context !== undefined);
      assert.equal(admitted.length, 5);
      for (const [i, context] of admitted.entries()) await context.end({ status: i < 2 ? 401 : 200 });
      const after = await Promise.all(Array.from({ length: 12 }, send));
      assert.equal(after.filter((context) => context !== undefined).length, 3);
    });
  }

  it('with a window of another length counts from zero, in windows that end when they are said to', async () => {
    const state = createLocalCounters();
    const config = { limit: 1, algorithm: 'fixed-window' } as const;
    const halfPast = policyContext({ state, nowMs: DEFAULT_NOW_MS + 30 * 60_000 });
    const minutes = await compile({ ...config, window: '1m' });
    assert.equal((await ask(minutes, halfPast)).kind, 'continue');
    const hours = await compile({ ...config, window: '1h' });
    assert.equal((await ask(hours, halfPast)).kind, 'continue');
    const refused = await ask(hours, halfPast);
    assert.ok(refused.kind === 'reject');
    assert.deepEqual(refused.error.headers, ['Retry-After', '1800']);
    // Who is still judged by the document of before changes nothing.
    const later = policyContext({ state, nowMs: DEFAULT_NOW_MS + 31 * 60_000 });
    assert.equal((await ask(minutes, later)).kind, 'continue');
    assert.equal((await ask(hours, later)).kind, 'reject');
  });

  it('gives back into the window it was taken from, and no other', async () => {
    const policy = await compile({ limit: 2, window: '1s', algorithm: 'fixed-window', count });
    const state = createLocalCounters();
    const slow = policyContext({ state });
    assert.equal((await ask(policy, slow)).kind, 'continue');
    const at = (ms: number) => policyContext({ state, nowMs: DEFAULT_NOW_MS + ms });
    // Three windows later others have used up what there is; the slow one's answer comes then.
    for (let n = 0; n < 2; n++) assert.equal((await ask(policy, at(3000))).kind, 'continue');
    slow.now = DEFAULT_NOW_MS + 3001;
    await slow.end({ status: 200 });
    assert.equal((await ask(policy, at(3002))).kind, 'reject');
  });
});
