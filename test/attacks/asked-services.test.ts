import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { CLIENT, OidcServer, OPAQUE } from '../fixtures/oidc-provider.ts';
import { eventually, temporaryFolder } from '../fixtures/process.ts';
import { RawClient, type RawMessage, statusOf, values } from '../fixtures/raw-client.ts';
import { ok, RawUpstream, send, silent } from '../fixtures/raw-upstream.ts';

/** Services that policies ask: what their answers, their silence and their callers must not bring about. */

const SECRETS = {
  CLIENT_SECRET: CLIENT.secret,
  UPSTREAM_KEY: 'upstream-key-0123456789abcdef',
};

interface World {
  readonly gateway: Gateway;
  readonly upstream: RawUpstream;
  /** What `external-auth` asks. */
  readonly service: RawUpstream;
  /** Never answers. */
  readonly mute: RawUpstream;
  readonly server: OidcServer;
  readonly records: string;
  close(): Promise<void>;
}

const route = (name: string, ...policies: unknown[]) => ({
  name,
  match: { path: `/${name}/**` },
  upstream: 'origin',
  policies,
});

async function open(): Promise<World> {
  const [upstream, service, mute, server, folder] = await Promise.all([
    RawUpstream.start(),
    RawUpstream.start(),
    RawUpstream.start({ answer: silent }),
    OidcServer.start(),
    temporaryFolder(),
  ]);
  const dead = `http://127.0.0.1:${await freePort()}`;
  const named = { upstreamHeaders: ['X-User'], identity: { consumer: 'X-Who' }, timeout: '5s' };
  const own = { clientId: CLIENT.id, clientSecret: 'env:CLIENT_SECRET' };
  const introspection = { issuer: server.issuer, ...own, audience: OPAQUE };
  const oauth2 = { issuer: server.issuer, ...own, resource: OPAQUE, scopes: ['orders.read'] };
  const document = proxyDocument({
    port: await freePort(),
    upstream: upstream.url,
    document: { bruteForce: 'off' },
    routes: [
      route('plain'),
      route('asked', {
        'external-auth': { url: service.url, ...named, clientHeaders: ['Set-Cookie'], cache: { ttl: '1m' } },
      }),
      route('lenient', { 'external-auth': { url: dead, ...named }, onError: 'continue' }),
      route('slow', { 'external-auth': { url: mute.url, timeout: '1s' } }),
      route('envoy', {
        'external-auth': { url: `${service.url}/check`, mode: 'envoy', clientHeaders: ['Set-Cookie'] },
      }),
      route('whole', { 'external-auth': { url: service.url, body: '1kB', requestHeaders: [] } }),
      route('token', { 'oauth2-introspection': { ...introspection, query: 'access_token' } }),
      route('unknown', { 'oauth2-introspection': { ...introspection, issuer: dead } }),
      route('key', { 'upstream-auth': { apiKey: { header: 'X-Key', secret: 'env:UPSTREAM_KEY' } } }),
      route('own', { 'upstream-auth': { oauth2 } }),
      route('bare', { 'upstream-auth': { oauth2: { ...oauth2, issuer: dead } }, onError: 'continue' }),
    ],
  });
  const records = path.join(folder.path, 'records.jsonl');
  const gateway = await startGateway(document, { env: SECRETS, records });
  const stopped = [upstream, service, mute, server];
  return {
    ...{ gateway, upstream, service, mute, server, records },
    close: async () => {
      await gateway.stop();
      await Promise.all(stopped.map((one) => one.stop()));
      await folder.remove();
    },
  };
}

const BOUND = `HTTP/1.1 200 OK\r\nX-User: ann\r\nX-Who: ann\r\nX-Admin: 1\r\nContent-Length: 0\r\n\r\n`;

describe('services that are asked', () => {
  let world: World;
  before(async () => {
    world = await open();
  });
  after(() => world.close());

  /** Sends a request over a connection of its own. */
  async function ask(target: string, fields = '', body = ''): Promise<RawMessage> {
    const client = await RawClient.connect(world.gateway.port);
    const method = body === '' ? 'GET' : 'POST';
    client.send(
      Buffer.from(`${method} ${target} HTTP/1.1\r\nHost: a.test\r\n${fields}\r\n${body}`, 'latin1'),
    );
    const response = await client.response();
    client.close();
    assert.ok(response?.complete, 'no answer');
    return response;
  }

  /** What the upstream received of the last request. */
  const arrived = (): RawMessage => {
    const { requests } = world.upstream;
    return requests[requests.length - 1] ?? assert.fail('nothing arrived');
  };
  const arrivals = () => world.upstream.requests.length;

  it('a client never speaks in the service’s place', async () => {
    world.service.answer = send('HTTP/1.1 200 OK\r\nX-Who: ann\r\nContent-Length: 0\r\n\r\n');
    const spoofs = [
      'X-User: admin\r\nx-user: admin\r\nX-Who: admin\r\n',
      'Connection: X-User\r\nX-User: admin\r\n',
      'X-User:admin\r\nCookie: other=1\r\n',
      // One name to servers that hand each mark of it on as `_`.
      'X.User: admin\r\nX~Who: admin\r\nx!user: admin\r\n',
    ];
    for (const spoof of spoofs) {
      assert.equal(statusOf(await ask('/asked/1', spoof)), 200);
      assert.deepEqual(values(arrived(), 'x-user'), []);
      assert.deepEqual(values(arrived(), 'x-who'), []);
      assert.deepEqual(values(arrived(), 'x-consumer-username'), ['ann']);
      assert.doesNotMatch(String(arrived().fields), /admin/);
    }
    const chunked = 'Transfer-Encoding: chunked\r\nTrailer: X-User\r\n';
    assert.equal(
      statusOf(await ask('/asked/2', chunked, '1\r\na\r\n0\r\nX-User: admin\r\nX.User: admin\r\n\r\n')),
      200,
    );
    assert.doesNotMatch(world.upstream.bytes.toString('latin1'), /admin/);
  });

  it('a client does not either where the service is away and requests go on all the same', async () => {
    assert.equal(statusOf(await ask('/lenient/1', 'X-User: admin\r\nX-Who: admin\r\n')), 200);
    assert.deepEqual(values(arrived(), 'x-user'), []);
    assert.deepEqual(values(arrived(), 'x-who'), []);
    assert.deepEqual(values(arrived(), 'x-consumer-username'), []);
  });

  it('what the service says beyond what is named goes nowhere', async () => {
    world.service.answer = send(BOUND);
    const response = await ask('/asked/3');
    assert.deepEqual(values(arrived(), 'x-user'), ['ann']);
    assert.deepEqual(values(arrived(), 'x-admin'), []);
    assert.deepEqual(values(response, 'x-admin'), []);
  });

  it('callers with different cookies never share a decision, callers with the same do', async () => {
    const answer = (user: string) =>
      send(`HTTP/1.1 200 OK\r\nX-User: ${user}\r\nX-Who: ${user}\r\nContent-Length: 0\r\n\r\n`);
    world.service.answer = (socket, request, index) =>
      answer(values(request, 'cookie')[0] ?? 'nobody')(socket, request, index);
    const asked = () => world.service.requests.length;
    const before = asked();
    for (const _ of [1, 2])
      for (const cookie of ['sid-ann', 'sid-ben', 'sid-annx']) {
        await ask('/asked/4', `Cookie: ${cookie}\r\n`);
        assert.deepEqual(values(arrived(), 'x-user'), [cookie]);
      }
    assert.equal(asked() - before, 3);
  });

  it('a second answer behind the first belongs to nobody', async () => {
    const deny = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n';
    world.service.answer = send(deny + BOUND);
    for (let i = 0; i < 10; i++) assert.equal(statusOf(await ask(`/asked/smuggled-${i}`)), 403);
  });

  it('an answer with two lengths, or a line break in a field, decides nothing', async () => {
    const unsound = [
      'HTTP/1.1 200 OK\r\nX-Who: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nHTTP/',
      'HTTP/1.1 200 OK\r\nX-Who: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      'HTTP/1.1 200 OK\r\nX-Who: a\r\nX-User: a\n X-Admin: 1\r\nContent-Length: 0\r\n\r\n',
      'HTTP/1.1 200 OK\r\nX-Who: a\r\nX-User: a\0b\r\nContent-Length: 0\r\n\r\n',
      `HTTP/1.1 200 OK\r\nX-Who: a\r\nContent-Length: 100000\r\n\r\n${'a'.repeat(100_000)}`,
    ];
    const before = arrivals();
    for (const [i, text] of unsound.entries()) {
      world.service.answer = send(text);
      assert.equal(statusOf(await ask(`/asked/unsound-${i}`)), 503, text.slice(0, 60));
    }
    assert.equal(arrivals(), before);
  });

  it('a service that refuses in mode envoy answers itself, and only with what is allowed', async () => {
    const refusal =
      'HTTP/1.1 302 Found\r\nLocation: https://login.test/\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n';
    const more =
      'X-Internal: 1\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno';
    world.service.answer = send(refusal + more);
    const response = await ask(
      '/envoy/orders/1?a=b',
      'X-Forwarded-Uri: /public\r\nX-Original-Method: GET\r\n',
    );
    assert.equal(statusOf(response), 302);
    assert.equal(response.body.toString(), 'no');
    assert.deepEqual(values(response, 'location'), ['https://login.test/']);
    assert.deepEqual(values(response, 'set-cookie'), ['a=1', 'b=2']);
    assert.deepEqual(values(response, 'content-type'), ['text/plain']);
    assert.deepEqual(values(response, 'x-internal'), []);
    assert.deepEqual(values(response, 'connection'), []);
    const { requests } = world.service;
    const asked = requests[requests.length - 1];
    assert.equal(asked.startLine, 'GET /check/envoy/orders/1?a=b HTTP/1.1');
    assert.deepEqual(values(asked, 'host'), ['a.test']);
    assert.deepEqual(values(asked, 'x-forwarded-uri'), ['/envoy/orders/1?a=b']);
  });

  it('a path cannot lead it to another place', async () => {
    world.service.answer = ok();
    for (const target of ['/envoy/@evil.test/', '/envoy/a%40b:80', '/envoy/a//b', '/envoy/a;b=c'])
      await ask(target);
    for (const { startLine } of world.service.requests.slice(-4))
      assert.match(startLine, /^GET (\/check\/envoy\/|\/ )/, startLine);
  });

  it('a body is shown to it whole, or the request is refused', async () => {
    world.service.answer = (socket, request, index) =>
      (request.body.includes('bad') ? send('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n') : ok())(
        socket,
        request,
        index,
      );
    const post = async (body: string) =>
      statusOf(await ask('/whole/1', `Content-Length: ${body.length}\r\nContent-Type: text/plain\r\n`, body));
    assert.equal(await post('good'), 200);
    assert.equal(arrived().body.toString(), 'good');
    assert.equal(await post(`${'a'.repeat(900)}bad`), 403);
    assert.equal(await post('a'.repeat(1001)), 413);
  });

  it('a service that never answers holds nobody else', async () => {
    const startedMs = performance.now();
    const slow = Array.from({ length: 100 }, (_, i) => ask(`/slow/${i}`));
    await world.mute.until(({ requests }) => requests.length > 0);
    for (let i = 0; i < 20; i++) assert.equal(statusOf(await ask('/plain/1')), 200);
    assert.ok(performance.now() - startedMs < 1000, 'they were answered while the others waited');
    const statuses = (await Promise.all(slow)).map(statusOf);
    assert.deepEqual(new Set(statuses), new Set([503]));
  });

  it('a token is worth what its server says, and nothing without it', async () => {
    const token = await world.server.clientToken({ resource: OPAQUE });
    const other = await world.server.clientToken({});
    const status = async (target: string, authorization: string) =>
      statusOf(await ask(target, `Authorization: ${authorization}\r\n`));
    assert.equal(await status('/token/1', `Bearer ${token}`), 200);
    assert.deepEqual(values(arrived(), 'x-consumer-username'), [CLIENT.id]);
    assert.equal(await status('/token/1', `Bearer ${token}x`), 401);
    assert.equal(await status('/token/1', `Bearer ${other}`), 401);
    assert.equal(await status('/token/1', `Basic ${token}`), 401);
    assert.equal(await status('/unknown/1', `Bearer ${token}`), 503);
    const twice = `Authorization: Bearer ${token}\r\nAuthorization: Bearer ${token}\r\n`;
    assert.equal(statusOf(await ask('/token/1', twice)), 401);
    assert.equal(statusOf(await ask(`/token/1?access_token=${token}`)), 200);
  });

  it('the upstream gets the gateway’s credentials, never the client’s', async () => {
    const theirs = 'Authorization: Bearer client\r\nauthorization: Bearer client\r\nX-Key: client\r\n';
    assert.equal(statusOf(await ask('/key/1', theirs)), 200);
    assert.deepEqual(values(arrived(), 'x-key'), [SECRETS.UPSTREAM_KEY]);
    assert.deepEqual(values(arrived(), 'authorization'), []);
    assert.equal(statusOf(await ask('/own/1', theirs)), 200);
    const [authorization, ...more] = values(arrived(), 'authorization');
    assert.deepEqual(more, []);
    const form = new URLSearchParams({ token: authorization.replace('Bearer ', '') });
    const said = await (await world.server.post('/token/introspection', form)).json();
    assert.equal(typeof said === 'object' && said !== null && 'active' in said && said.active, true);
  });

  it('nothing goes on without them, not where errors let requests on either', async () => {
    const before = arrivals();
    assert.equal(statusOf(await ask('/bare/1', 'Authorization: Bearer client\r\n')), 503);
    assert.equal(arrivals(), before);
  });

  it('nothing secret is in records and logs', async () => {
    await ask(
      '/asked/5?token=query-secret',
      'Authorization: Bearer header-secret\r\nCookie: sid=cookie-secret\r\n',
    );
    await ask('/lenient/5?token=query-secret', 'Authorization: Bearer header-secret\r\n');
    await ask('/token/5?access_token=query-secret');
    await ask('/unknown/5?access_token=query-secret', 'Authorization: Bearer header-secret\r\n');
    await ask('/bare/5?token=query-secret', 'Authorization: Bearer header-secret\r\n');
    await eventually(async () => (await readFile(world.records, 'utf8')).includes('/bare/5'));
    const told = world.gateway.output + (await readFile(world.records, 'utf8'));
    assert.match(told, /own-token-unavailable/);
    assert.match(told, /identity-unavailable/);
    for (const secret of ['query-secret', 'header-secret', 'cookie-secret', ...Object.values(SECRETS)])
      assert.equal(told.includes(secret), false, secret);
  });
});
