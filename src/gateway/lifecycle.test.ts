import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Attached, gate, Plane, settled, stage, ticks } from '../../test/fixtures/data-plane.ts';
import { type RawClient, statusOf, values } from '../../test/fixtures/raw-client.ts';
import {
  ok,
  RawUpstream,
  type RawUpstreamOptions,
  send,
  sendThenReset,
  silent,
} from '../../test/fixtures/raw-upstream.ts';
import { CONTINUE, type Policy, reject } from '../contract/index.ts';
import { PolicyRejection } from '../errors.ts';

const HOST = 'Host: a.test\r\n';
const GET = `GET / HTTP/1.1\r\n${HOST}\r\n`;
const post = (fields: string, body = ''): string => `POST / HTTP/1.1\r\n${HOST}${fields}\r\n${body}`;
const MEGABYTE = 'x'.repeat(1024 * 1024);

const attached = (policy: Policy, more: Omit<Attached, 'policy'> = {}): Attached => ({ policy, ...more });
const slowResponse = attached({ response: async () => CONTINUE });
const statuses = (client: RawClient): number[] => client.responses.map(statusOf);

describe('the upstream fails', () => {
  const answers: [name: string, bytes: string, status: number | 'cut'][] = [
    ['before any byte', '', 502],
    ['within the head', 'HTTP/1.1 200 OK\r\nX', 502],
    ['within a length', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc', 'cut'],
    ['within a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc', 'cut'],
    ['before the last chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n', 'cut'],
    [
      'within the trailers',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nT: v\r\n',
      'cut',
    ],
    ['within an unframed body', 'HTTP/1.1 200 OK\r\n\r\nabc', 'cut'],
    ['with a bad chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n', 'cut'],
    ['with two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na', 502],
    ['with no HTTP', 'SSH-2.0-x\r\n\r\n', 502],
    [
      'switching protocols unasked',
      'HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n',
      502,
    ],
  ];
  for (const version of ['1.1', '1.0']) {
    for (const policies of [[], [slowResponse]]) {
      for (const [name, bytes, status] of answers) {
        const how = `${name}: HTTP/${version}${policies.length > 0 ? ', policies that take their time' : ''}`;
        stage(how, { policies }, { answer: sendThenReset(bytes) }, async ({ plane }) => {
          const client = await plane.send(`GET / HTTP/${version}\r\n${HOST}\r\n`);
          if (status === 'cut') {
            assert.ok(await client.closedWithin(3000));
            // Without chunks or a length, only a reset tells the client that something is missing.
            const told =
              client.responses.length === 0 || !client.responses[0].complete || client.state === 'reset';
            assert.ok(told, `${client.state}: ${client.received}`);
            assert.equal(
              (await plane.recorded(1))[0].error,
              name === 'with a bad chunk' ? 'upstream-malformed' : 'upstream-reset',
            );
          } else assert.equal(statusOf((await client.response())!), status);
        });
      }
    }
  }
});

describe('trying again', () => {
  /** Answers the first request of each connection, then resets. */
  const once: RawUpstreamOptions = {
    answer: (socket, request, i) => (i === 0 ? ok()(socket, request, i) : void socket.resetAndDestroy()),
  };
  const cases: [name: string, request: string, status: number, seen: number][] = [
    ['GET on a stale connection is sent again', GET, 200, 3],
    ['POST is not', post('Content-Length: 0\r\n'), 502, 2],
    ['nor is a PUT whose body is gone', `PUT / HTTP/1.1\r\n${HOST}Content-Length: 1\r\n\r\nx`, 502, 2],
    ['PATCH is not', `PATCH / HTTP/1.1\r\n${HOST}\r\n`, 502, 2],
  ];
  for (const [name, request, status, seen] of cases) {
    stage(name, {}, once, async ({ plane, upstream }) => {
      const client = await plane.send(GET);
      await client.response(1);
      client.send(request);
      assert.equal(statusOf((await client.response(2))!), status);
      assert.equal(upstream.requests.length, seen);
    });
  }
  stage(
    'a PUT whose body is at hand is sent again whole',
    { policies: [attached({ requestBody: () => CONTINUE }, { body: 'buffer' })] },
    once,
    async ({ plane, upstream }) => {
      const client = await plane.send(GET);
      await client.response(1);
      client.send(`PUT / HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`);
      assert.equal(statusOf((await client.response(2))!), 200);
      assert.deepEqual(
        upstream.requests.map((r) => r.body.toString()),
        ['', 'hello', 'hello'],
      );
    },
  );
  stage(
    'a kept connection that answers nothing in time is a timeout, not a stale one',
    {},
    { answer: (socket, request, i) => (i === 0 ? ok()(socket, request, i) : undefined) },
    async ({ plane, upstream }) => {
      const client = await plane.send(GET);
      await client.response(1);
      client.send(GET);
      await upstream.until((u) => u.requests.length === 2);
      plane.advance(15_001);
      assert.equal(statusOf((await client.response(2))!), 504);
      assert.equal(upstream.requests.length, 2);
    },
  );
  it('a target that takes no connection: the next one', async () => {
    const closed = await RawUpstream.start();
    const { port } = closed;
    await closed.stop();
    const upstream = await RawUpstream.start();
    const plane = await Plane.start({ targets: [port, upstream.port] });
    const client = await plane.send(
      post('Content-Length: 2\r\n', 'hi') + post('Content-Length: 2\r\n', 'ho'),
    );
    await client.response(2);
    assert.deepEqual(statuses(client), [200, 200]);
    assert.deepEqual(
      upstream.requests.map((r) => r.body.toString()),
      ['hi', 'ho'],
    );
    await plane.close();
    await upstream.stop();
  });
  it('no target takes connections: 502', async () => {
    const closed = await RawUpstream.start();
    const { port } = closed;
    await closed.stop();
    const plane = await Plane.start({ targets: [port] });
    const client = await plane.send(GET + GET);
    await client.response(2);
    assert.deepEqual(statuses(client), [502, 502]);
    await plane.close();
  });
});

describe('the client goes', () => {
  for (const [name, leave] of [
    ['by reset', (c: RawClient) => c.reset()],
    ['by closing its side', (c: RawClient) => c.end()],
  ] as const) {
    stage(
      `${name}, while the upstream works: it is told`,
      {},
      { answer: silent },
      async ({ plane, upstream }) => {
        const client = await plane.send(GET);
        await upstream.until((u) => u.requests.length === 1);
        leave(client);
        assert.ok(await upstream.until((u) => u.connections[0].closed));
        const [record] = await plane.recorded(1);
        assert.deepEqual([record.status, record.error], [499, 'client-closed-request']);
      },
    );
  }
  stage(
    'while a policy thinks: it is not forwarded',
    { policies: [attached({ request: () => thinking.promise })] },
    {},
    async ({ plane, upstream }) => {
      const client = await plane.send(GET);
      await settled(() => plane.dataPlane.openConnections === 1, 'a connection');
      client.reset();
      await plane.recorded(1);
      thinking.open(CONTINUE);
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(upstream.connections.length, 0);
    },
  );
  const thinking = gate<typeof CONTINUE>();
  stage('within its body: never a whole request', {}, {}, async ({ plane, upstream }) => {
    const client = await plane.send(post('Content-Length: 10\r\n', 'hello'));
    await upstream.until((u) => u.connections.length === 1 && u.connections[0].bytes.includes('hello'));
    client.reset();
    assert.ok(await upstream.until((u) => u.connections[0].closed));
    assert.equal(upstream.requests.length, 0);
  });
});

describe('bodies both ways at once', () => {
  const early: RawUpstreamOptions = {
    onHead: send('HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno'),
    answer: silent,
  };
  stage(
    'an answer before the request is whole comes through, then the connection closes',
    {},
    early,
    async ({ plane, upstream }) => {
      const client = await plane.send(post('Content-Length: 1000000\r\n', 'x'));
      const response = await client.response();
      assert.ok(response?.complete);
      assert.deepEqual([statusOf(response), values(response, 'connection')], [413, ['close']]);
      assert.ok(await client.closedWithin(5000));
      assert.ok(await upstream.until((u) => u.connections[0].closed));
    },
  );
  stage(
    'the same with response policies that take their time',
    { policies: [slowResponse] },
    early,
    async ({ plane }) => {
      const client = await plane.send(post('Content-Length: 1000000\r\n', 'x'));
      assert.equal(statusOf((await client.response())!), 413);
    },
  );
  stage('an upload may take longer than an answer may', {}, {}, async ({ plane, upstream }) => {
    const client = await plane.send(post('Content-Length: 3\r\n', 'a'));
    await upstream.until((u) => u.connections[0]?.bytes.toString().endsWith('a') === true);
    for (const piece of ['b', 'c']) {
      plane.advance(14_000);
      await ticks(3);
      client.send(piece);
      await upstream.until((u) => u.bytes.toString().endsWith(piece));
    }
    assert.equal(statusOf((await client.response())!), 200);
  });
  stage('a body that stalls is a 408', {}, {}, async ({ plane, upstream }) => {
    const client = await plane.send(post('Content-Length: 3\r\n', 'a'));
    await upstream.until((u) => u.connections[0]?.bytes.toString().endsWith('a') === true);
    plane.advance(31_000);
    assert.equal(statusOf((await client.response())!), 408);
    assert.ok(await client.closedWithin(5000));
    assert.ok(await upstream.until((u) => u.connections[0].closed));
  });
  stage(
    'an upstream that does not read stops the client, then times out',
    {},
    {},
    async ({ plane, upstream }) => {
      const client = await plane.connect();
      upstream.onHead = (socket) => void socket.pause();
      client.send(post(`Content-Length: ${64 * 1024 * 1024}\r\n`));
      await upstream.until((u) => u.connections.length === 1);
      for (let i = 0; i < 63; i++) client.send(MEGABYTE);
      await ticks(5);
      assert.ok(
        client.socket.writableLength > 16 * 1024 * 1024,
        `${client.socket.writableLength} bytes wait at the client`,
      );
      plane.advance(15_001);
      assert.equal(statusOf((await client.response())!), 504);
    },
  );
  stage(
    'a body in tiny chunks is buffered without a cost per chunk',
    {
      policies: [
        attached(
          {
            requestBody: (_, b) =>
              b.bytes.length === 200_000 ? CONTINUE : reject(new PolicyRejection('forbidden', '')),
          },
          { body: 'buffer' },
        ),
      ],
    },
    {},
    async ({ plane, upstream }) => {
      const before = process.memoryUsage().heapUsed;
      const client = await plane.send(post('Transfer-Encoding: chunked\r\n', '1\r\nx\r\n'.repeat(199_999)));
      await ticks(5);
      const held = process.memoryUsage().heapUsed - before;
      assert.ok(held < 20 * 1024 * 1024, `${held} bytes held for a body of 200 kB`);
      client.send('1\r\nx\r\n0\r\n\r\n');
      assert.equal(statusOf((await client.response())!), 200);
      assert.equal(upstream.requests[0].body.length, 200_000);
    },
  );
});

describe('clients that do not read', () => {
  const big: RawUpstreamOptions = {
    answer: (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${32 * 1024 * 1024}\r\n\r\n`);
      for (let i = 0; i < 32; i++) socket.write(MEGABYTE);
    },
  };
  stage(
    'one large answer: the upstream waits, then the client is cut',
    {},
    big,
    async ({ plane, upstream }) => {
      const client = await plane.connect();
      client.socket.pause();
      client.send(GET);
      await upstream.until((u) => u.requests.length === 1);
      await ticks(5);
      assert.ok(upstream.connections[0].socket.writableLength > 8 * 1024 * 1024, 'it waits at the upstream');
      plane.advance(30_001);
      assert.ok(await upstream.until((u) => u.connections[0].closed));
      await plane.recorded(1);
    },
  );
  stage(
    'many small answers: the client is not read on, then cut',
    { paths: ['/nowhere'] },
    {},
    async ({ plane }) => {
      const client = await plane.connect();
      client.socket.pause();
      const requests = GET.repeat(5000);
      for (let i = 0; i < 100; i++) client.send(requests);
      await ticks(10);
      const { length } = plane.lines;
      assert.ok(length > 0);
      await ticks(5);
      assert.equal(plane.lines.length, length, 'requests are still being answered');
      assert.ok(length < 100_000, `${length} answers are held`);
      client.socket.resume();
      assert.ok(await client.until((c) => c.received.length > 0 && plane.lines.length > length + 1000));
      client.socket.pause();
      await ticks(10);
      plane.advance(30_001);
      await settled(() => plane.dataPlane.openConnections === 0, 'the client to be cut');
    },
  );
  stage(
    'a slow reader gets the whole of a last answer',
    {},
    { answer: ok('y'.repeat(8 * 1024 * 1024)) },
    async ({ plane, upstream }) => {
      const client = await plane.connect();
      client.socket.pause();
      client.send(`GET / HTTP/1.1\r\n${HOST}Connection: close\r\n\r\n`);
      await upstream.until((u) => u.requests.length === 1);
      await ticks(3);
      for (let i = 0; i < 3; i++) {
        client.socket.resume();
        await new Promise((resolve) => setImmediate(resolve));
        client.socket.pause();
        await ticks(1);
        plane.advance(2500);
        await ticks(2);
      }
      client.socket.resume();
      await client.closedWithin(5000);
      assert.equal(client.responses[0]?.complete, true);
    },
  );
});
