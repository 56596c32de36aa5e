import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { HandSnapshot, type SnapshotParts, settled, stage } from '../../test/fixtures/data-plane.ts';
import { RawClient, statusOf, values } from '../../test/fixtures/raw-client.ts';
import { ok, RawUpstream, send, silent } from '../../test/fixtures/raw-upstream.ts';
import { CONTINUE, type Decision, type Policy, reject } from '../contract/index.ts';
import { PolicyRejection } from '../errors.ts';

const HOST = 'Host: a.test\r\n';
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const OLD = 'a'.repeat(64);
const NEW = 'b'.repeat(64);

/** A policy that waits in its request phase until told. */
class Waiting implements Policy {
  readonly #waiting: ((decision: Decision) => void)[] = [];

  request(): Promise<Decision> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  get asked(): number {
    return this.#waiting.length;
  }

  goOn(): void {
    for (const resolve of this.#waiting.splice(0)) resolve(CONTINUE);
  }
}

describe('a reload while requests run', () => {
  const waiting = new Waiting();
  stage(
    'each keeps its revision to the end; the old one is disposed once, after the last',
    { policies: [{ policy: waiting }], listener: { trusts: () => true } },
    {},
    async ({ plane, upstream }) => {
      const fields = 'X-Forwarded-For: 198.51.100.7\r\n';
      const first = await plane.send(`GET /1 HTTP/1.1\r\n${HOST}${fields}\r\n`);
      const second = await plane.send(`GET /2 HTTP/1.1\r\n${HOST}${fields}\r\n`);
      await settled(() => waiting.asked === 2, 'both to be judged');
      await plane.reload({
        revision: 'b',
        targets: [upstream.port],
        listener: { revisionHeader: false, name: 'renamed' },
      });
      const third = await plane.send(`GET /3 HTTP/1.1\r\n${HOST}${fields}\r\n`);
      assert.deepEqual(values((await third.response())!, 'x-policy-revision'), []);
      assert.equal(plane.snapshots[0].disposed, 0);
      first.close();
      await plane.recorded(2);
      assert.equal(plane.snapshots[0].disposed, 0);
      waiting.goOn();
      assert.deepEqual(values((await second.response())!, 'x-policy-revision'), [OLD]);
      await plane.recorded(3);
      assert.equal(plane.snapshots[0].disposed, 1);
      const told = plane.records.map((r) => [r.path, r.listener, r.revision]);
      assert.deepEqual(told, [
        ['/3', 'renamed', NEW],
        ['/1', 'l', OLD],
        ['/2', 'l', OLD],
      ]);
      // Whom the old revision trusted it still trusts: the address judged is the address told.
      const forwarded = upstream.requests.map((r) => values(r, 'x-forwarded-for').join());
      assert.deepEqual(forwarded, ['127.0.0.1', '198.51.100.7, 127.0.0.1']);
      // The next request on the same connection is the new revision's.
      second.send(GET);
      assert.deepEqual(values((await second.response(2))!, 'x-policy-revision'), []);
    },
  );
  stage('connections, also to the upstream, live on', {}, {}, async ({ plane, upstream }) => {
    const client = await plane.send(GET);
    await client.response(1);
    for (const revision of ['b', 'c', 'd']) await plane.reload({ revision, targets: [upstream.port] });
    client.send(GET);
    assert.deepEqual(values((await client.response(2))!, 'x-policy-revision'), ['d'.repeat(64)]);
    assert.equal(upstream.connections.length, 1);
  });
  stage('connections to an upstream that is gone are closed', {}, {}, async ({ plane, upstream }) => {
    const client = await plane.send(GET);
    await client.response(1);
    const other = await RawUpstream.start();
    await plane.reload({ revision: 'b', targets: [other.port] });
    assert.ok(await upstream.until((u) => u.connections[0].closed));
    await other.stop();
  });
  stage(
    'a listener that is gone serves what has begun, by its own revision',
    {},
    {},
    async ({ plane, upstream }) => {
      const started = await plane.send('GET /begun HTTP/1.1\r\n');
      const idle = await plane.connect();
      const { port } = plane;
      await settled(() => plane.dataPlane.openConnections === 2, 'both connections');
      // Its head has reached the gateway once a later request was answered.
      const later = await plane.send(GET);
      await later.response();
      await plane.reload({ revision: 'b', targets: [upstream.port], listener: { host: '127.0.0.2' } });
      assert.ok(await idle.closedWithin(3000));
      assert.equal(plane.snapshots[0].disposed, 0);
      started.send(`${HOST}\r\n`);
      const response = await started.response();
      assert.deepEqual(values(response!, 'x-policy-revision'), [OLD]);
      assert.deepEqual(values(response!, 'connection'), ['close']);
      assert.ok(await started.closedWithin(3000));
      await assert.rejects(RawClient.connect(port));
    },
  );
  stage('prepared and discarded: nothing changes', {}, {}, async ({ plane, upstream }) => {
    const snapshot = new HandSnapshot({ revision: 'b', targets: [upstream.port] });
    await plane.dataPlane.prepare(snapshot);
    await plane.dataPlane.discard(NEW);
    assert.equal(snapshot.disposed, 1);
    assert.equal(plane.dataPlane.revision, OLD);
    assert.throws(() => plane.dataPlane.activate(NEW));
  });
  stage(
    'a port that is taken: refused, disposed, the old one serves',
    {},
    {},
    async ({ plane, upstream }) => {
      const snapshot = new HandSnapshot({
        revision: 'b',
        targets: [upstream.port],
        listener: { port: upstream.port },
      });
      await assert.rejects(plane.dataPlane.prepare(snapshot), { code: 'EADDRINUSE' });
      assert.equal(snapshot.disposed, 1);
      assert.equal(statusOf((await (await plane.send(GET)).response())!), 200);
    },
  );
});

describe('draining', () => {
  stage(
    'a request on its way on an idle connection is answered, and told to close',
    {},
    {},
    async ({ plane }) => {
      const idle = await plane.connect();
      const asking = await plane.send(GET);
      assert.equal(statusOf((await asking.response())!), 200);
      const drained = plane.dataPlane.drain(5000);
      asking.send(GET);
      const last = await asking.response(2);
      assert.deepEqual([statusOf(last!), values(last!, 'connection')], [200, ['close']]);
      assert.ok((await asking.closedWithin(3000)) && (await idle.closedWithin(3000)));
      await drained;
    },
  );
  stage(
    'idle connections close, answers under way end, no new connection',
    {},
    { answer: silent },
    async ({ plane, upstream }) => {
      const idle = await plane.connect();
      const busy = await plane.send(GET + GET);
      await upstream.until((u) => u.requests.length === 1);
      const { port } = plane;
      const drained = plane.dataPlane.drain(5000);
      assert.ok(await idle.closedWithin(3000));
      await assert.rejects(RawClient.connect(port));
      ok('done')(upstream.connections[0].socket, upstream.requests[0], 0);
      const response = await busy.response();
      assert.deepEqual([response?.body.toString(), values(response!, 'connection')], ['done', ['close']]);
      assert.ok(await busy.closedWithin(5000));
      busy.close();
      await drained;
      assert.equal(upstream.requests.length, 1);
    },
  );
  stage(
    'what is left at the deadline is cut, told upstream, recorded and let go',
    {},
    { answer: silent },
    async ({ plane, upstream }) => {
      const client = await plane.send(GET);
      await upstream.until((u) => u.requests.length === 1);
      await plane.dataPlane.drain(0);
      assert.ok(await client.closedWithin(3000));
      assert.ok(await upstream.until((u) => u.connections[0].closed));
      await plane.recorded(1);
    },
  );
});

const UPGRADE = `GET /chat HTTP/1.1\r\n${HOST}Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: k\r\n\r\n`;
const SWITCHED =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a\r\n\r\n';

describe('upgrades', () => {
  for (const by of ['client', 'upstream'] as const) {
    stage(
      `websocket: bytes both ways, what came early too, ended by the ${by}`,
      {},
      { answer: send(`${SWITCHED}early`) },
      async ({ plane, upstream }) => {
        const client = await plane.send(`${UPGRADE}ahead`);
        assert.ok(await client.until((c) => c.received.toString().endsWith('\r\n\r\nearly')));
        assert.ok(await upstream.until((u) => u.connections[0].rest.toString() === 'ahead'));
        const [connection] = upstream.connections;
        client.send('GET /smuggled HTTP/1.1\r\n');
        assert.ok(
          await upstream.until(() => connection.rest.toString() === 'aheadGET /smuggled HTTP/1.1\r\n'),
        );
        connection.socket.write('back');
        assert.ok(await client.until((c) => c.received.toString().endsWith('earlyback')));
        const [request] = upstream.requests;
        assert.deepEqual(
          [values(request, 'connection'), values(request, 'upgrade')],
          [['Upgrade'], ['websocket']],
        );
        if (by === 'client') client.close();
        else connection.socket.destroy();
        assert.ok(
          await (by === 'client' ? upstream.until(() => connection.closed) : client.closedWithin(3000)),
        );
        const [record] = await plane.recorded(1);
        assert.deepEqual([record.status, record.error], [101, undefined]);
      },
    );
  }
  stage('a tunnel in which nothing happens ends', {}, { answer: send(SWITCHED) }, async ({ plane }) => {
    const client = await plane.send(UPGRADE);
    await client.response();
    plane.advance(60_001);
    assert.ok(await client.closedWithin(3000));
    await plane.recorded(1);
  });
  const plain: [name: string, parts: Omit<SnapshotParts, 'targets'>, request: string][] = [
    [
      'h2c',
      {},
      `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n`,
    ],
    [
      'websocket among others',
      {},
      `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n`,
    ],
    ['not in Connection', {}, `GET / HTTP/1.1\r\n${HOST}Upgrade: websocket\r\n\r\n`],
    ['HTTP/1.0', {}, `GET / HTTP/1.0\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`],
    [
      'with a body',
      {},
      `GET / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx`,
    ],
    ['another method', {}, `POST / HTTP/1.1\r\n${HOST}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`],
    ['a route without upgrades', { route: { upgrade: false } }, UPGRADE],
  ];
  for (const [name, parts, request] of plain) {
    stage(`${name}: forwarded as any request`, parts, {}, async ({ plane, upstream }) => {
      const client = await plane.send(request);
      assert.equal(statusOf((await client.response())!), 200);
      assert.deepEqual(
        [...values(upstream.requests[0], 'upgrade'), ...values(upstream.requests[0], 'connection')],
        [],
      );
    });
  }
  stage(
    'refused by a policy before the upstream hears of it',
    { policies: [{ policy: { request: () => reject(new PolicyRejection('unauthenticated', '')) } }] },
    {},
    async ({ plane, upstream }) => {
      const client = await plane.send(UPGRADE);
      assert.equal(statusOf((await client.response())!), 401);
      assert.equal(upstream.connections.length, 0);
    },
  );
  const noTunnel = reject(new PolicyRejection('forbidden', ''));
  for (const [how, response] of [
    ['at once', (): Decision => noTunnel],
    ['after a while', async (): Promise<Decision> => noTunnel],
  ] as const) {
    stage(
      `refused ${how} by a policy that sees the upstream's 101`,
      { policies: [{ policy: { response } }] },
      { answer: send(`${SWITCHED}early`) },
      async ({ plane, upstream }) => {
        const client = await plane.send(UPGRADE);
        assert.equal(statusOf((await client.response())!), 403);
        assert.ok(!client.received.toString().includes('early'));
        assert.ok(await upstream.until((u) => u.connections[0].closed));
      },
    );
  }
  stage(
    'a policy edits the 101 like any answer, and its tunnel opens when it has decided',
    {
      policies: [
        {
          policy: {
            async response(c): Promise<Decision> {
              c.edits.setResponseHeader('X-Seen', 'yes');
              return CONTINUE;
            },
          },
        },
      ],
    },
    { answer: send(`${SWITCHED}early`) },
    async ({ plane, upstream }) => {
      const client = await plane.send(`${UPGRADE}ahead`);
      assert.ok(await client.until((c) => c.received.toString().endsWith('early')));
      assert.match(client.received.toString(), /^HTTP\/1\.1 101 [^\n]*\r\n(?:[^\n]+\n)*X-Seen: yes\r\n/);
      assert.ok(await upstream.until((u) => u.connections[0].rest.toString() === 'ahead'));
      client.close();
    },
  );
  stage('declined by the upstream: the connection goes on', {}, { answer: ok('no') }, async ({ plane }) => {
    const client = await plane.send(UPGRADE + GET);
    assert.equal(statusOf((await client.response(2))!), 200);
  });
  stage(
    'another protocol than asked for',
    {},
    { answer: send(SWITCHED.replace('websocket', 'h2c')) },
    async ({ plane, upstream }) => {
      const client = await plane.send(UPGRADE);
      assert.equal(statusOf((await client.response())!), 502);
      assert.ok(await upstream.until((u) => u.connections[0].closed));
    },
  );
});

describe('records', () => {
  const refuse: Policy = {
    request: (c) =>
      c.request.path === '/no'
        ? reject(new PolicyRejection('forbidden', 'Public.', { rule: 'r', reason: 'because' }))
        : CONTINUE,
  };
  stage(
    'say who, what and why; no query, no header, no body',
    { policies: [{ policy: refuse }] },
    { answer: ok('secret-answer', ['X-S: secret-header']) },
    async ({ plane }) => {
      const fields =
        'Authorization: secret-token\r\nCookie: secret-cookie\r\nX-Request-Id: request-1234\r\ntraceparent: 00-0123456789abcdef0123456789abcdef-0123456789abcdef-01\r\nContent-Length: 11\r\n';
      const client = await plane.send(
        `POST /yes?key=secret-query HTTP/1.1\r\n${HOST}${fields}\r\nsecret-bodyPOST /no?key=secret-query HTTP/1.1\r\n${HOST}Content-Length: 0\r\n\r\nGET /b%2fad?key=secret-query HTTP/1.1\r\n${HOST}\r\n`,
      );
      await client.response(3);
      const [yes, no, bad] = await plane.recorded(3);
      assert.ok(!plane.lines.join('').includes('secret'), plane.lines.join('\n'));
      const { time, durationMs, upstreamMs, target, responseBytes, ...rest } = yes;
      assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      assert.ok(
        durationMs >= 0 && upstreamMs !== undefined && upstreamMs <= durationMs && target !== undefined,
      );
      const decision = { attachment: 'route:r/p0', policy: 'p0', mode: 'enforce', phase: 'request' };
      assert.deepEqual(rest, {
        requestId: 'request-1234',
        traceId: '0123456789abcdef0123456789abcdef',
        revision: OLD,
        listener: 'l',
        route: 'r',
        client: '127.0.0.1',
        method: 'POST',
        host: 'a.test',
        path: '/yes',
        status: 200,
        requestBytes: 11,
        upstream: 'u',
        decisions: [{ ...decision, outcome: 'continue' }],
      });
      assert.deepEqual([no.status, no.error, no.upstream], [403, 'forbidden', undefined]);
      assert.deepEqual(no.decisions, [
        { ...decision, outcome: 'reject', code: 'forbidden', rule: 'r', reason: 'because' },
      ]);
      assert.deepEqual([bad.status, bad.error, bad.path, bad.route], [400, 'bad-path', '/b%2fad', '']);
      const sizes = plane.records.reduce((sum, r) => sum + r.responseBytes, 0);
      assert.equal(sizes, client.received.length);
    },
  );
  stage('an id that is none is replaced; a hostile path stays one line', {}, {}, async ({ plane }) => {
    const client = await plane.send(
      `GET /"}{\\u0022 HTTP/1.1\r\n${HOST}X-Request-Id: "a b"\r\n\r\nGET /"}{ HTTP/1.1\r\n${HOST}X-Request-Id: short\r\n\r\n`,
    );
    await client.closedWithin(500);
    for (const record of await plane.recorded(1)) assert.match(record.requestId, /^[0-9a-f]{32}$/);
  });
});

describe('connections', () => {
  stage(
    'over the limit of an address: turned away and counted',
    { limits: { connectionsPerAddress: 2 } },
    {},
    async ({ plane }) => {
      const [first] = [await plane.connect(), await plane.connect()];
      await settled(() => plane.dataPlane.openConnections === 2, 'two connections');
      const third = await plane.connect();
      assert.ok(await third.closedWithin(3000));
      first.close();
      await settled(() => plane.dataPlane.openConnections === 1, 'one to go');
      assert.equal(statusOf((await (await plane.send(GET)).response())!), 200);
      const counts = [...plane.meter.counts].filter(([key]) =>
        key.startsWith('sallyport_connections_refused_total'),
      );
      assert.deepEqual(counts, [
        ['sallyport_connections_refused_total{listener=l,reason=connections-per-address}', 1],
      ]);
    },
  );
  const timeouts: [name: string, bytes: string, waitMs: number, status: number | undefined][] = [
    ['nothing sent', '', 60_001, undefined],
    ['half a head', 'GET / HTTP/1.1\r\nHost', 10_001, 408],
  ];
  for (const [name, bytes, waitMs, status] of timeouts) {
    stage(`${name}: timed out`, {}, {}, async ({ plane }) => {
      const client = await plane.connect();
      await settled(() => plane.dataPlane.openConnections === 1, 'a connection');
      const other = await plane.send(GET);
      client.send(bytes);
      await other.response(1);
      other.send(GET);
      await other.response(2);
      plane.advance(waitMs);
      assert.ok(await client.closedWithin(3000));
      assert.equal(client.responses[0] === undefined ? undefined : statusOf(client.responses[0]), status);
    });
  }
  stage('a head byte by byte does not move its deadline', {}, {}, async ({ plane }) => {
    const client = await plane.connect();
    for (const byte of 'GET / H') {
      client.send(byte);
      await new Promise((resolve) => setTimeout(resolve, 101));
      plane.advance(2000);
    }
    assert.equal(statusOf((await client.response())!), 408);
  });
});

describe('a revision prepared before another took over', () => {
  stage('is not activated on a listener that the other has closed', {}, {}, async ({ plane, upstream }) => {
    const targets = [upstream.port];
    const early = new HandSnapshot({ revision: 'b', targets });
    const other = new HandSnapshot({ revision: 'c', targets, listener: { host: '127.0.0.2' } });
    await plane.dataPlane.prepare(early);
    await plane.dataPlane.prepare(other);
    plane.dataPlane.activate(other.revision);
    assert.throws(() => plane.dataPlane.activate(early.revision), { name: 'InternalError' });
    assert.equal(plane.dataPlane.revision, other.revision);
    assert.deepEqual(
      plane.dataPlane.addresses().map(({ host }) => host),
      ['127.0.0.2'],
    );
    await plane.dataPlane.discard(early.revision);
    assert.equal(early.disposed, 1);
  });
});
