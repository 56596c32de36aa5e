import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { InjectOptions } from 'fastify';
import { AUTH, type Case, check, makeWorld } from '../../../test/fixtures/admin.ts';
import { makeQuotas, useOf } from '../../../test/fixtures/quotas.ts';

const JSON_TYPE = { 'content-type': 'application/json' };
const headers = { ...AUTH, host: 'localhost:8090', ...JSON_TYPE };
const post = (url: string, body: unknown, more: object = {}): InjectOptions => ({
  method: 'POST',
  url,
  headers: { ...headers, ...more },
  payload: typeof body === 'string' ? body : JSON.stringify(body),
});

/** Ann has used 2 of a quota of 5, Ben 1. */
async function world() {
  const quotas = makeQuotas();
  for (const key of ['ann', 'ann', 'ben']) await quotas.charge(useOf(key));
  const { app } = await makeWorld({ quotas: quotas.desk });
  const ask = async (options: InjectOptions | string) => {
    const asked = typeof options === 'string' ? { url: options, headers } : options;
    const answer = await app.inject({ method: 'GET', ...asked });
    return { status: answer.statusCode, body: answer.json() };
  };
  const { body } = await ask('/api/quotas');
  const [{ id }] = body.quotas;
  return { ...quotas, app, ask, id: String(id) };
}

describe('usage of quotas', () => {
  it('is told to nobody, and changed by nobody, who does not show the token, or asks wrongly', async () => {
    const { app, counters, id } = await world();
    const at = `/api/quotas/${id}`;
    const cases: Case[] = [
      ['nobody lists', { url: '/api/quotas' }, [401, 'unauthenticated']],
      ['nobody looks', { url: at }, [401, 'unauthenticated']],
      ['nobody resets', { ...post(`${at}/reset`, {}), headers: JSON_TYPE }, [401, 'unauthenticated']],
      [
        'nobody grants',
        { ...post(`${at}/grant`, { amount: 1 }), headers: JSON_TYPE },
        [401, 'unauthenticated'],
      ],
      ['an unknown filter', { url: '/api/quotas?consumer=ann', headers }, [400, 'invalid-request']],
      ['too long a page', { url: '/api/quotas?limit=1001', headers }, [400, 'invalid-request']],
      ['a page after no id', { url: '/api/quotas?after=x', headers }, [400, 'invalid-request']],
      [
        'a page after nothing',
        { url: `/api/quotas?after=${'0'.repeat(24)}`, headers },
        [400, 'invalid-request'],
      ],
      ['no id', { url: '/api/quotas/x', headers }, [400, 'invalid-request']],
      ['an id of nothing', { url: `/api/quotas/${'0'.repeat(24)}`, headers }, [404, 'not-found']],
      ['a reset of nothing', post(`/api/quotas/${'0'.repeat(24)}/reset`, {}), [404, 'not-found']],
      ['a reset with more', post(`${at}/reset`, { used: 0 }), [400, 'invalid-request']],
      [
        'a reason that writes into a terminal',
        post(`${at}/reset`, { reason: '\u001b[2J' }),
        [400, 'invalid-request'],
      ],
      ['a form', post(`${at}/reset`, 'reason=x', { 'content-type': 'text/plain' }), [415]],
      ['a key twice', post(`${at}/grant`, '{"amount":1,"amount":2}'), [400, 'malformed-request']],
      ['a grant of nothing', post(`${at}/grant`, { amount: 0 }), [400, 'invalid-request']],
      ['a grant of less', post(`${at}/grant`, { amount: -1 }), [400, 'invalid-request']],
      ['a grant of a part', post(`${at}/grant`, { amount: 1.5 }), [400, 'invalid-request']],
      ['a grant without an amount', post(`${at}/grant`, {}), [400, 'invalid-request']],
      ['a deletion', { method: 'DELETE', url: at, headers: AUTH }, [404, 'no-route']],
    ];
    await check(app, cases);
    assert.equal(counters.readQuota(useOf('').scope, 'ann')?.used, 2);
    const { app: without } = await makeWorld({ quotas: makeQuotas({ store: () => undefined }).desk });
    await check(without, [['no store', { url: '/api/quotas', headers }, [503, 'store-unavailable']]]);
  });

  it('is listed by caller, page by page', async () => {
    const { ask, id } = await world();
    const { status, body } = await ask('/api/quotas?limit=1');
    assert.equal(status, 200);
    assert.deepEqual(body, {
      quotas: [
        {
          id,
          attachment: 'route:orders/quota',
          quota: 'hourly',
          by: 'consumer',
          key: 'ann',
          shadow: false,
          limit: 5,
          extra: 0,
          used: 2,
          remaining: 3,
          startedAt: '2026-11-23T15:00:00.000Z',
          renewsAt: '2026-11-23T16:00:00.000Z',
        },
      ],
      next: id,
      shared: false,
    });
    const rest = await ask(`/api/quotas?limit=2&after=${id}`);
    assert.deepEqual(
      rest.body.quotas.map(({ key }: { key: string }) => key),
      ['ben'],
    );
    assert.equal(rest.body.next, null);
    const found = await ask('/api/quotas?attachment=route:orders/quota&by=consumer&key=ben');
    assert.equal(found.body.quotas.length, 1);
    assert.equal((await ask('/api/quotas?by=address')).body.quotas.length, 0);
  });

  it('is given back and added to, and told of as it is then', async () => {
    const { ask, id, charge } = await world();
    const granted = await ask(post(`/api/quotas/${id}/grant`, { amount: 2, reason: 'a busy day' }));
    assert.deepEqual([granted.status, granted.body.extra, granted.body.remaining], [200, 2, 5]);
    const reset = await ask(post(`/api/quotas/${id}/reset`, {}));
    assert.deepEqual([reset.status, reset.body.used, reset.body.remaining], [200, 0, 7]);
    for (let i = 0; i < 7; i++) assert.equal(await charge(useOf('ann')), true);
    assert.equal(await charge(useOf('ann')), false);
    const now = await ask(`/api/quotas/${id}`);
    assert.deepEqual([now.body.used, now.body.remaining], [7, 0]);
  });
});
