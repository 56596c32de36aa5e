/** Bans that policies impose, through the real program: two workers, and the command line of a person. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { eventually, Program } from '../fixtures/process.ts';

const AFTER = 20;
const KEYS = { ANN_KEY: 'ann-key-0123456789abcdef', BEN_KEY: 'ben-key-0123456789abcdef' };
/** On so many connections that no worker is left out. */
const CONNECTIONS = 40;

const upstream = createServer((_, response) => void response.end('ok'));
let origin: string;
before(async () => {
  await once(upstream.listen(0, '127.0.0.1'), 'listening');
  origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
});
after(() => {
  upstream.close();
  upstream.closeAllConnections();
});

/** A command of a person; rejects unless it ends well. */
async function cli(gateway: Gateway, ...args: readonly string[]): Promise<string> {
  const at = ['--admin', `127.0.0.1:${gateway.adminPort}`, '--data', path.join(gateway.folder, 'data')];
  const program = new Program([...args, ...at]);
  assert.equal(await program.exit(), 0, `${args.join(' ')}\n${program.stdout}${program.stderr}`);
  return program.stdout;
}

interface Listed {
  readonly id: string;
  readonly network: string | null;
  readonly caller: string | null;
  readonly since: string;
  readonly until: string;
  readonly by: string;
  readonly strike: number | null;
  readonly shadow: boolean;
}
const listed = async (gateway: Gateway): Promise<readonly Listed[]> =>
  JSON.parse(await cli(gateway, 'bans', '--json')).bans;

interface Sent {
  /** Whom the proxy on this machine calls for; undefined where it calls by itself. */
  readonly client?: string;
  readonly key?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function ask(gateway: Gateway, sent: Sent): Promise<Response> {
  const headers = {
    connection: 'close',
    ...(sent.client === undefined ? {} : { 'x-forwarded-for': sent.client }),
    ...(sent.key === undefined ? {} : { 'x-api-key': sent.key }),
    ...sent.headers,
  };
  const answer = await fetch(`http://127.0.0.1:${gateway.port}${sent.path ?? '/orders'}`, { headers });
  await answer.clone().arrayBuffer();
  return answer;
}

const askMany = (gateway: Gateway, n: number, sent: Sent): Promise<readonly Response[]> =>
  Promise.all(Array.from({ length: n }, () => ask(gateway, sent)));

/** What all workers say by now. */
async function statuses(gateway: Gateway, sent: Sent): Promise<readonly number[]> {
  const all = await askMany(gateway, CONNECTIONS, sent);
  return [...new Set(all.map(({ status }) => status))].sort();
}

/** What is under way for an address when it is banned is cut. */
const turnsTo = (gateway: Gateway, sent: Sent, status: number) =>
  eventually(async () => (await statuses(gateway, sent).catch(() => [])).join() === String(status));

const counted = { after: AFTER, window: '1h' };

describe('bans that policies impose', () => {
  let gateway: Gateway;

  before(async () => {
    const document = proxyDocument({
      port: await freePort(),
      upstream: origin,
      listener: {
        trustedProxies: ['127.0.0.1'],
        policies: [
          { 'auto-ban': { ...counted, for: ['failed-authentication', 'not-found'], ban: '1h' } },
          {
            'auto-ban': { ...counted, after: 3, for: ['unauthenticated'], ban: '1h' },
            name: 'trial',
            mode: 'shadow',
          },
        ],
      },
      routes: [
        {
          name: 'orders',
          match: { path: '/orders/**' },
          upstream: 'origin',
          policies: [
            { 'api-key': {} },
            { 'auto-ban': { ...counted, for: ['forbidden'], ban: '1h', by: 'consumer' } },
            { acl: { allow: 'everyone', deny: { paths: ['/orders/secret'] } } },
          ],
        },
      ],
      document: {
        bruteForce: 'off',
        consumers: [
          { name: 'ann', credentials: [{ 'api-key': { secret: 'env:ANN_KEY' } }] },
          { name: 'ben', credentials: [{ 'api-key': { secret: 'env:BEN_KEY' } }] },
        ],
        tests: [
          {
            name: 'the one after the last wrong key is banned, even with a right one',
            steps: [
              {
                request: {
                  path: '/orders',
                  client: '127.0.0.1',
                  headers: { 'x-forwarded-for': '203.0.113.9', 'x-api-key': 'wrong' },
                  repeat: AFTER,
                },
                expect: { code: 'invalid-credential' },
              },
              {
                request: {
                  path: '/orders',
                  client: '127.0.0.1',
                  headers: { 'x-forwarded-for': '203.0.113.9', 'x-api-key': 'env:ANN_KEY' },
                },
                expect: { code: 'address-banned' },
              },
              {
                after: '1h',
                request: {
                  path: '/orders',
                  client: '127.0.0.1',
                  headers: { 'x-forwarded-for': '203.0.113.9', 'x-api-key': 'env:ANN_KEY' },
                },
                expect: { forwarded: true },
              },
            ],
          },
          {
            name: 'the proxy itself is banned by nobody',
            steps: [
              { request: { path: '/none', client: '127.0.0.1', repeat: 100 }, expect: { code: 'no-route' } },
            ],
          },
        ],
      },
    });
    gateway = await startGateway(document, { workers: 2, admin: true, records: 'stdout', env: KEYS });
  });
  after(() => gateway.stop());

  it('come with the very rejection that is too many, whichever workers judge them together', async () => {
    const wrong = { client: '203.0.113.9', key: 'wrong' };
    for (const { status } of await askMany(gateway, AFTER - 1, wrong)) assert.equal(status, 401);
    assert.deepEqual(await statuses(gateway, { ...wrong, key: KEYS.ANN_KEY }), [200], 'not one too early');
    assert.equal((await ask(gateway, wrong)).status, 401);
    await turnsTo(gateway, { ...wrong, key: KEYS.ANN_KEY }, 403);
    await turnsTo(gateway, { client: '::ffff:203.0.113.9', key: KEYS.ANN_KEY }, 403);
    assert.deepEqual(await statuses(gateway, { client: '203.0.113.10', key: KEYS.ANN_KEY }), [200]);
    const answer = await ask(gateway, wrong);
    const text = await answer.text();
    assert.equal(JSON.parse(text).code, 'address-banned');
    assert.doesNotMatch(text, /auto-ban|failed-auth|rejections/);
    assert.equal(answer.headers.has('retry-after'), false);
  });

  it('come once, however many requests were under way together', async () => {
    await askMany(gateway, 5 * AFTER, { client: '203.0.113.20', path: '/none' }).catch(() => []);
    await turnsTo(gateway, { client: '203.0.113.20', key: KEYS.ANN_KEY }, 403);
    const bans = (await listed(gateway)).filter(({ network }) => network === '203.0.113.20/32');
    assert.equal(bans.length, 1);
    const [{ strike, by, since, until }] = bans;
    assert.deepEqual([strike, by], [1, 'listener:public/auto-ban']);
    assert.equal(Date.parse(until) - Date.parse(since), 3_600_000);
  });

  it('are of whom a trusted proxy names, never of whom the client does', async () => {
    const spoofed = { client: '198.51.100.1, 203.0.113.66', key: 'wrong' };
    await askMany(gateway, AFTER, spoofed);
    await turnsTo(gateway, { ...spoofed, key: KEYS.ANN_KEY }, 403);
    assert.deepEqual(await statuses(gateway, { client: '198.51.100.1', key: KEYS.ANN_KEY }), [200]);
  });

  it('are never of the proxy', async () => {
    await askMany(gateway, 3 * AFTER, { path: '/none' });
    assert.deepEqual(await statuses(gateway, { key: KEYS.ANN_KEY }), [200]);
    const metrics = await (await gateway.admin('GET', '/metrics')).text();
    assert.match(
      metrics,
      /sallyport_limit_notices_total\{attachment="listener:public\/auto-ban",notice="ban-protected"\} \d/,
    );
  });

  it('are of the consumer who proved to be one, and leave others behind its address alone', async () => {
    const secret = { client: '198.51.100.7', key: KEYS.BEN_KEY, path: '/orders/secret' };
    await askMany(gateway, AFTER, { ...secret, client: '203.0.113.67', key: 'ben-key-that-is-guessed' });
    assert.deepEqual(
      await statuses(gateway, { client: '198.51.100.7', key: KEYS.BEN_KEY }),
      [200],
      'guessed at',
    );
    await askMany(gateway, AFTER, { ...secret, client: '198.51.100.8' });
    await turnsTo(gateway, { client: '198.51.100.9', key: KEYS.BEN_KEY }, 403);
    const answer = await ask(gateway, { client: '198.51.100.9', key: KEYS.BEN_KEY });
    assert.equal(JSON.parse(await answer.text()).code, 'caller-banned');
    assert.deepEqual(await statuses(gateway, { client: '198.51.100.8', key: KEYS.ANN_KEY }), [200]);
  });

  it('are listed, told and audited, with the attachment that imposed them', async () => {
    const text = await cli(gateway, 'bans');
    assert.match(text, /^\w+ +203\.0\.113\.9\/32 +\S+ +listener:public\/auto-ban +20 rejections \(failed-/m);
    assert.match(
      text,
      /^\w+ +consumer ben +\S+ +route:orders\/auto-ban +20 rejections \(forbidden\) in 1h$/m,
    );
    await eventually(async () => /"event":"ban-imposed".*"banned":"consumer ben"/.test(gateway.output));
    const audit = await (await gateway.admin('GET', '/api/audit?limit=100')).text();
    const entry = JSON.parse(audit).entries.find(
      ({ detail }: { detail: { banned?: string } }) => detail.banned === 'consumer ben',
    );
    assert.deepEqual([entry.actor, entry.action], ['route:orders/auto-ban', 'ban.impose']);
    const metrics = await (await gateway.admin('GET', '/metrics')).text();
    assert.match(metrics, /^sallyport_imposed_bans [1-9]/m);
  });

  it('in shadow are listed, and of nobody', async () => {
    await askMany(gateway, 10, { client: '192.0.2.30' });
    await eventually(async () => /192\.0\.2\.30\/32.*@trial \(shadow\)/.test(await cli(gateway, 'bans')));
    assert.deepEqual(await statuses(gateway, { client: '192.0.2.30', key: KEYS.ANN_KEY }), [200]);
    await eventually(async () =>
      gateway.output.includes('"policy":"auto-ban","mode":"shadow","phase":"request","outcome":"reject"'),
    );
  });

  it('end with a command, and do not come back with the next rejection', async () => {
    assert.match(await cli(gateway, 'unban', 'consumer ben'), /consumer ben is no longer banned/);
    assert.deepEqual(await statuses(gateway, { client: '198.51.100.8', key: KEYS.BEN_KEY }), [200]);
    assert.match(await cli(gateway, 'unban', '203.0.113.9'), /203\.0\.113\.9\/32 is no longer banned/);
    const wrong = { client: '203.0.113.9', key: 'wrong' };
    for (const { status } of await askMany(gateway, AFTER - 1, wrong)) assert.equal(status, 401);
    assert.deepEqual(await statuses(gateway, { ...wrong, key: KEYS.ANN_KEY }), [200]);
    await ask(gateway, wrong);
    await turnsTo(gateway, { ...wrong, key: KEYS.ANN_KEY }, 403);
    const ban = (await listed(gateway)).find(({ network }) => network === '203.0.113.9/32');
    assert.equal(ban?.strike, 1, 'what was lifted is no strike');
  });

  it('outlive the worker that imposed them, and the process', async () => {
    await gateway.admin('POST', '/api/workers/0/restart');
    await gateway.admin('POST', '/api/workers/1/restart');
    assert.deepEqual(await statuses(gateway, { client: '203.0.113.9', key: KEYS.ANN_KEY }), [403]);
    const before = (await listed(gateway)).map(({ id }) => id).sort();
    // The last one, just before the end.
    await askMany(gateway, AFTER, { client: '203.0.113.99', key: 'wrong' });
    const exited = once(gateway.process, 'exit');
    gateway.process.kill('SIGTERM');
    await exited;
    const data = path.join(gateway.folder, 'data');
    const run = [
      'run',
      '--config',
      gateway.configFile,
      '--data',
      data,
      '--workers',
      '2',
      '--records',
      'none',
    ];
    const again = new Program([...run, '--admin', `127.0.0.1:${gateway.adminPort}`], { env: KEYS });
    try {
      await again.says(/revision {2}/);
      for (const client of ['203.0.113.9', '203.0.113.99'])
        assert.deepEqual(await statuses(gateway, { client, key: KEYS.ANN_KEY }), [403], client);
      assert.deepEqual(await statuses(gateway, { client: '198.51.100.8', key: KEYS.BEN_KEY }), [200]);
      const now = await listed(gateway);
      assert.deepEqual(
        now
          .map(({ id }) => id)
          .filter((id) => before.includes(id))
          .sort(),
        before,
      );
      assert.equal(now.length, before.length + 1);
    } finally {
      await again.stop();
    }
  });
});
