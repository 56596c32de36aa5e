import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Compile } from 'typebox/schema';
import { limitCases } from '../../../test/fixtures/limit-cases.ts';
import { NO_STATE, remote } from '../../../test/fixtures/nobody-there.ts';
import {
  compileDeps,
  DEFAULT_NOW_MS,
  identity,
  policyContext,
} from '../../../test/fixtures/policy-context.ts';
import type { CounterState, Identity } from '../../contract/index.ts';
import { ConfigError, type ErrorCode } from '../../errors.ts';
import { parseIpAddress } from '../../lib/ip-address.ts';
import { createLocalCounters } from '../../state/index.ts';
import { rateLimit } from './policy.ts';
import type { RateLimitConfig } from './schema.ts';

interface Ask {
  /** After the first request, in milliseconds. */
  readonly afterMs?: number;
  readonly client?: string;
  readonly consumer?: string;
  readonly credential?: string;
  readonly route?: string;
  readonly headers?: readonly string[];
  /** How it ends, where it is let on; default 200. */
  readonly status?: number;
  readonly end?: ErrorCode;
}

const cases = limitCases<RateLimitConfig, Ask>(new URL('cases.json', import.meta.url));
const schema = Compile(rateLimit.schema);
const deps = compileDeps({ attachment: 'route:orders/rate-limit' });

describe('rate-limit: cases.json', () => {
  for (const { name, config, configError, requests = [] } of cases) {
    it(name, async () => {
      if (configError !== undefined) return assert.deepEqual(await issuePaths(config), configError);
      assert.ok(schema.Check(config));
      const policy = await rateLimit.compile(config, deps);
      const state = createLocalCounters();
      assert.ok(requests.length > 0);
      for (const [i, { expect, ...ask }] of requests.entries()) {
        assert.deepEqual(await decide(policy, state, ask, Object.keys(expect)), expect, `request ${i}`);
      }
    });
  }
});

async function issuePaths(config: RateLimitConfig): Promise<readonly string[]> {
  if (!schema.Check(config)) return ['schema'];
  try {
    await rateLimit.compile(config, deps);
  } catch (error) {
    if (error instanceof ConfigError) return error.issues.map((issue) => issue.path);
    throw error;
  }
  return [];
}

/** What came of a request, as far as the case asks. */
async function decide(
  policy: Awaited<ReturnType<typeof rateLimit.compile>>,
  state: CounterState,
  ask: Ask,
  asked: readonly string[],
): Promise<Record<string, unknown>> {
  const client = parseIpAddress(ask.client ?? '192.0.2.1');
  assert.ok(client);
  const context = policyContext({
    state,
    client,
    nowMs: DEFAULT_NOW_MS + (ask.afterMs ?? 0),
    route: ask.route ?? 'orders',
    headers: ask.headers ?? [],
    identity: identityOf(ask),
  });
  const decision = await policy.request?.(context);
  assert.ok(decision);
  const { code, status, rule, headers } = decision.kind === 'reject' ? decision.error : {};
  if (decision.kind === 'continue') await context.end({ status: ask.status ?? 200, code: ask.end });
  const { recorded: edits, notices } = context;
  const seen = { decision: decision.kind, code, status, rule, headers, edits, notices };
  return Object.fromEntries(Object.entries(seen).filter(([key]) => asked.includes(key)));
}

function identityOf({ consumer, credential }: Ask): Identity | undefined {
  if (consumer === undefined) return undefined;
  return identity({ consumer, ...(credential && { credential: { id: credential, kind: 'api-key' } }) });
}

describe('rate-limit', () => {
  const one: RateLimitConfig = { limit: 1, window: '1m', headers: 'none' };
  const kinds = async (
    config: RateLimitConfig,
    asks: readonly Ask[],
    { state = createLocalCounters(), attachment = 'route:orders/rate-limit' } = {},
  ) => {
    const policy = await rateLimit.compile(config, compileDeps({ attachment }));
    const seen = [];
    for (const ask of asks) seen.push((await decide(policy, state, ask, ['decision'])).decision);
    return seen;
  };

  it('never shares counters between attachments', async () => {
    const state = createLocalCounters();
    assert.deepEqual(await kinds(one, [{}, {}], { state }), ['continue', 'reject']);
    const attachment = 'route:items/rate-limit';
    assert.deepEqual(await kinds(one, [{}, {}], { state, attachment }), ['continue', 'reject']);
  });

  it('counts header values of absurd length, and tells them apart', async () => {
    const headers = (value: string) => ({ headers: ['x-tenant', value] });
    const long = 'x'.repeat(30_000);
    const asks = [
      headers(`${long}a`),
      headers(`${long}a`),
      headers(`${long}b`),
      headers(`a${long}`),
      headers(long),
    ];
    assert.deepEqual(await kinds({ ...one, by: { header: 'x-tenant' } }, asks), [
      'continue',
      'reject',
      'continue',
      'continue',
      'continue',
    ]);
  });

  it('keeps the state only a bounded key', async () => {
    const keys: string[] = [];
    const local = createLocalCounters();
    const state: CounterState = {
      ...NO_STATE,
      gcra: (scope, key, ...rest) => {
        keys.push(key);
        return local.gcra(scope, key, ...rest);
      },
    };
    await kinds({ ...one, by: { header: 'x-tenant' } }, [{ headers: ['x-tenant', 'x'.repeat(30_000)] }], {
      state,
    });
    assert.equal(keys.length, 1);
    assert.ok(keys[0].length < 300);
  });

  it('never puts a caller chosen value into what it says', async () => {
    const policy = await rateLimit.compile({ ...one, by: { header: 'x-tenant' } }, deps);
    const state = createLocalCounters();
    const context = () => policyContext({ state, headers: { 'x-tenant': 'secret-tenant' } });
    await policy.request?.(context());
    const refused = await policy.request?.(context());
    assert.equal(refused?.kind, 'reject');
    assert.equal(JSON.stringify(refused).includes('secret-tenant'), false);
  });

  it('takes counters that answer later, and answers at once where they do', async () => {
    const later = remote(createLocalCounters());
    assert.deepEqual(await kinds(one, [{}, {}], { state: later }), ['continue', 'reject']);
    const policy = await rateLimit.compile(one, deps);
    assert.equal(policy.request?.(policyContext({ state: createLocalCounters() })) instanceof Promise, false);
  });

  it('fails, and so refuses, when the counters fail', async () => {
    await assert.rejects(kinds(one, [{}], { state: NO_STATE }));
  });

  for (const [by, needs] of [
    [undefined, []],
    ['consumer', ['identity']],
    ['credential', ['identity']],
    ['address', []],
    ['route', []],
    [{ header: 'x-tenant' }, []],
  ] as const) {
    it(`needs ${needs.join() || 'nothing'} by ${JSON.stringify(by) ?? 'default'}`, () => {
      assert.ok(typeof rateLimit.needs === 'function');
      assert.deepEqual(rateLimit.needs(by === undefined ? one : { ...one, by }), needs);
    });
  }

  it('names itself after its attachment, in characters that need no quoting', async () => {
    for (const [attachment, route, name] of [
      ['route:orders/rate-limit#2', 'orders', 'rate-limit-2'],
      ['listener:public/rate-limit', undefined, 'listener-rate-limit'],
    ] as const) {
      const policy = await rateLimit.compile({ limit: 1, window: '1m' }, { ...deps, attachment, route });
      const context = policyContext({ state: createLocalCounters() });
      await policy.request?.(context);
      assert.equal(context.recorded[0][2], `"${name}";q=1;w=60`);
    }
  });
});
