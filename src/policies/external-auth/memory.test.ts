import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Answer,
  compile,
  failureOf,
  judge,
  Service,
  told,
} from '../../../test/fixtures/asked-service.ts';
import { type ContextOptions, policyContext } from '../../../test/fixtures/policy-context.ts';
import type { ExternalAuthConfig } from './schema.ts';

describe('decisions that are kept', () => {
  const cache = { ttl: '10s' };
  /** How often the service is asked about these, one after the other, by one policy. */
  async function questions(
    requests: readonly ContextOptions[],
    config: Partial<ExternalAuthConfig> = {},
    answer: Service['answer'] = { status: 200 },
  ): Promise<number> {
    const service = new Service(answer);
    const policy = compile({ cache, ...config });
    for (const request of requests) await judge(policy, policyContext({ ...request, network: service }));
    return service.asked.length;
  }
  const base: ContextOptions = { headers: { cookie: 'a=1', authorization: 'Bearer a' }, query: 'a=1' };

  const apart: readonly (readonly [name: string, other: ContextOptions])[] = [
    ['cookies', { ...base, headers: { cookie: 'a=2', authorization: 'Bearer a' } }],
    ['a cookie and none', { ...base, headers: { authorization: 'Bearer a' } }],
    ['tokens', { ...base, headers: { cookie: 'a=1', authorization: 'Bearer b' } }],
    ['values that are swapped', { ...base, headers: { cookie: 'Bearer a', authorization: 'a=1' } }],
    ['methods', { ...base, method: 'POST' }],
    ['hosts', { ...base, host: 'other.test' }],
    ['schemes', { ...base, scheme: 'https' }],
    ['paths', { ...base, path: '/orders/2' }],
    ['queries', { ...base, query: 'a=2' }],
    ['addresses', { ...base, client: '192.0.2.2' }],
  ];
  for (const [name, other] of apart) {
    it(`never for requests that differ in their ${name}`, async () => {
      assert.equal(await questions([base, other]), 2);
    });
  }

  it('by headers of the operator’s choice, others do not matter', async () => {
    const config = { requestHeaders: ['X-Tenant', 'X-Noise'], cache: { ...cache, by: ['x-tenant'] } };
    const of = (tenant: string, noise: string) => ({ headers: { 'x-tenant': tenant, 'x-noise': noise } });
    assert.equal(await questions([of('a', '1'), of('a', '2'), of('b', '1')], config), 2);
    // A list of values is not the same as one value with a comma.
    const list = { headers: ['X-Tenant', 'a', 'X-Tenant', 'b'] };
    assert.equal(await questions([list, of('a,b', '1'), of('a', '1')], config), 3);
  });

  it('not at all unless asked for', async () => {
    const service = new Service();
    const policy = compile();
    for (let i = 0; i < 2; i++) await judge(policy, policyContext({ ...base, network: service }));
    assert.equal(service.asked.length, 2);
  });

  const unkept: readonly (readonly [name: string, answer: Answer, config?: Partial<ExternalAuthConfig>])[] = [
    [
      'a cookie for one client',
      { status: 200, headers: ['Set-Cookie', 'a=1'] },
      { clientHeaders: ['Set-Cookie'] },
    ],
    ['what must not be stored', { status: 200, headers: ['Cache-Control', 'private, No-Store'] }],
    ['a large refusal', { status: 403, body: 'a'.repeat(4097) }, { mode: 'envoy' }],
  ];
  for (const [name, answer, config] of unkept) {
    it(`nobody keeps ${name}`, async () => assert.equal(await questions([base, base], config, answer), 2));
  }

  it('a failure is kept for nobody', async () => {
    const service = new Service({ status: 500 });
    const policy = compile({ cache });
    const again = () => judge(policy, policyContext({ ...base, network: service }));
    await failureOf(again());
    service.answer = { status: 200 };
    assert.deepEqual(told(await again()), ['continue']);
  });

  it('at once, with everything that was decided, until they are over', async () => {
    const service = new Service({ status: 200, headers: ['X-User', 'ann'] });
    const policy = compile({ cache, upstreamHeaders: ['X-User'], identity: { consumer: 'X-User' } });
    const context = policyContext({ ...base, network: service });
    await judge(policy, context);
    const later = policyContext({ ...base, network: service, nowMs: context.now + 9999 });
    const decision = policy.request?.(later);
    assert.ok(decision !== undefined && !(decision instanceof Promise));
    assert.deepEqual(later.recorded, context.recorded);
    assert.equal(later.facts.identity?.consumer, 'ann');
    await judge(policy, policyContext({ ...base, network: service, nowMs: context.now + 10_000 }));
    assert.equal(service.asked.length, 2);
  });

  it('refusals as well, and a caller who is disabled meanwhile is refused', async () => {
    assert.equal(await questions([base, base], {}, { status: 403 }), 1);
    const known: Record<string, 'disabled' | undefined> = {};
    const policy = compile({ cache, identity: { consumer: 'X-User' } }, { known });
    const service = new Service({ status: 200, headers: ['X-User', 'ann'] });
    await judge(policy, policyContext({ ...base, network: service }));
    known.ann = 'disabled';
    const decision = await judge(policy, policyContext({ ...base, network: service }));
    assert.deepEqual(told(decision), ['forbidden', 403]);
    assert.equal(service.asked.length, 1);
  });

  it('for all who ask the same at once, and for nobody else', async () => {
    const waiting: (() => void)[] = [];
    const service = new Service(() => new Promise((resolve) => waiting.push(() => resolve({ status: 200 }))));
    const policy = compile({ cache });
    const one = policyContext({ ...base, network: service });
    const all = [one, policyContext({ ...base, network: service })].map((c) => judge(policy, c));
    const other = judge(policy, policyContext({ ...base, path: '/other', network: service }));
    assert.equal(waiting.length, 2);
    waiting[1]();
    assert.deepEqual(told(await other), ['continue'], 'a slow answer holds nobody else');
    waiting[0]();
    assert.deepEqual((await Promise.all(all)).map(told), [['continue'], ['continue']]);
  });

  it('never more than the number given', async () => {
    const many = Array.from({ length: 50 }, (_, i) => ({ ...base, path: `/${i}` }));
    assert.equal(await questions([...many, ...many], { cache: { ...cache, maxEntries: 4 } }), 100);
  });
});
