import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { proxyDocument } from '../fixtures/gateway.ts';
import { RawClient, statusOf, values } from '../fixtures/raw-client.ts';
import { type Answer, ok } from '../fixtures/raw-upstream.ts';
import { Stage } from './stage.ts';

/** Items 53, 57: an update is all or nothing, and a stop lets what runs end. */

const HOST = 'Host: a.test\r\n';
const GET = `GET /c HTTP/1.1\r\n${HOST}\r\n`;
const marked = (marker: string) => [{ headers: { response: { set: { 'x-marker': marker } } } }];

describe('item 53: an update is all or nothing', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open({ admin: true, workers: 2, policies: marked('old') });
  });
  after(() => stage.close());

  const document = (more: Record<string, unknown>, policies: readonly unknown[] = marked('new')) => ({
    ...proxyDocument({ port: stage.gateway.port, upstream: stage.upstream.url, policies }),
    ...more,
  });

  /** The marker of many answers over connections of their own, so that every worker is asked. */
  async function markers(): Promise<Set<string>> {
    const seen = new Set<string>();
    for (let i = 0; i < 24; i++) {
      const outcome = await stage.connect();
      outcome.send(GET);
      const response = await outcome.response();
      outcome.close();
      assert.ok(response !== undefined && statusOf(response) === 200);
      seen.add(values(response, 'x-marker')[0]);
    }
    return seen;
  }

  const BAD: readonly (readonly [name: string, body: () => unknown])[] = [
    ['is not a document', () => '{ not json'],
    ['has an unknown key', () => document({ lisseners: [] })],
    ['has an unknown policy', () => document({}, [{ 'rate-limt': {} }])],
    ['has a bad policy', () => document({}, [...marked('new'), { 'ip-list': { deny: ['300.1.1.1'] } }])],
    [
      'names an unknown upstream',
      () =>
        document({
          routes: [{ name: 'x', match: { path: '/**' }, upstream: 'nowhere', policies: marked('new') }],
        }),
    ],
    [
      'has two routes of one name',
      () => {
        const route = { name: 'x', match: { path: '/**' }, upstream: 'origin', policies: marked('new') };
        return document({ routes: [route, { ...route, match: { path: '/y' } }] });
      },
    ],
    [
      'lacks a secret',
      () =>
        document({
          consumers: [{ name: 'x', credentials: [{ 'api-key': { secret: 'env:NOT_THERE_AT_ALL' } }] }],
        }),
    ],
    [
      'listens where somebody else does',
      () => {
        const listeners = [
          { name: 'public', address: `127.0.0.1:${stage.gateway.port}` },
          { name: 'second', address: `127.0.0.1:${stage.upstream.port}` },
        ];
        return document({ listeners });
      },
    ],
  ];
  for (const [name, body] of BAD) {
    test(`one that ${name} is refused and the old one serves`, async () => {
      const response = await stage.gateway.admin('POST', '/api/revisions', body());
      assert.ok(response.status >= 400 && response.status < 500, `status ${response.status}`);
      const text = await response.text();
      assert.ok(!/\n\s+at /.test(text), 'a stack trace');
      assert.deepEqual(await markers(), new Set(['old']));
    });
  }

  test('a good one is enforced by every worker once the answer is there', async () => {
    const response = await stage.gateway.admin('POST', '/api/revisions', document({}));
    assert.ok(response.ok, await response.text());
    assert.deepEqual(await markers(), new Set(['new']));
  });

  test('without the token nothing is published', async () => {
    const response = await fetch(`http://127.0.0.1:${stage.gateway.adminPort}/api/revisions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(document({}, marked('intruder'))),
    });
    assert.equal(response.status, 401);
    assert.deepEqual(await markers(), new Set(['new']));
  });
});

test('item 53: a request in flight keeps its revision to the end', async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const answer: Answer = (socket, request, index) => {
    if (request.startLine.includes('/held')) void held.then(() => ok('held')(socket, request, index));
    else ok('other')(socket, request, index);
  };
  const stage = await Stage.open({ admin: true, policies: marked('old'), answer });
  try {
    const client = await stage.connect();
    client.send(`GET /held HTTP/1.1\r\n${HOST}\r\n`);
    assert.ok(await stage.upstream.until((u) => u.requests.length === 1));
    const next = proxyDocument({
      port: stage.gateway.port,
      upstream: stage.upstream.url,
      policies: marked('new'),
    });
    const published = await stage.gateway.admin('POST', '/api/revisions', next);
    assert.ok(published.ok, await published.text());
    release();
    const response = await client.response();
    assert.ok(response !== undefined);
    assert.deepEqual(values(response, 'x-marker'), ['old']);
    client.send(GET);
    const second = await client.response(2);
    assert.ok(second !== undefined);
    assert.deepEqual(values(second, 'x-marker'), ['new']);
    client.close();
  } finally {
    await stage.close();
  }
});

test('item 57: SIGTERM lets requests in flight end and takes no new ones', async () => {
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const answer: Answer = (socket, request, index) => {
    void held.then(() => ok('finished')(socket, request, index));
  };
  const stage = await Stage.open({ answer, listener: { limits: { idleTimeout: '60s' } } });
  try {
    const idle = await stage.connect();
    const client = await stage.connect();
    client.send(GET);
    assert.ok(await stage.upstream.until((u) => u.requests.length === 1));
    stage.gateway.process.kill('SIGTERM');
    assert.ok(await idle.closedWithin(5000), 'an idle connection holds the stop');
    await assert.rejects(RawClient.connect(stage.gateway.port), 'still takes connections');
    release();
    const response = await client.response();
    assert.ok(response?.complete, 'cut off');
    assert.equal(statusOf(response), 200);
    assert.equal(response.body.toString(), 'finished');
    assert.ok(await client.closedWithin(5000));
    const exit = await exitOf(stage);
    assert.equal(exit, 0);
  } finally {
    await stage.close();
  }
});

function exitOf(stage: Stage): Promise<number | null> {
  const { process: child } = stage.gateway;
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)));
}
