import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { InjectOptions } from 'fastify';
import { AUTH, type Case, check, makeWorld } from '../../../test/fixtures/admin.ts';
import { addresses, feedPlan, feedWorld } from '../../../test/fixtures/feeds.ts';
import type { ImposedBan } from '../../contract/index.ts';
import { createMeter } from '../../observability/index.ts';
import { openSqliteStore } from '../../store/index.ts';
import { Feeds } from '../live/feeds.ts';

const HOST = { host: 'localhost:8090' };
const JSON_TYPE = { 'content-type': 'application/json' };
const headers = { ...AUTH, ...HOST, ...JSON_TYPE };
const post = (url: string, body: unknown, more: object = {}): InjectOptions => ({
  method: 'POST',
  url,
  headers: { ...headers, ...more },
  payload: typeof body === 'string' ? body : JSON.stringify(body),
});

async function listWorld() {
  const store = openSqliteStore(':memory:');
  const world = feedWorld(store);
  const lists = new Feeds({
    ...world.deps,
    meter: createMeter(),
    random: { hex: () => '7fff' },
    publish: async () => {},
    schedule: () => {},
  });
  world.source.text = addresses(100);
  await lists.offer([feedPlan()]);
  lists.follow({ feeds: [feedPlan()], inline: { drop: 1, kept: 2 } });
  const { app } = await makeWorld({ lists, store: () => store });
  const ask = async (options: InjectOptions | string) => {
    const asked = typeof options === 'string' ? { url: options, headers } : options;
    const answer = await app.inject({ method: 'GET', ...asked });
    return { status: answer.statusCode, body: answer.json() };
  };
  return { ...world, app, lists, ask };
}

describe('bans', () => {
  it('are refused in words and codes', async () => {
    const { app } = await makeWorld();
    const cases: Case[] = [
      ['nobody', { method: 'GET', url: '/api/bans' }, [401, 'unauthenticated']],
      [
        'nobody bans',
        { ...post('/api/bans', { address: '203.0.113.9' }), headers: JSON_TYPE },
        [401, 'unauthenticated'],
      ],
      ['no body', { method: 'POST', url: '/api/bans', headers }, [400]],
      ['no JSON', post('/api/bans', '{'), [400, 'malformed-request']],
      [
        'a key twice',
        post('/api/bans', '{"address":"203.0.113.9","address":"203.0.113.8"}'),
        [400, 'malformed-request'],
      ],
      [
        'YAML',
        post('/api/bans', 'address: 203.0.113.9', { 'content-type': 'application/yaml' }),
        [415, 'unsupported-media-type'],
      ],
      ['a form', post('/api/bans', 'address=203.0.113.9', { 'content-type': 'text/plain' }), [415]],
      ['nothing in it', post('/api/bans', {}), [400, 'invalid-request']],
      ['a list', post('/api/bans', '[]'), [400, 'invalid-request']],
      [
        'an unknown key',
        post('/api/bans', { address: '203.0.113.9', forever: true }),
        [400, 'invalid-request'],
      ],
      ['no duration', post('/api/bans', { address: '203.0.113.9', for: 'long' }), [400, 'invalid-request']],
      [
        'a long duration',
        post('/api/bans', { address: '203.0.113.9', for: '400d' }),
        [400, 'invalid-request'],
      ],
      [
        'a reason that writes',
        post('/api/bans', { address: '203.0.113.9', reason: '\u001b[2J' }),
        [400, 'invalid-request'],
      ],
      ['nobody’s name', post('/api/bans', { address: '203.0.113.9', as: '' }), [400, 'invalid-request']],
      [
        'a name of two lines',
        { method: 'DELETE', url: '/api/bans/203.0.113.9?as=a%0Ab', headers: AUTH },
        [400, 'invalid-request'],
      ],
      ['no address', post('/api/bans', { address: 'me' }), [400, 'invalid-request']],
      ['a private network', post('/api/bans', { address: '10.0.0.0/8' }), [409, 'conflict']],
      ['who asks', post('/api/bans', { address: '127.0.0.0/8', force: true }), [409, 'conflict']],
      ['none', { method: 'DELETE', url: '/api/bans/203.0.113.9', headers: AUTH }, [404, 'not-found']],
    ];
    await check(app, cases);
    const answer = await app.inject({ url: '/api/bans', headers });
    assert.deepEqual(answer.json(), { bans: [] });
  });

  it('are audited with who asked, and of what', async () => {
    const { app } = await makeWorld();
    const address = '203.0.113.9';
    await app.inject(post('/api/bans', { address, as: 'Ánn & co' }));
    const url = `/api/bans/${address}?${new URLSearchParams({ as: 'ben' })}`;
    await app.inject({ method: 'DELETE', url, headers: AUTH });
    const audit = await app.inject({ url: '/api/audit?limit=2', headers });
    const entries: { action: string; actor: string; detail: { network: string } }[] = audit.json().entries;
    assert.deepEqual(
      entries.map(({ action, actor, detail }) => [action, actor, detail.network]),
      [
        ['ban.remove', 'admin as ben', '203.0.113.9/32'],
        ['ban.add', 'admin as Ánn & co', '203.0.113.9/32'],
      ],
    );
  });

  it('are made, listed and ended', async () => {
    const { app } = await makeWorld();
    const made = await app.inject(
      post('/api/bans', { address: '203.0.113.0/24', for: '30m', reason: 'scans' }),
    );
    assert.equal(made.statusCode, 201, made.body);
    const { stored, ...ban } = made.json();
    assert.equal(stored, true);
    assert.deepEqual([ban.network, ban.reason, ban.by], ['203.0.113.0/24', 'scans', 'admin']);
    assert.equal(Date.parse(ban.until) - Date.parse(ban.since), 1_800_000);
    const listed = await app.inject({ url: '/api/bans', headers });
    assert.deepEqual(listed.json(), { bans: [ban] });
    const url = `/api/bans/${encodeURIComponent('203.0.113.0/24')}`;
    const ended = await app.inject({ method: 'DELETE', url, headers: { ...AUTH, ...HOST } });
    assert.deepEqual([ended.statusCode, ended.json()], [200, ban]);
    assert.deepEqual((await app.inject({ url: '/api/bans', headers })).json(), { bans: [] });
  });

  it('of policies are listed beside them, and ended by any of their names', async () => {
    const imposed: ImposedBan = {
      id: 'b1',
      caller: 'consumer müller',
      sinceMs: 1_700_000_000_000,
      untilMs: 1_700_000_600_000,
      forgetMs: 1_800_000_000_000,
      reason: '20 rejections (waf) in 5m',
      by: 'route:orders/auto-ban',
      strike: 2,
      round: 7,
      shadow: true,
    };
    const lifted: string[] = [];
    const { app } = await makeWorld({
      bans: {
        list: () => [imposed],
        ban: async () => assert.fail('nobody asked for one'),
        lift: async (which) => {
          lifted.push(which);
          return imposed;
        },
      },
    });
    const shown = {
      id: 'b1',
      network: null,
      caller: 'consumer müller',
      since: '2023-11-14T22:13:20.000Z',
      until: '2023-11-14T22:23:20.000Z',
      reason: imposed.reason,
      by: imposed.by,
      strike: 2,
      shadow: true,
    };
    const listed = await app.inject({ url: '/api/bans', headers });
    assert.deepEqual(listed.json(), { bans: [shown] });
    for (const which of [
      'b1',
      imposed.caller,
      `consumer ${'m'.repeat(128)}`,
      'route:orders/auto-ban sha256:0Zc3tq-Mb_S7vX1y2z3A4B',
    ]) {
      const url = `/api/bans/${encodeURIComponent(which)}`;
      const ended = await app.inject({ method: 'DELETE', url, headers: { ...AUTH, ...HOST } });
      assert.deepEqual([ended.statusCode, ended.json(), lifted.at(-1)], [200, shown, which]);
    }
  });

  it('last an hour where nothing else is said', async () => {
    const { app } = await makeWorld();
    const ban = (await app.inject(post('/api/bans', { address: '203.0.113.9' }))).json();
    assert.equal(Date.parse(ban.until) - Date.parse(ban.since), 3_600_000);
  });
});

describe('lists', () => {
  const NONE = '0'.repeat(64);

  it('are refused in words and codes', async () => {
    const { app } = await listWorld();
    const decision = (what: string, body: unknown, name = 'drop') => post(`/api/lists/${name}/${what}`, body);
    const cases: Case[] = [
      ['nobody', { url: '/api/lists' }, [401, 'unauthenticated']],
      ['nobody refreshes', { method: 'POST', url: '/api/lists/drop/refresh' }, [401, 'unauthenticated']],
      ['none', { url: '/api/lists/none', headers: AUTH }, [404, 'not-found']],
      ['inherited', { url: '/api/lists/toString', headers: AUTH }, [404, 'not-found']],
      ['refresh none', { method: 'POST', url: '/api/lists/none/refresh', headers: AUTH }, [404, 'not-found']],
      [
        'refresh by hand',
        { method: 'POST', url: '/api/lists/kept/refresh', headers: AUTH },
        [404, 'not-found'],
      ],
      ['versions of none', { url: '/api/lists/none/versions', headers: AUTH }, [404, 'not-found']],
      ['diff of nothing', { url: '/api/lists/drop/diff', headers: AUTH }, [409, 'conflict']],
      ['diff of none', { url: `/api/lists/drop/diff?to=${NONE}`, headers: AUTH }, [404, 'not-found']],
      [
        'diff with no version',
        { url: '/api/lists/drop/diff?to=latest', headers: AUTH },
        [400, 'invalid-request'],
      ],
      ['approve nothing', decision('approve', { version: NONE }), [409, 'conflict']],
      ['approve without saying what', decision('approve', {}), [400, 'invalid-request']],
      ['approve of none', decision('approve', { version: NONE }, 'none'), [404, 'not-found']],
      ['reject nothing', decision('reject', { version: NONE }), [409, 'conflict']],
      ['roll back to nothing', decision('rollback', { version: NONE }), [404, 'not-found']],
      [
        'release what is free',
        { method: 'POST', url: '/api/lists/drop/release', headers: AUTH },
        [409, 'conflict'],
      ],
    ];
    await check(app, cases);
  });

  it('are shown, with those kept by hand', async () => {
    const { ask, clock } = await listWorld();
    const { body } = await ask('/api/lists');
    assert.deepEqual(
      body.lists.map((list: { name: string }) => list.name),
      ['drop', 'kept'],
    );
    const { body: drop } = await ask('/api/lists/drop');
    assert.match(drop.version, /^[0-9a-f]{64}$/);
    const now = new Date(clock.nowMs).toISOString();
    assert.deepEqual(
      { ...drop, version: '', nextRefreshAt: '' },
      {
        name: 'drop',
        source: 'https://feeds.example/drop.txt',
        entries: 100,
        inline: 1,
        version: '',
        pinned: false,
        stale: false,
        dropped: false,
        refreshedAt: now,
        nextRefreshAt: '',
        held: null,
        lastAttempt: { at: now, outcome: 'applied', detail: '100 added, 0 removed' },
      },
    );
    const { body: kept } = await ask('/api/lists/kept');
    assert.deepEqual([kept.source, kept.entries, kept.inline, kept.lastAttempt], [null, null, 2, null]);
  });

  it('are refreshed, held, looked at, approved, rolled back and released', async () => {
    const { ask, source } = await listWorld();
    const first = (await ask('/api/lists/drop')).body.version;
    source.text = addresses(100, 60);
    const refreshed = await ask({
      method: 'POST',
      url: '/api/lists/drop/refresh',
      headers: { ...AUTH, ...HOST },
    });
    assert.equal(refreshed.body.outcome, 'held');
    const { version, reasons } = refreshed.body.list.held;
    assert.match(reasons[0], /120 %/);

    const { body: diff } = await ask('/api/lists/drop/diff?limit=1');
    assert.deepEqual([diff.from, diff.to], [first, version]);
    assert.deepEqual(diff.added, { count: 60, networks: ['203.0.112.100/32'] });
    const { body: back } = await ask(`/api/lists/drop/diff?from=${version}&to=${first}&limit=0`);
    assert.deepEqual([back.added.count, back.added.networks], [60, []]);

    const approved = await ask(post('/api/lists/drop/approve', { version }));
    assert.deepEqual([approved.status, approved.body.version, approved.body.held], [200, version, null]);
    const { body: all } = await ask('/api/lists/drop/versions');
    assert.deepEqual(
      all.versions.map(({ id, entries }: { id: string; entries: number }) => [id, entries]),
      [
        [version, 100],
        [first, 100],
      ],
    );

    const rolled = await ask(
      post('/api/lists/drop/rollback', { version: first, reason: 'a partner is on it' }),
    );
    assert.deepEqual(
      [rolled.body.version, rolled.body.pinned, rolled.body.nextRefreshAt],
      [first, true, null],
    );
    const released = await ask({
      method: 'POST',
      url: '/api/lists/drop/release',
      headers: { ...AUTH, ...HOST },
    });
    assert.deepEqual([released.body.outcome, released.body.list.pinned], ['held', false]);
    const rejected = await ask(post('/api/lists/drop/reject', { version }));
    assert.deepEqual([rejected.body.held, rejected.body.version], [null, first]);
    const { body: audit } = await ask('/api/audit?limit=4');
    assert.deepEqual(
      audit.entries.map(({ action, actor }: { action: string; actor: string }) => `${actor} ${action}`),
      ['admin list.reject', 'system list.hold', 'admin list.release', 'admin list.rollback'],
    );
  });
});
