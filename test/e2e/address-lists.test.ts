/** Lists and bans through the real program: loopback feeds, two workers, and the command line of a person. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { addresses } from '../fixtures/feeds.ts';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { COUNTRIES, writeMmdb } from '../fixtures/mmdb.ts';
import { eventually, Program } from '../fixtures/process.ts';
import { RawClient, statusOf } from '../fixtures/raw-client.ts';

/** A feed that says what it is told to, by its ETag. */
class FeedServer {
  readonly asked: IncomingMessage['headers'][] = [];
  text = '';
  etag = '"1"';
  status = 200;
  readonly #server = createServer((request, response) => {
    this.asked.push(request.headers);
    if (this.status !== 200) response.writeHead(this.status).end('<html>Bad gateway</html>');
    else if (request.headers['if-none-match'] === this.etag) response.writeHead(304).end();
    else response.writeHead(200, { etag: this.etag }).end(this.text);
  });

  async start(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/drop.txt`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

/** A command of a person; rejects unless it ends as expected. */
async function cli(gateway: Gateway, args: readonly string[], expectedCode = 0): Promise<string> {
  const at = ['--admin', `127.0.0.1:${gateway.adminPort}`, '--data', path.join(gateway.folder, 'data')];
  const program = new Program([...args, ...at]);
  assert.equal(await program.exit(), expectedCode, `${args.join(' ')}\n${program.stdout}${program.stderr}`);
  return program.stdout;
}

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

/** Callers are who the proxy on this machine says. */
const TRUSTING = { trustedProxies: ['127.0.0.1'] };

const ask = async (port: number, client: string): Promise<number> => {
  const headers = { 'x-forwarded-for': client, connection: 'close' };
  return (await fetch(`http://127.0.0.1:${port}/`, { headers })).status;
};

/** On so many connections that no worker is left out. */
const CONNECTIONS = 40;
async function statuses(port: number, client: string): Promise<readonly number[]> {
  const all = await Promise.all(Array.from({ length: CONNECTIONS }, () => ask(port, client)));
  return [...new Set(all)];
}

describe('a list from a feed', () => {
  const feed = new FeedServer();
  let gateway: Gateway;
  let document: ReturnType<typeof proxyDocument>;
  const list = async () => JSON.parse(await cli(gateway, ['lists', 'drop', '--json']));
  const refresh = async () => JSON.parse(await cli(gateway, ['lists', 'refresh', 'drop', '--json'])).outcome;
  const revision = async () => JSON.parse(await (await gateway.admin('GET', '/api/status')).text()).revision;

  before(async () => {
    const source = await feed.start();
    feed.text = addresses(100);
    document = proxyDocument({
      port: await freePort(),
      upstream: origin,
      listener: { ...TRUSTING, policies: [{ 'ip-list': { deny: ['list:drop'] } }] },
      document: {
        lists: { drop: { source, headers: { 'x-feed-key': 'env:FEED_KEY' } } },
        tests: [
          {
            name: 'others go on',
            request: { path: '/', client: '198.51.100.1' },
            expect: { forwarded: true },
          },
        ],
      },
    });
    gateway = await startGateway(document, {
      workers: 2,
      admin: true,
      records: 'stdout',
      env: { FEED_KEY: 'feed-secret-1234' },
    });
  });
  after(async () => {
    await gateway.stop();
    feed.stop();
  });

  it('is loaded before the first request, in every worker', async () => {
    assert.deepEqual(await statuses(gateway.port, '203.0.112.7'), [403]);
    assert.deepEqual(await statuses(gateway.port, '::ffff:203.0.112.7'), [403]);
    assert.deepEqual(await statuses(gateway.port, '203.0.113.7'), [200]);
    assert.equal(feed.asked.length, 1);
    assert.equal(feed.asked[0]['x-feed-key'], 'feed-secret-1234');
    await eventually(async () =>
      /"rule":"list:drop","reason":"203\.0\.112\.7 is in 203\.0\.112\.7\/32 of list:drop"/.test(
        gateway.output,
      ),
    );
  });

  it('is not sent again while it is the same', async () => {
    assert.equal(await refresh(), 'unchanged');
    assert.equal(feed.asked.at(-1)?.['if-none-match'], '"1"');
  });

  it('changes in every worker at once, without another revision', async () => {
    const before = await revision();
    feed.text = addresses(100, 10);
    feed.etag = '"2"';
    assert.equal(await refresh(), 'applied');
    assert.deepEqual(await statuses(gateway.port, '203.0.112.7'), [200]);
    assert.deepEqual(await statuses(gateway.port, '203.0.112.105'), [403]);
    assert.equal(await revision(), before);
  });

  it('that would change too much is held, and taken when a person says so', async () => {
    feed.text = addresses(100, 100);
    feed.etag = '"3"';
    assert.equal(await refresh(), 'held');
    assert.deepEqual(await statuses(gateway.port, '203.0.112.105'), [403]);
    assert.deepEqual(await statuses(gateway.port, '203.0.112.190'), [200]);
    const metrics = await (await gateway.admin('GET', '/metrics')).text();
    assert.match(metrics, /sallyport_list_held\{list="drop"\} 1/);
    assert.match(gateway.output, /"event":"list-refresh-held"/);
    const diff = await cli(gateway, ['lists', 'diff', 'drop', '--limit', '1']);
    assert.match(diff, /90 added, 90 removed/);
    const { version } = (await list()).held;
    await cli(gateway, ['lists', 'approve', 'drop', 'ffff'], 1);
    await cli(gateway, ['lists', 'approve', 'drop', version.slice(0, 12)]);
    assert.deepEqual(await statuses(gateway.port, '203.0.112.190'), [403]);
    assert.deepEqual(await statuses(gateway.port, '203.0.112.15'), [200]);
  });

  it('that would shut out a private network, or everybody, is held', async () => {
    feed.text = `${addresses(100, 100)}10.0.0.0/8\n0.0.0.0/0\n`;
    feed.etag = '"4"';
    assert.equal(await refresh(), 'held');
    assert.match((await list()).held.reasons.join(), /10\.0\.0\.0\/8 \(private\).*0\.0\.0\.0\/0/);
    assert.deepEqual(await statuses(gateway.port, '10.1.2.3'), [200]);
    await cli(gateway, ['lists', 'reject', 'drop', (await list()).held.version]);
  });

  it('of a page, of a bad line or of nothing at all keeps what it was', async () => {
    for (const [text, says] of [
      ['<!DOCTYPE html><html>Sign in</html>', /HTML/],
      [`${addresses(50, 100)}oops\n${addresses(50, 150)}`, /line 51/],
    ] as const) {
      feed.text = text;
      feed.etag = '"5"';
      assert.equal(await refresh(), 'failed');
      assert.match((await list()).lastAttempt.detail, says);
    }
    feed.status = 502;
    assert.equal(await refresh(), 'failed');
    assert.deepEqual(await statuses(gateway.port, '203.0.112.190'), [403]);
    assert.match(await cli(gateway, ['lists']), /^drop +100 +refresh failed/m);
  });

  it('outlives a restart while its feed is out, held and pinned as it was', async () => {
    const { version: before } = await list();
    const versions = JSON.parse(await cli(gateway, ['lists', 'versions', 'drop', '--json'])).versions;
    assert.ok(versions.length >= 3);
    const first = versions.at(-1).id;
    await cli(gateway, ['lists', 'rollback', 'drop', first, '--reason', 'a partner is on it']);
    assert.deepEqual(await statuses(gateway.port, '203.0.112.7'), [403]);

    const exited = once(gateway.process, 'exit');
    gateway.process.kill('SIGTERM');
    await exited;
    const again = new Program(
      [
        'run',
        '--config',
        gateway.configFile,
        '--data',
        path.join(gateway.folder, 'data'),
        '--workers',
        '2',
        '--admin',
        `127.0.0.1:${gateway.adminPort}`,
        '--records',
        'none',
      ],
      { env: { FEED_KEY: 'feed-secret-1234' } },
    );
    try {
      await again.says(/revision {2}/);
      assert.deepEqual(await statuses(gateway.port, '203.0.112.7'), [403]);
      assert.equal((await list()).pinned, true);
      feed.status = 200;
      feed.text = addresses(100, 100);
      feed.etag = '"3"';
      await cli(gateway, ['lists', 'release', 'drop']);
      const { held } = await list();
      assert.equal(held.version, before);
      await cli(gateway, ['lists', 'approve', 'drop', held.version.slice(0, 8)]);
      assert.deepEqual(await statuses(gateway.port, '203.0.112.190'), [403]);
    } finally {
      await again.stop();
    }
    assert.ok(!`${gateway.output}${again.stdout}${again.stderr}`.includes('feed-secret-1234'));
  });
});

describe('a document with lists', () => {
  const feed = new FeedServer();
  let gateway: Gateway;
  let port: number;
  let source: string;
  const parts = { drop: { source: 'file:./drop.txt' } };
  const document = (lists: Readonly<Record<string, unknown>>, deny: readonly string[], geo?: unknown) =>
    proxyDocument({
      port,
      upstream: origin,
      listener: { ...TRUSTING, policies: [{ 'ip-list': { deny } }] },
      document: { lists, ...(geo === undefined ? {} : { geo }) },
    });
  const write = (name: string, content: string | Uint8Array) =>
    writeFile(path.join(gateway.folder, name), content);
  const answers = (client: string, status: number) =>
    eventually(async () => (await statuses(port, client)).join() === String(status));

  before(async () => {
    port = await freePort();
    source = await feed.start();
    feed.status = 503;
    gateway = await startGateway(document(parts, ['list:drop']), {
      workers: 2,
      admin: true,
      files: { 'drop.txt': '203.0.113.0/24\n' },
    });
  });
  after(async () => {
    await gateway.stop();
    feed.stop();
  });

  it('follows a file without another revision, and keeps the good one', async () => {
    const revision = async () =>
      JSON.parse(await (await gateway.admin('GET', '/api/status')).text()).revision;
    const first = await revision();
    assert.deepEqual(await statuses(port, '203.0.113.9'), [403]);
    await write('drop.txt', 'nonsense\n');
    await eventually(async () => /"event":"list-refresh-failed".+line 1/.test(gateway.output));
    assert.deepEqual(await statuses(port, '203.0.113.9'), [403]);
    await write('drop.txt', '203.0.113.0/25\n');
    await eventually(async () => /"event":"list-refresh-held"/.test(gateway.output));
    await write(
      'gateway.json',
      JSON.stringify(document({ drop: { ...parts.drop, maxChange: '500%' } }, ['list:drop'])),
    );
    await eventually(async () => (await revision()) !== first);
    await write('drop.txt', '203.0.113.0/26\n');
    await answers('203.0.113.99', 200);
    assert.deepEqual(await statuses(port, '203.0.113.9'), [403]);
  });

  it('is refused where a new file cannot be read, and serves without a feed that does not answer', async () => {
    const bad = document({ ...parts, more: { source: 'file:./none.txt' } }, ['list:drop', 'list:more']);
    const refused = await gateway.admin('POST', '/api/revisions', bad);
    assert.equal(refused.status, 422);
    assert.match(await refused.text(), /lists\.more\.source.*no such file/);
    assert.deepEqual(await statuses(port, '203.0.113.9'), [403]);

    const fed = document({ ...parts, fed: { source } }, ['list:drop', 'list:fed']);
    assert.equal((await gateway.admin('POST', '/api/revisions', fed)).status, 201);
    assert.deepEqual(await statuses(port, '203.0.113.9'), [403], 'the list that is there decides');
    assert.deepEqual(
      await statuses(port, '198.51.100.9'),
      [503],
      'nobody can say whether the other one would',
    );
    feed.status = 200;
    feed.text = '198.51.100.0/24\n';
    await cli(gateway, ['lists', 'refresh', 'fed']);
    assert.deepEqual(await statuses(port, '198.51.100.9'), [403]);
    assert.deepEqual(await statuses(port, '192.0.2.9'), [200]);
  });

  it('lets go of lists that it names no more, and follows its databases', async () => {
    await write('country.mmdb', writeMmdb(COUNTRIES));
    const geo = { country: 'file:./country.mmdb' };
    const answer = await gateway.admin('POST', '/api/revisions', document(parts, ['country:DE'], geo));
    assert.equal(answer.status, 201, await answer.text());
    assert.deepEqual(
      JSON.parse(await cli(gateway, ['lists', '--json'])).lists.map(({ name }: { name: string }) => name),
      ['drop'],
    );
    assert.deepEqual(await statuses(port, '192.0.2.1'), [403]);
    const networks = [['198.51.100.0/24', { country: { iso_code: 'DE' } }]] as const;
    await write('country.mmdb', writeMmdb({ type: 'GeoLite2-Country', networks }));
    await answers('198.51.100.1', 403);
    await answers('192.0.2.1', 200);
  });
});

describe('a ban', () => {
  let gateway: Gateway;
  const ban = (...args: string[]) => cli(gateway, ['ban', ...args]);

  before(async () => {
    const document = proxyDocument({ port: await freePort(), upstream: origin, listener: TRUSTING });
    gateway = await startGateway(document, { workers: 2, admin: true });
  });
  after(() => gateway.stop());

  it('is refused where it would do harm', async () => {
    for (const args of [['127.0.0.1'], ['127.0.0.1', '--force'], ['10.0.0.0/8'], ['0.0.0.0/1'], ['me']]) {
      await cli(gateway, ['ban', ...args], 1);
    }
    assert.match(await cli(gateway, ['bans']), /Nobody/);
  });

  it('is in force in every worker when the command returns, and within 100 ms of the request', async () => {
    assert.deepEqual(await statuses(gateway.port, '203.0.113.9'), [200]);
    await ban('203.0.113.9', '--for', '1h', '--reason', 'scans', '--as', 'ann');
    assert.deepEqual(await statuses(gateway.port, '203.0.113.9'), [403]);
    assert.deepEqual(await statuses(gateway.port, '::ffff:203.0.113.9'), [403]);
    assert.deepEqual(await statuses(gateway.port, '203.0.113.10'), [200]);
    // The best of some tries: what else this machine does meanwhile is not the ban's.
    const tookMs: number[] = [];
    for (const client of ['203.0.113.77', '203.0.113.78', '203.0.113.79']) {
      const startMs = performance.now();
      const answer = await gateway.admin('POST', '/api/bans', { address: client });
      tookMs.push(performance.now() - startMs);
      assert.equal(answer.status, 201);
      assert.deepEqual(await statuses(gateway.port, client), [403]);
    }
    assert.ok(Math.min(...tookMs) < 100, `${tookMs} ms`);
    const metrics = await (await gateway.admin('GET', '/metrics')).text();
    assert.match(metrics, /^sallyport_bans 4$/m);
    const { entries } = JSON.parse(await (await gateway.admin('GET', '/api/audit')).text());
    const added = entries.find(
      (entry: { action: string; detail: { reason: string } }) => entry.detail.reason === 'scans',
    );
    assert.deepEqual(
      [added.action, added.actor, added.detail.network],
      ['ban.add', 'admin as ann', '203.0.113.9/32'],
    );
  });

  it('meets open connections: the next request is refused, and the connection ends', async () => {
    const client = await RawClient.connect(gateway.port, { localAddress: '127.0.0.77' });
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal(statusOf((await client.response()) ?? assert.fail()), 200);
    await ban('127.0.0.77', '--force');
    client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    assert.equal(statusOf((await client.response(2)) ?? assert.fail()), 403);
    assert.ok(await client.closedWithin(3000));
    client.close();
  });

  it('is over at its time by itself', async () => {
    await ban('203.0.113.55', '--for', '1s');
    assert.deepEqual(await statuses(gateway.port, '203.0.113.55'), [403]);
    await eventually(async () => (await statuses(gateway.port, '203.0.113.55')).join() === '200', 3000);
    await eventually(async () => gateway.output.includes('"event":"ban-over"'));
  });

  it('ends with a command, and what is left survives a restart', async () => {
    for (const client of ['203.0.113.77', '203.0.113.78', '203.0.113.79'])
      await cli(gateway, ['unban', client]);
    assert.deepEqual(await statuses(gateway.port, '203.0.113.77'), [200]);
    const exited = once(gateway.process, 'exit');
    gateway.process.kill('SIGTERM');
    await exited;
    const data = path.join(gateway.folder, 'data');
    const again = new Program([
      'run',
      '--config',
      gateway.configFile,
      '--data',
      data,
      '--workers',
      '2',
      '--admin',
      `127.0.0.1:${gateway.adminPort}`,
      '--records',
      'none',
    ]);
    try {
      await again.says(/revision {2}/);
      assert.deepEqual(await statuses(gateway.port, '203.0.113.9'), [403]);
      assert.deepEqual(await statuses(gateway.port, '203.0.113.77'), [200]);
      const { bans } = JSON.parse(await cli(gateway, ['bans', '--json']));
      assert.deepEqual(bans.map(({ network }: { network: string }) => network).sort(), [
        '127.0.0.77/32',
        '203.0.113.9/32',
      ]);
    } finally {
      await again.stop();
    }
  });
});
