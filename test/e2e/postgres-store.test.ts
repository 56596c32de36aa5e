/** Gateways whose store is Postgres: several at once, and what becomes of them when it is lost. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import { NODE_HOST, resolving } from '../fixtures/fleet.ts';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { PostgresServer } from '../fixtures/postgres-server.ts';
import { eventually, Program, temporaryFolder } from '../fixtures/process.ts';

const server = await PostgresServer.start();
const origin = createServer((_, response) => response.end('here'));
origin.listen(0, '127.0.0.1');
await once(origin, 'listening');
const upstream = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
after(async () => {
  origin.close();
  origin.closeAllConnections();
  await server.stop();
});

/** Nodes must open what another has sealed. */
const MASTER_KEY = Buffer.alloc(32, 7).toString('base64');
/** A change is to be everywhere within this. */
const SOON_MS = 1000;

/** Nodes of one store have one document, and each an address of its own. */
const ports = new Map<string, number>();
const hosts = new Map<Gateway, string>();

async function node(schema: string): Promise<Gateway> {
  const port = ports.get(schema) ?? (await freePort());
  ports.set(schema, port);
  const host = `127.0.0.${10 + hosts.size}`;
  const document = proxyDocument({
    port,
    upstream,
    listener: { address: `${NODE_HOST}:${port}`, trustedProxies: ['127.0.0.0/8'] },
    routes: [
      { name: 'open', match: { path: '/open' }, upstream: 'origin', policies: [] },
      { name: 'keys', match: { path: '/keys' }, upstream: 'origin', policies: [{ 'api-key': {} }] },
      { name: 'basic', match: { path: '/basic' }, upstream: 'origin', policies: [{ 'basic-auth': {} }] },
    ],
    document: {
      bruteForce: 'off',
      consumers: [
        { name: 'declared', credentials: [{ 'api-key': { id: 'declared-1', secret: 'env:DECLARED' } }] },
      ],
    },
  });
  const store = ['--store', server.url(schema), '--store-password', 'env:STORE_PASSWORD'];
  const gateway = await startGateway(document, {
    admin: true,
    host,
    nodeArguments: ['--import', resolving(host)],
    arguments: [...store, '--master-key', 'env:MASTER_KEY', '--drain', '1s'],
    env: { STORE_PASSWORD: server.password, MASTER_KEY, DECLARED: 'a-key-of-the-document-0123' },
  });
  hosts.set(gateway, host);
  return gateway;
}

/** Status of a request by one connection. */
function get(
  gateway: Gateway,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<number> {
  return new Promise((resolve, reject) => {
    const at = { host: hosts.get(gateway), port: gateway.port };
    const asked = request({ ...at, path, headers: { connection: 'close', ...headers } });
    asked.on('response', (response) => resolve(response.resume().statusCode ?? 0));
    asked.on('error', reject).end();
  });
}

async function change(gateway: Gateway, method: string, path: string, body?: object) {
  const answer = await gateway.admin(method, path, body ?? {});
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text === '' ? {} : JSON.parse(text);
}

const soon = (what: () => Promise<number>, status: number): Promise<void> =>
  eventually(async () => (await what()) === status, SOON_MS);

const key = (secret: string) => ({ 'x-api-key': secret });
const basic = (user: string, password: string) => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});

// biome-ignore lint/suspicious/noExplicitAny: answers of many forms, which the assertions look at
type Answer = any;

async function see(gateway: Gateway, path: string): Promise<Answer> {
  return await (await gateway.admin('GET', path)).json();
}

const statusOf = (gateway: Gateway): Promise<Answer> => see(gateway, '/api/status');

async function kill(gateway: Gateway): Promise<void> {
  const ended = once(gateway.process, 'exit');
  gateway.process.kill('SIGKILL');
  await ended;
  await gateway.stop();
}

describe('two gateways on one Postgres', async () => {
  const schema = server.newSchema();
  let [a, b] = [await node(schema), await node(schema)];
  after(async () => {
    await a.stop();
    await b.stop();
  });

  test('a ban on one refuses on the other within a second, and is lifted there', async () => {
    const from = { 'x-forwarded-for': '203.0.113.9' };
    assert.equal(await get(b, '/open', from), 200);
    await change(a, 'POST', '/api/bans', { address: '203.0.113.9', for: '1h' });
    await soon(() => get(b, '/open', from), 403);
    await change(b, 'DELETE', '/api/bans/203.0.113.9');
    await soon(() => get(a, '/open', from), 200);
  });

  test('who is given a key on one calls through the other, until it is revoked', async () => {
    await change(a, 'POST', '/api/consumers', { name: 'app', groups: [] });
    const { credential, secret } = await change(a, 'POST', '/api/credentials', {
      consumer: 'app',
      kind: 'api-key',
    });
    await soon(() => get(b, '/keys', key(secret)), 200);
    await change(b, 'POST', '/api/consumers/app/disable');
    await soon(() => get(a, '/keys', key(secret)), 401);
    await change(a, 'POST', '/api/consumers/app/enable');
    await soon(() => get(b, '/keys', key(secret)), 200);
    await change(b, 'POST', `/api/credentials/${credential.id}/revoke`);
    await soon(() => get(a, '/keys', key(secret)), 401);
  });

  test('a consumer that is removed takes its keys along, and one of its name does not bring them back', async () => {
    await change(a, 'POST', '/api/consumers', { name: 'gone', groups: [] });
    const { secret } = await change(a, 'POST', '/api/credentials', { consumer: 'gone', kind: 'api-key' });
    await soon(() => get(b, '/keys', key(secret)), 200);
    await change(a, 'DELETE', '/api/consumers/gone');
    await soon(() => get(b, '/keys', key(secret)), 401);
    await change(a, 'POST', '/api/consumers', { name: 'gone', groups: [] });
    const next = await change(a, 'POST', '/api/credentials', { consumer: 'gone', kind: 'api-key' });
    await soon(() => get(b, '/keys', key(next.secret)), 200);
    assert.equal(await get(b, '/keys', key(secret)), 401);
  });

  test('a password that takes the place of another does so everywhere', async () => {
    const asked = { consumer: 'app', kind: 'basic-auth', username: 'ann' };
    const first = await change(a, 'POST', '/api/credentials', asked);
    await soon(() => get(b, '/basic', basic('ann', first.secret)), 200);
    const next = await change(b, 'POST', `/api/credentials/${first.credential.id}/rotate`, { overlap: '0s' });
    await soon(() => get(a, '/basic', basic('ann', next.secret)), 200);
    assert.equal(await get(a, '/basic', basic('ann', first.secret)), 401);
  });

  test('what the document declares is revoked and restored everywhere', async () => {
    const declared = key('a-key-of-the-document-0123');
    await change(a, 'POST', '/api/credentials/declared-1/revoke');
    await soon(() => get(b, '/keys', declared), 401);
    await change(b, 'POST', '/api/credentials/declared-1/restore');
    await soon(() => get(a, '/keys', declared), 200);
  });

  test('both write one audit, whole and in order', async () => {
    await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        change(n % 2 ? a : b, 'POST', '/api/bans', { address: `198.51.100.${n}`, for: '1h' }),
      ),
    );
    const verified = await see(a, '/api/audit/verification');
    assert.equal(verified.intact, true, JSON.stringify(verified));
    const { entries } = await see(b, '/api/audit?limit=20');
    assert.equal(entries.filter(({ action }: { action: string }) => action === 'ban.add').length, 20);
  });

  test('one that starts later knows all of it', async () => {
    await kill(b);
    const { secret } = await change(a, 'POST', '/api/credentials', { consumer: 'app', kind: 'api-key' });
    b = await node(schema);
    assert.equal(await get(b, '/keys', key(secret)), 200);
    assert.equal(await get(b, '/open', { 'x-forwarded-for': '198.51.100.3' }), 403);
  });
});

describe('a gateway whose Postgres is lost', async () => {
  const schema = server.newSchema();
  const gateway = await node(schema);
  after(() => gateway.stop());

  test('paused: traffic goes on, changes are refused without waiting, and it is told once', async () => {
    await change(gateway, 'POST', '/api/consumers', { name: 'app', groups: [] });
    const { secret } = await change(gateway, 'POST', '/api/credentials', {
      consumer: 'app',
      kind: 'api-key',
    });
    server.pause();
    try {
      const startMs = performance.now();
      const refused = await gateway.admin('POST', '/api/consumers', { name: 'other', groups: [] });
      assert.equal(refused.status, 503);
      assert.match(await refused.text(), /"code":"store-unavailable"/);
      assert.ok(performance.now() - startMs < 7000);
      for (let n = 0; n < 20; n++) {
        const againMs = performance.now();
        assert.equal(
          (await gateway.admin('POST', '/api/consumers', { name: 'other', groups: [] })).status,
          503,
        );
        assert.equal(await get(gateway, '/keys', key(secret)), 200);
        assert.ok(performance.now() - againMs < 1000);
      }
      const status = await statusOf(gateway);
      assert.deepEqual([status.ready, status.store], [true, 'unavailable']);
      assert.match(status.reason, /store does not answer/);
      const ready = await fetch(`http://127.0.0.1:${gateway.adminPort}/readyz`);
      assert.equal(ready.status, 200);
      assert.match(await ready.text(), /store does not answer/);
      assert.match(await (await gateway.admin('GET', '/metrics')).text(), /^sallyport_store_up 0$/m);
      // An emergency waits for no store.
      const { stored } = await change(gateway, 'POST', '/api/bans', { address: '203.0.113.7', for: '1h' });
      assert.equal(stored, false);
      assert.equal(await get(gateway, '/open', { 'x-forwarded-for': '203.0.113.7' }), 403);
    } finally {
      server.resume();
    }
    await eventually(async () => (await statusOf(gateway)).store === 'ok', 15_000);
    assert.match(await (await gateway.admin('GET', '/metrics')).text(), /^sallyport_store_up 1$/m);
    await change(gateway, 'POST', '/api/consumers', { name: 'other', groups: [] });
    for (const event of ['store-unavailable', 'store-recovered']) {
      assert.equal(gateway.output.match(new RegExp(`"event":"${event}"`, 'g'))?.length, 1, event);
    }
    // What was done without it is there now.
    await eventually(async () => {
      const rows = await server.inStore(`SELECT network FROM ${schema}.bans`);
      return rows.some(({ network }) => network === '203.0.113.7/32');
    });
    assert.ok(!gateway.output.includes(server.password));
  });

  test('a document that came meanwhile is recorded afterwards', async () => {
    await server.kill();
    const document = JSON.parse(await readFile(gateway.configFile, 'utf8'));
    document.routes.push({ name: 'more', match: { path: '/more' }, upstream: 'origin', policies: [] });
    await writeFile(gateway.configFile, JSON.stringify(document));
    await eventually(async () => (await get(gateway, '/more')) === 200);
    const { revision } = await statusOf(gateway);
    await server.run();
    await eventually(async () => {
      const rows = await server.inStore(
        `SELECT revision FROM ${schema}.activations ORDER BY number DESC LIMIT 1`,
      );
      return rows[0]?.revision === revision;
    }, 15_000);
  });
});

describe('a gateway that starts without its Postgres', () => {
  test('serves, says so, and takes up what it holds when it is there', async () => {
    const schema = server.newSchema();
    const first = await node(schema);
    await change(first, 'POST', '/api/consumers', { name: 'app', groups: [] });
    const { secret } = await change(first, 'POST', '/api/credentials', { consumer: 'app', kind: 'api-key' });
    await change(first, 'POST', '/api/bans', { address: '203.0.113.8', for: '1h' });
    await first.stop();
    await server.kill();
    const second = await node(schema);
    try {
      assert.equal(await get(second, '/open'), 200);
      assert.equal((await statusOf(second)).store, 'unavailable');
      assert.equal((await second.admin('POST', '/api/consumers', { name: 'x', groups: [] })).status, 503);
      await server.run();
      await eventually(async () => (await get(second, '/keys', key(secret))) === 200, 15_000);
      await eventually(
        async () => (await get(second, '/open', { 'x-forwarded-for': '203.0.113.8' })) === 403,
      );
      await change(second, 'POST', '/api/consumers', { name: 'x', groups: [] });
    } finally {
      await second.stop();
    }
  });

  test('does not start beside one that a newer program has written', async () => {
    const schema = server.newSchema();
    await (await node(schema)).stop();
    await server.inStore(`UPDATE ${schema}.schema_version SET version = 99`);
    await assert.rejects(node(schema), /schema version 99/);
  });
});

describe('what was acknowledged', () => {
  test('is there after the gateway and the store were killed in the middle', async () => {
    const schema = server.newSchema();
    const acknowledged: string[] = [];
    let asked = 0;
    for (let round = 0; round < 4; round++) {
      const gateway = await node(schema);
      let isOver = false;
      const work = Array.from({ length: 4 }, async () => {
        while (!isOver) {
          const name = `c${asked++}`;
          const answer = await gateway
            .admin('POST', '/api/consumers', { name, groups: [] })
            .catch(() => undefined);
          if (answer?.status === 201) acknowledged.push(name);
          await answer?.arrayBuffer().catch(() => {});
        }
      });
      const before = acknowledged.length;
      await eventually(async () => acknowledged.length > before + 10 + 7 * round);
      if (round % 2 === 0) await server.kill();
      else gateway.process.kill('SIGKILL');
      if (round % 2 === 0) {
        await server.run();
        await eventually(async () => (await statusOf(gateway)).store === 'ok', 15_000);
        const back = acknowledged.length;
        await eventually(async () => acknowledged.length > back + 5);
      }
      isOver = true;
      await kill(gateway);
      await Promise.all(work);
    }
    const rows = await server.inStore(`SELECT name FROM ${schema}.consumers`);
    const kept = new Set(rows.map(({ name }) => String(name)));
    assert.deepEqual(
      acknowledged.filter((name) => !kept.has(name)),
      [],
    );
    const gateway = await node(schema);
    const verified = await see(gateway, '/api/audit/verification');
    assert.equal(verified.intact, true);
    await gateway.stop();
  });
});

describe('a store on the command line', () => {
  for (const [what, args] of [
    ['no URL', ['--store', 'localhost:5432']],
    ['a password in the URL', ['--store', 'postgres://me:hunter22@localhost/a']],
    [
      'a password that is no reference',
      ['--store', 'postgres://localhost/a', '--store-password', 'hunter22'],
    ],
  ] as const) {
    test(`stops the start with ${what}, and is not repeated`, async () => {
      const folder = await temporaryFolder();
      const program = new Program(['run', '--data', folder.path, '--admin', 'off', ...args], {
        cwd: folder.path,
      });
      assert.equal(await program.exit(), 1);
      assert.match(program.stderr, /--store/);
      assert.doesNotMatch(program.stderr, /hunter22/);
      await folder.remove();
    });
  }
});

describe('a revision that was acknowledged', () => {
  const start = (folder: string, adminPort: number, schema: string): Program => {
    const place = ['--config', `${folder}/gateway.json`, '--data', `${folder}/data`, '--records', 'none'];
    const store = ['--store', server.url(schema), '--store-password', 'env:STORE_PASSWORD'];
    return new Program(['run', ...place, ...store, '--admin', `127.0.0.1:${adminPort}`, '--workers', '1'], {
      env: { STORE_PASSWORD: server.password },
    });
  };

  test('is served after a kill, with its store and without; one that cannot be kept is not acknowledged', async () => {
    const folder = await temporaryFolder();
    const schema = server.newSchema();
    const [port, adminPort] = [await freePort(), await freePort()];
    const documentWith = (path: string) => ({
      ...proxyDocument({ port, upstream }),
      routes: [{ name: 'only', match: { path }, upstream: 'origin', policies: [] }],
    });
    await writeFile(`${folder.path}/gateway.json`, JSON.stringify(documentWith('/disk')));
    const publish = async (path: string): Promise<Response> =>
      await fetch(`http://127.0.0.1:${adminPort}/api/revisions`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${(await readFile(`${folder.path}/data/admin-token`, 'utf8')).trim()}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify(documentWith(path)),
      });
    const served = async (path: string): Promise<number> =>
      (await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } })).status;

    let program = start(folder.path, adminPort, schema);
    await program.says(/Sallyport serves/);
    assert.equal((await publish('/api')).status, 201);
    program.signal('SIGKILL');
    await program.exit();

    program = start(folder.path, adminPort, schema);
    await program.says(/Sallyport serves/);
    assert.deepEqual([await served('/api'), await served('/disk')], [200, 404]);
    program.signal('SIGKILL');
    await program.exit();

    await server.kill();
    program = start(folder.path, adminPort, schema);
    await program.says(/Sallyport serves the LAST GOOD REVISION/);
    assert.deepEqual([await served('/api'), await served('/disk')], [200, 404]);
    const refused = await publish('/lost');
    assert.deepEqual([refused.status, /store-unavailable/.test(await refused.text())], [503, true]);
    assert.deepEqual([await served('/api'), await served('/lost')], [200, 404]);
    await server.run();
    await program.says(/store-recovered/);
    assert.equal((await publish('/found')).status, 201);
    assert.equal(await served('/found'), 200);
    await program.stop();
    await folder.remove();
  });
});
