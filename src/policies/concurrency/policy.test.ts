import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { Compile } from 'typebox/schema';
import { type LimitCase, type LimitExpectation, limitCases } from '../../../test/fixtures/limit-cases.ts';
import { NO_STATE, remote } from '../../../test/fixtures/nobody-there.ts';
import {
  type ContextOptions,
  compileDeps,
  DEFAULT_NOW_MS,
  identity,
  policyContext,
  type RecordedContext,
} from '../../../test/fixtures/policy-context.ts';
import type {
  CounterState,
  Decision,
  Policy,
  Priority,
  SlotOutcome,
  SlotRule,
} from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { parseIpAddress } from '../../lib/ip-address.ts';
import { attachSharedCounters, createLocalCounters, createSharedCounters } from '../../state/index.ts';
import { concurrency } from './policy.ts';
import type { ConcurrencyConfig } from './schema.ts';

interface Ask {
  /** Requests that end before it, by their index. */
  readonly ends?: readonly number[];
  /** After the first request, in milliseconds. */
  readonly afterMs?: number;
  readonly client?: string;
  readonly consumer?: string;
  readonly route?: string;
  readonly headers?: readonly string[];
  readonly shadow?: boolean;
}

const cases = limitCases<ConcurrencyConfig, Ask>(new URL('cases.json', import.meta.url));
const schema = Compile(concurrency.schema);
const deps = () => compileDeps({ attachment: 'route:orders/concurrency' });
const shared = () => {
  const random = { hex: (bytes: number) => randomBytes(bytes).toString('hex') };
  return attachSharedCounters(createSharedCounters({ random, maxKeys: 16, maxQuotas: 16 }).memory);
};

describe('concurrency: cases.json', () => {
  for (const { name, config, configError, requests = [] } of cases) {
    it(name, async () => {
      if (configError !== undefined) return assert.deepEqual(await issuePaths(config), configError);
      assert.ok(schema.Check(config));
      assert.ok(requests.length > 0);
      await play(config, requests);
    });
  }
});

async function issuePaths(config: ConcurrencyConfig): Promise<readonly string[]> {
  if (!schema.Check(config)) return ['schema'];
  try {
    await concurrency.compile(config, deps());
  } catch (error) {
    if (error instanceof ConfigError) return error.issues.map((issue) => issue.path);
    throw error;
  }
  return [];
}

async function play(
  config: ConcurrencyConfig,
  requests: NonNullable<LimitCase<ConcurrencyConfig, Ask>['requests']>,
): Promise<void> {
  const policy = await concurrency.compile(config, deps());
  const state = createLocalCounters();
  const contexts: RecordedContext[] = [];
  let afterMs = 0;
  for (const [i, { expect, ends = [], ...ask }] of requests.entries()) {
    afterMs = ask.afterMs ?? afterMs;
    for (const ended of ends) {
      contexts[ended].now = DEFAULT_NOW_MS + afterMs;
      await contexts[ended].end();
    }
    const context = policyContext({ ...contextOf(ask), state, nowMs: DEFAULT_NOW_MS + afterMs });
    contexts.push(context);
    const told = describeDecision((await policy.request?.(context)) ?? { kind: 'take' }, context);
    const asked = Object.fromEntries(Object.entries(told).filter(([name]) => Object.hasOwn(expect, name)));
    assert.deepEqual(asked, expect, `request ${i}`);
  }
}

function contextOf({ client = '192.0.2.1', consumer, route, headers, shadow = false }: Ask): ContextOptions {
  const address = parseIpAddress(client);
  assert.ok(address !== undefined);
  return {
    client: address,
    shadow,
    ...(headers !== undefined && { headers }),
    ...(route !== undefined && { route }),
    ...(consumer !== undefined && { identity: identity({ consumer }) }),
  };
}

function describeDecision(decision: Decision, { recorded }: RecordedContext): LimitExpectation {
  if (decision.kind !== 'reject') return { decision: decision.kind, edits: recorded };
  const { code, status, rule = '', reason = '', headers } = decision.error;
  return { decision: 'reject', code, status, rule, reason, headers, edits: recorded };
}

/** One that waits, or is done. */
async function ask(policy: Policy, context: RecordedContext): Promise<string> {
  const decision = await policy.request?.(context);
  if (decision?.kind !== 'reject') return decision?.kind ?? 'nothing';
  return decision.error.reason ?? decision.error.code;
}

const QUEUED: ConcurrencyConfig = { limit: 1, queue: 10, wait: '10m' };

describe('concurrency', () => {
  it('gives the place of one that ended to one that waits, and answers at once where nobody waits', async () => {
    const state = shared();
    const policy = await concurrency.compile(QUEUED, deps());
    const first = policyContext({ state });
    const second = policyContext({ state });
    assert.equal(policy.request?.(first) instanceof Promise, false);
    const waits = ask(policy, second);
    await first.end();
    assert.equal(await waits, 'continue');
    await second.end();
    assert.equal(await ask(policy, policyContext({ state })), 'continue');
  });

  it('lets go of the place in the queue when the client goes away, and of one that it is given after that', async () => {
    const state = shared();
    const policy = await concurrency.compile({ ...QUEUED, queue: 1 }, deps());
    const first = policyContext({ state });
    await policy.request?.(first);
    const gone = policyContext({ state });
    const waits = ask(policy, gone);
    await gone.end({ status: 0, code: 'client-closed-request' });
    assert.equal(await waits, '1 of 1 under way, the client went away while it waited');
    const next = policyContext({ state });
    const waitsNext = ask(policy, next);
    await first.end();
    assert.equal(await waitsNext, 'continue');
    await next.end();
    assert.equal(await ask(policy, policyContext({ state })), 'continue');
  });

  it('gives back at once what comes after the request has ended', async () => {
    const local = createLocalCounters();
    const policy = await concurrency.compile({ limit: 1 }, deps());
    const late = Promise.withResolvers<void>();
    const state: CounterState = {
      ...NO_STATE,
      acquire: async (...use) => {
        await late.promise;
        return await local.acquire(...use);
      },
    };
    const context = endedContext({ state });
    const waits = ask(policy, context);
    await context.end();
    late.resolve();
    assert.equal(await waits, 'continue');
    assert.equal(await ask(policy, policyContext({ state: local })), 'continue');
  });

  const priorities: readonly (readonly [
    string | undefined,
    Priority | undefined,
    readonly string[],
    Priority,
  ])[] = [
    [undefined, undefined, [], 'normal'],
    [undefined, 'critical', [], 'critical'],
    ['high', 'low', [], 'high'],
    ['request.headers["x-urgent"] == "yes" ? "critical" : "low"', 'normal', ['x-urgent', 'yes'], 'critical'],
    ['request.headers["x-urgent"] == "yes" ? "critical" : "low"', 'normal', ['x-urgent', 'no'], 'low'],
    ['request.headers["x-urgent"] == "yes" ? "critical" : "low"', 'normal', [], 'normal'],
    ['request.headers["x-priority"]', 'high', ['x-priority', 'very'], 'high'],
    ['request.headers["x-priority"]', 'high', ['x-priority', 'low', 'x-priority', 'critical'], 'high'],
  ];
  for (const [priority, route, headers, expected] of priorities) {
    it(`asks as ${expected} by ${priority ?? 'nothing'} on a route of ${route ?? 'no'} priority, ${headers.join()}`, async () => {
      const { state, rules } = listening();
      const config = { ...QUEUED, ...(priority !== undefined && { priority }) };
      const policy = await concurrency.compile(config, deps());
      await policy.request?.(
        policyContext({ state, headers, ...(route !== undefined && { priority: route }) }),
      );
      assert.deepEqual(
        rules.map((rule) => rule.priority),
        [expected],
      );
    });
  }

  const waits: readonly (readonly [string, Partial<ConcurrencyConfig>, readonly string[], number, number])[] =
    [
      ['as long as it may', {}, [], 0, 600_000],
      ['until its route’s deadline', { deadline: '5s' }, [], 0, 5000],
      ['until what is left of it', { deadline: '5s' }, [], 2000, 3000],
      ['not at all after it', { deadline: '5s' }, [], 6000, 0],
      ['as long as it is worth', { deadline: '20m' }, [], 0, 600_000],
      ['until its client’s deadline', { deadlineHeader: 'X-Timeout' }, ['x-timeout', '900'], 100, 800],
      [
        'until the earlier of both',
        { deadline: '1s', deadlineHeader: 'x-timeout' },
        ['x-timeout', '9000'],
        0,
        1000,
      ],
      ['as long as it may without a word', { deadlineHeader: 'x-timeout' }, [], 0, 600_000],
      ['as long as it may by nonsense', { deadlineHeader: 'x-timeout' }, ['x-timeout', '-1'], 0, 600_000],
      [
        'as long as it may by two words',
        { deadlineHeader: 'x-timeout' },
        ['x-timeout', '1', 'x-timeout', '2'],
        0,
        600_000,
      ],
    ];
  for (const [how, more, headers, lateMs, expected] of waits) {
    it(`lets a request wait ${how}`, async () => {
      const { state, rules } = listening();
      const policy = await concurrency.compile({ ...QUEUED, ...more }, deps());
      await policy.request?.(laterContext({ state, headers }, lateMs));
      assert.deepEqual(
        rules.map(({ waitMs }) => waitMs),
        [expected],
      );
    });
  }

  it('does not forward what got its place when its deadline had passed, and gives the place back', async () => {
    const local = createLocalCounters();
    let lateMs = 0;
    const state: CounterState = {
      ...NO_STATE,
      acquire: async (...use) => {
        lateMs = 5000;
        return await local.acquire(...use);
      },
    };
    const policy = await concurrency.compile({ ...QUEUED, deadline: '5s' }, deps());
    const context = laterContext({ state }, () => lateMs);
    assert.equal(await ask(policy, context), '1 of 1 under way, its deadline passed while it waited');
    assert.equal(await ask(policy, policyContext({ state: local })), 'continue');
  });

  const losses: readonly (readonly [string, SlotOutcome, string])[] = [
    [
      'goes on with what is counted here',
      { granted: true, held: 1, lost: true, slot: { release() {} } },
      'continue',
    ],
    ['refuses where it is to be closed', { granted: false, held: 0, why: 'lost' }, 'limits-unavailable'],
  ];
  for (const [what, outcome, expected] of losses) {
    it(`${what} when the shared store is lost, and counts it`, async () => {
      const policy = await concurrency.compile({ limit: 1, onStateLoss: 'closed' }, deps());
      const context = policyContext({ state: { ...NO_STATE, acquire: () => outcome } });
      const decision = await policy.request?.(context);
      assert.equal(decision?.kind === 'reject' ? decision.error.code : decision?.kind, expected);
      assert.deepEqual(context.notices, ['state-lost']);
    });
  }

  it('tells the state how it is to be counted', async () => {
    const { state, rules } = listening();
    const config: ConcurrencyConfig = { limit: 7, onStateLoss: 'open' };
    const policy = await concurrency.compile(config, deps());
    await policy.request?.(policyContext({ state }));
    assert.deepEqual(rules, [
      { limit: 7, queue: 0, waitMs: 1000, priority: 'normal', counting: 'exact', onLoss: 'open' },
    ]);
  });

  it('takes counters that answer later', async () => {
    const state = remote(createLocalCounters());
    const policy = await concurrency.compile({ limit: 1 }, deps());
    const context = policyContext({ state });
    assert.equal(await ask(policy, context), 'continue');
    assert.equal(await ask(policy, policyContext({ state })), '1 of 1 under way');
    await context.end();
    assert.equal(await ask(policy, policyContext({ state })), 'continue');
  });

  it('fails, and so refuses, when the counters fail', async () => {
    const policy = await concurrency.compile({ limit: 1 }, deps());
    await assert.rejects(async () => policy.request?.(policyContext({ state: NO_STATE })));
  });

  it('goes on counting when its document changes, and knows how long places are held', async () => {
    const state = createLocalCounters();
    const same = deps();
    const before = await concurrency.compile({ limit: 1 }, same);
    const slow = policyContext({ state });
    await before.request?.(slow);
    slow.now += 30_000;
    await slow.end();
    await before.request?.(policyContext({ state }));
    const after = await concurrency.compile({ limit: 2, name: 'other' }, same);
    await before.dispose?.();
    assert.equal(await ask(after, policyContext({ state })), 'continue');
    const refused = await after.request?.(policyContext({ state }));
    assert.deepEqual(refused?.kind === 'reject' && refused.error.headers, ['Retry-After', '15']);
  });

  it('never puts a caller chosen value into what it says', async () => {
    const state = createLocalCounters();
    const policy = await concurrency.compile({ limit: 1, by: { header: 'x-tenant' } }, deps());
    const context = () => policyContext({ state, headers: { 'x-tenant': 'secret-tenant' } });
    await policy.request?.(context());
    const refused = await policy.request?.(context());
    assert.equal(refused?.kind, 'reject');
    assert.equal(JSON.stringify(refused).includes('secret-tenant'), false);
  });

  for (const [by, needs] of [
    [undefined, []],
    ['consumer', ['identity']],
    [{ claim: 'tenant' }, ['identity']],
    ['address', []],
  ] as const) {
    it(`needs ${needs.join() || 'nothing'} by ${JSON.stringify(by) ?? 'default'}`, () => {
      assert.ok(typeof concurrency.needs === 'function');
      assert.deepEqual(concurrency.needs(by === undefined ? { limit: 1 } : { limit: 1, by }), needs);
    });
  }
});

/** Grants everything, and remembers by which rules it was asked. */
function listening(): { readonly state: CounterState; readonly rules: SlotRule[] } {
  const rules: SlotRule[] = [];
  const acquire: CounterState['acquire'] = (_scope, _key, rule) => {
    rules.push(rule);
    return { granted: true, held: 1, slot: { release() {} } };
  };
  return { state: { ...NO_STATE, acquire }, rules };
}

/** A request that came `lateMs` before now. */
function laterContext(options: ContextOptions, lateMs: number | (() => number)): RecordedContext {
  const context = policyContext(options);
  const now = () => context.now + (typeof lateMs === 'number' ? lateMs : lateMs());
  return { ...context, deps: { ...context.deps, clock: { now, monotonic: now } } };
}

/** As the evaluator's: what is asked for after the end is done at once. */
function endedContext(options: ContextOptions): RecordedContext {
  const context = policyContext(options);
  let isOver = false;
  return {
    ...context,
    onEnd: (work) => {
      context.onEnd(work);
      if (isOver) void context.end();
    },
    end: async (end) => {
      isOver = true;
      await context.end(end);
    },
  };
}
