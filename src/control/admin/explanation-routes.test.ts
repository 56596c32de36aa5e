import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { InjectOptions } from 'fastify';
import { AUTH, type Case, check, makeWorld } from '../../../test/fixtures/admin.ts';
import { explainDesk } from '../../../test/fixtures/explained.ts';
import { BEN, recorded, WITH_KEY } from '../../../test/fixtures/replays.ts';

const headers = { ...AUTH, host: 'localhost:8090', 'content-type': 'application/json' };
const POLICIES = [{ 'api-key': {} }, { acl: { allow: { groups: ['staff'] } } }];
const at = (id: string): InjectOptions => ({ url: `/api/requests/${id}/explanation`, headers });
const tried = (body: unknown): InjectOptions => ({
  method: 'POST',
  url: '/api/explanations',
  headers,
  payload: JSON.stringify(body),
});

describe('explanations', () => {
  it('are given to nobody without the token, and of nothing that is not there', async () => {
    const { app } = await makeWorld({ explain: explainDesk(POLICIES) });
    const cases: Case[] = [
      ['nobody asks', { url: '/api/requests/x/explanation' }, [401, 'unauthenticated']],
      ['nobody tries', { ...tried({ path: '/' }), headers: {} }, [401, 'unauthenticated']],
      ['a request that is not kept', at('x'), [404, 'not-found']],
      ['a request without a path', tried({}), [400, 'invalid-request']],
      ['a request with more', tried({ path: '/', pth: '/' }), [400, 'invalid-request']],
      ['a listener that is not there', tried({ path: '/', listener: 'other' }), [404, 'not-found']],
      ['what is no JSON', { ...tried(''), payload: '{' }, [400, 'malformed-request']],
    ];
    await check(app, cases);
  });

  it('where nothing is served there is none', async () => {
    const { app } = await makeWorld({ explain: explainDesk(undefined, [recorded({ requestId: 'one' })]) });
    await check(app, [['nothing', at('one'), [404, 'not-found']]]);
  });

  it('of a request that was recorded', async () => {
    const record = recorded({ ...WITH_KEY, identity: BEN, requestId: 'one' });
    const { app } = await makeWorld({ explain: explainDesk(POLICIES, [record]) });
    const body = (await app.inject({ method: 'GET', ...at('one') })).json();
    assert.equal(body.outcome.by, 'route:all/acl');
    assert.deepEqual(
      body.attachments.map(({ policy }: { policy: string }) => policy),
      ['api-key', 'acl'],
    );
    assert.equal(body.recorded.outcome.kind, 'forward');
    assert.deepEqual(body.changes[0].outcome.kind, 'forward');
  });

  it('of one that has not happened, its caller taken as proved, and a secret in it not read', async () => {
    const { app } = await makeWorld({ explain: explainDesk(POLICIES) });
    const ask = async (body: unknown) => (await app.inject(tried(body))).json();
    const ann = { consumer: 'ann', groups: ['staff'] };
    assert.equal((await ask({ path: '/orders', identity: ann })).outcome.kind, 'forward');
    const stranger = await ask({ path: '/orders', headers: { 'x-api-key': 'env:ANN_KEY' } });
    assert.deepEqual([stranger.outcome.code, stranger.recorded], ['invalid-credential', null]);
  });
});
