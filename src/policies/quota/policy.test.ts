import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Compile } from 'typebox/schema';
import { limitCases } from '../../../test/fixtures/limit-cases.ts';
import { NO_STATE, remote } from '../../../test/fixtures/nobody-there.ts';
import { compileDeps, identity, policyContext } from '../../../test/fixtures/policy-context.ts';
import type { Charge, CounterState, LimitOutcome, Policy } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { createLocalCounters } from '../../state/index.ts';
import { quota } from './policy.ts';
import type { QuotaConfig } from './schema.ts';

interface Ask {
  readonly at?: string;
  readonly client?: string;
  readonly consumer?: string;
  readonly group?: string;
  readonly route?: string;
  readonly cost?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly shadow?: boolean;
}

const cases = limitCases<QuotaConfig, Ask>(new URL('cases.json', import.meta.url));
const schema = Compile(quota.schema);
const ATTACHMENT = 'route:orders/quota';
const deps = compileDeps({ attachment: ATTACHMENT });
const compile = async (config: QuotaConfig): Promise<Policy> => await quota.compile(config, deps);

for (const [where, stateOf] of [
  ['counters at hand', (state: CounterState) => state],
  ['counters that answer later', remote],
] as const) {
  describe(`quota: cases.json, with ${where}`, () => {
    for (const { name, config, configError, requests = [] } of cases) {
      it(name, async () => {
        if (configError !== undefined) return assert.deepEqual(await issuePaths(config), configError);
        assert.ok(schema.Check(config));
        assert.ok(requests.length > 0);
        const policy = await compile(config);
        const state = stateOf(createLocalCounters());
        for (const [i, { expect, ...ask }] of requests.entries()) {
          const observed = await decide(policy, state, ask);
          const asked = Object.keys(expect).map((key) => [
            key,
            Object.entries(observed).find(([k]) => k === key)?.[1],
          ]);
          assert.deepEqual(Object.fromEntries(asked), expect, `request ${i}`);
        }
      });
    }
  });
}

const contextOf = (state: CounterState, { at, consumer, group, cost, headers = {}, ...ask }: Ask) =>
  policyContext({
    ...ask,
    state,
    headers: cost === undefined ? headers : { ...headers, 'x-cost': `${cost}` },
    ...(at === undefined ? {} : { nowMs: Date.parse(at) }),
    identity:
      consumer === undefined ? undefined : identity({ consumer, groups: group === undefined ? [] : [group] }),
  });

async function decide(policy: Policy, state: CounterState, ask: Ask) {
  const c = contextOf(state, ask);
  const decision = (await policy.request?.(c)) ?? { kind: 'continue' };
  const error = decision.kind === 'reject' ? decision.error : undefined;
  const { code, status, rule, detail, headers } = error ?? {};
  return {
    decision: decision.kind,
    code,
    status,
    rule,
    detail,
    headers,
    edits: c.recorded,
    notices: c.notices,
  };
}

async function issuePaths(config: QuotaConfig): Promise<string[]> {
  if (!schema.Check(config)) return ['schema'];
  try {
    await compile(config);
  } catch (error) {
    if (error instanceof ConfigError) return error.issues.map(({ path }) => path);
    throw error;
  }
  return [];
}

/** Counters that answer what the test says, and remember what was charged. */
function scripted(...answers: readonly Partial<LimitOutcome>[]) {
  const charged: (readonly Charge[])[] = [];
  const state: CounterState = {
    ...NO_STATE,
    charge(charges) {
      charged.push(charges);
      return charges.map((_, i) => ({
        allowed: true,
        remaining: 1,
        retryAfterMs: 0,
        resetMs: 1000,
        ...answers[Math.min(i, answers.length - 1)],
      }));
    },
  };
  return { state, charged };
}

const only = (charged: readonly (readonly Charge[])[]): Charge => {
  assert.equal(charged.length, 1);
  assert.equal(charged[0].length, 1);
  return charged[0][0];
};

describe('quota: what is counted', () => {
  const DAILY: QuotaConfig = { limit: 5, per: 'day' };

  it('has one name whatever the limit, the name, the cost and what is carried over', async () => {
    const scopes = new Set<string>();
    const changes: Partial<QuotaConfig>[] = [
      {},
      { limit: 9 },
      { name: 'x' },
      { cost: 2 },
      { carryOver: 1 },
      { by: 'consumer' },
      { timeZone: 'Asia/Tokyo' },
    ];
    for (const change of changes) {
      const { state, charged } = scripted();
      await decide(await compile({ ...DAILY, ...change }), state, { consumer: 'a' });
      const { scope, key } = only(charged);
      assert.equal(key, 'a');
      scopes.add(scope);
    }
    assert.deepEqual([...scopes], [`${ATTACHMENT} own day by consumer`]);
  });

  it('has another name for another window, other callers, and in shadow', async () => {
    const scopes: string[] = [];
    const kinds: [Partial<QuotaConfig>, Ask][] = [
      [{}, { consumer: 'a' }],
      [{}, {}],
      [{}, { consumer: 'a', shadow: true }],
      [{ per: 'week' }, { consumer: 'a' }],
      [{ by: 'group' }, { consumer: 'a', group: 'a' }],
      [{ by: { header: 'X-Tenant' } }, { headers: { 'x-tenant': 'a' } }],
      [{ by: { header: 'X-Other' } }, { headers: { 'x-other': 'a' } }],
      [{ by: { expression: '"a" + request.method' } }, {}],
      [{ by: { expression: '"b" + request.method' } }, {}],
      [{ by: { address: { ipv4: 24 } } }, {}],
    ];
    for (const [change, ask] of kinds) {
      const { state, charged } = scripted();
      await decide(await compile({ ...DAILY, ...change }), state, ask);
      scopes.push(only(charged).scope);
    }
    assert.equal(new Set(scopes).size, kinds.length, scopes.join('\n'));
    assert.deepEqual(scopes.slice(0, 3), [
      `${ATTACHMENT} own day by consumer`,
      `${ATTACHMENT} own day by consumer, else address`,
      `${ATTACHMENT} own day by consumer in shadow`,
    ]);
  });

  it('keeps values of headers, claims and expressions by their digest alone', async () => {
    const secret = 'a-secret-that-a-client-sends';
    const { state, charged } = scripted();
    const policy = await compile({ ...DAILY, by: { header: 'x-api-key' } });
    await decide(policy, state, { headers: { 'x-api-key': secret } });
    const { key } = only(charged);
    assert.match(key, /^sha256:[\w-]{22}$/);
    assert.doesNotMatch(JSON.stringify(charged), new RegExp(secret));
    const expressed = scripted();
    await decide(
      await compile({ ...DAILY, by: { expression: 'request.headers["x-api-key"]' } }),
      expressed.state,
      {
        headers: { 'x-api-key': secret },
      },
    );
    assert.equal(only(expressed.charged).key, key);
  });

  it('is told apart by address, as it is, where the header is not there', async () => {
    const { state, charged } = scripted();
    const { notices } = await decide(await compile({ ...DAILY, by: { header: 'x-tenant' } }), state, {});
    assert.equal(only(charged).key, '192.0.2.1');
    assert.deepEqual(notices, ['key-undecided']);
  });

  it('is counted for each quota by itself where nothing that is asked for is there', async () => {
    const { state, charged } = scripted();
    const within = [
      { limit: 9, by: 'group' as const },
      { limit: 9, by: { header: 'x-tenant' } },
    ];
    await decide(await compile({ ...DAILY, within, spillOver: { limit: 9, by: 'group' } }), state, {});
    const scopes = charged[0].map(({ scope, key }) => `${scope} ${key}`);
    assert.equal(new Set(scopes).size, 3, scopes.join('\n'));
  });

  it('says what it is called', async () => {
    const { state, charged } = scripted();
    const config: QuotaConfig = { limit: 5, per: 'day', name: 'daily', by: { header: 'X-Tenant' } };
    await decide(await compile(config), state, { headers: { 'x-tenant': 'a' }, shadow: true });
    const charge = only(charged);
    assert.ok(charge.kind === 'quota');
    assert.deepEqual(charge.rule.about, {
      attachment: ATTACHMENT,
      name: 'daily',
      by: 'header x-tenant',
      shadow: true,
    });
  });

  it('says which keys anybody may be', async () => {
    const kinds: [QuotaConfig['by'], Ask, boolean][] = [
      [undefined, { consumer: 'a' }, false],
      [undefined, {}, true],
      ['consumer', {}, true],
      ['group', { consumer: 'a', group: 'g' }, false],
      ['route', {}, false],
      ['address', { consumer: 'a' }, true],
      [{ address: { ipv4: 24 } }, {}, true],
      [{ header: 'x-tenant' }, { headers: { 'x-tenant': 'a' } }, true],
      [{ expression: '"a" + request.method' }, {}, true],
    ];
    for (const [by, ask, unproven] of kinds) {
      const { state, charged } = scripted();
      await decide(await compile(by === undefined ? DAILY : { ...DAILY, by }), state, ask);
      const charge = only(charged);
      assert.ok(charge.kind === 'quota');
      assert.equal(charge.rule.unproven, unproven, JSON.stringify(by));
    }
  });

  it('is asked of counters by one rule for all requests of a window', async () => {
    const { state, charged } = scripted();
    const policy = await compile({ ...DAILY, counting: 'leased', onStateLoss: 'closed' });
    for (const at of ['2026-11-25T00:00:00Z', '2026-11-25T23:59:59Z', '2026-11-26T00:00:00Z'])
      await decide(policy, state, { at, consumer: 'a' });
    const [first, second, third] = charged.map(([charge]) => charge.rule);
    assert.equal(first, second);
    assert.notEqual(second, third);
    assert.equal(first.counting, 'leased');
    assert.equal(first.onLoss, 'closed');
  });
});

describe('quota: counters that are not as usual', () => {
  const DAILY: QuotaConfig = { limit: 5, per: 'day', spillOver: { limit: 1, by: 'route' } };

  it('refuses with 503 where the store is lost and the document says closed, without the reserve', async () => {
    const { state, charged } = scripted({ allowed: false, lost: true });
    const observed = await decide(await compile({ ...DAILY, onStateLoss: 'closed' }), state, {});
    assert.deepEqual([observed.code, observed.status], ['limits-unavailable', 503]);
    assert.deepEqual([observed.edits, observed.notices, charged.length], [[], ['state-lost'], 1]);
  });

  it('refuses by this node’s own count where the store is lost and the document says local', async () => {
    const { state } = scripted({ allowed: false, lost: true, retryAfterMs: 1000, remaining: 0 });
    const observed = await decide(await compile({ limit: 5, per: 'day' }), state, {});
    assert.deepEqual([observed.code, observed.notices], ['quota-exceeded', ['state-lost']]);
  });

  it('goes on where the store is lost and the counters admit, and says so', async () => {
    const { state } = scripted({ lost: true });
    const observed = await decide(await compile(DAILY), state, {});
    assert.deepEqual([observed.decision, observed.notices], ['continue', ['state-lost']]);
  });

  it('names no time where no wait would do', async () => {
    const { state } = scripted({ allowed: false, retryAfterMs: Number.POSITIVE_INFINITY });
    const { code, headers, edits } = await decide(await compile({ limit: 5, per: 'day' }), state, {});
    assert.deepEqual([code, headers], ['quota-exceeded', []]);
    assert.doesNotMatch(JSON.stringify(edits), /Infinity|NaN/);
  });
});

describe('quota: Retry-After', () => {
  const windows = fc.constantFrom<Partial<QuotaConfig>>(
    { per: 'day', timeZone: 'Europe/Berlin', renews: { at: '02:30' } },
    { per: 'week', timeZone: 'America/Havana' },
    { per: 'month', timeZone: 'Australia/Lord_Howe', renews: { day: 'last' } },
    { per: 'year', renews: { month: 2, day: 28 } },
    { window: '90m' },
  );
  const wider = fc.constantFrom<QuotaConfig['within']>(
    undefined,
    [{ limit: 2, by: 'route' }],
    [{ limit: 9, by: 'consumer', per: 'year', renews: { month: 7 } }],
  );
  const from = Date.UTC(2020, 0, 1);
  const times = fc.integer({ min: from, max: Date.UTC(2036, 0, 1) });

  it('is kept to: who waits so long gets through, who comes two seconds earlier does not', async () => {
    await fc.assert(
      fc.asyncProperty(windows, wider, times, async (window, within, nowMs) => {
        const config: QuotaConfig = { limit: 2, ...window, headers: 'none' };
        // Of the same callers only a longer window is a wider quota.
        const isWider = within !== undefined && (within[0].by === 'route' || window.per !== 'year');
        const policy = await compile(isWider ? { ...config, within } : config);
        const state = createLocalCounters();
        const at = (ms: number) => decide(policy, state, { at: new Date(ms).toISOString(), consumer: 'a' });
        for (let i = 0; i < 2; i++) assert.equal((await at(nowMs)).decision, 'continue');
        const { decision, headers } = await at(nowMs);
        assert.equal(decision, 'reject');
        const waitMs = Number(headers?.[1]) * 1000;
        assert.ok(waitMs >= 1000);
        if (waitMs > 2000) assert.equal((await at(nowMs + waitMs - 2000)).decision, 'reject');
        assert.equal((await at(nowMs + waitMs)).decision, 'continue');
      }),
      { numRuns: 150 },
    );
  });
});

describe('quota: answers that count', () => {
  const config: QuotaConfig = {
    limit: 1,
    per: 'day',
    count: { status: ['2xx'] },
    within: [{ limit: 1, by: 'route' }],
    headers: 'none',
  };
  for (const stateOf of [(state: CounterState) => state, remote]) {
    it('gives back, everywhere, what an answer of another kind does not cost', async () => {
      const policy = await compile(config);
      const state = stateOf(createLocalCounters());
      for (const [status, next] of [
        [500, 'continue'],
        [404, 'continue'],
        [200, 'reject'],
      ] as const) {
        const c = contextOf(state, { consumer: 'a' });
        assert.equal((await policy.request?.(c))?.kind, 'continue');
        assert.equal((await decide(policy, state, { consumer: 'b' })).decision, 'reject', 'counts under way');
        await c.end({ status });
        const after = contextOf(state, { consumer: 'b' });
        assert.equal((await policy.request?.(after))?.kind, next, `${status}`);
        await after.end({ status: 500 });
      }
    });
  }
});

describe('quota: needs', () => {
  const cases: readonly (readonly [QuotaConfig, readonly string[]])[] = [
    [{ limit: 1, per: 'day' }, []],
    [{ limit: 1, per: 'day', by: 'address' }, []],
    [{ limit: 1, per: 'day', by: 'consumer' }, ['identity']],
    [{ limit: 1, per: 'day', within: [{ limit: 2, by: 'group' }] }, ['identity']],
    [{ limit: 1, per: 'day', spillOver: { limit: 2, by: 'group' } }, ['identity']],
    [{ limit: 1, per: 'day', spillOver: { limit: 2, by: 'route' } }, []],
  ];
  for (const [config, needs] of cases) {
    it(`${JSON.stringify(config)}: ${needs.join()}`, () => {
      assert.ok(typeof quota.needs === 'function');
      assert.deepEqual(quota.needs(config), needs);
    });
  }
});
