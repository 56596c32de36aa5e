import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { openDescriptors, peakResidentBytes, residentBytes } from '../../bench/lib/proc.ts';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { RawClient, statusOf } from '../fixtures/raw-client.ts';
import { ok, RawUpstream, sendThenReset } from '../fixtures/raw-upstream.ts';
import { download, StreamingOrigin, TOTAL_BYTES, upload } from './streaming-origin.ts';

/** Slow, silent, gone and very many: what a network does to a gateway. */

const GET = 'GET /c HTTP/1.1\r\nHost: a.test\r\n\r\n';
const MB = 1e6;

let upstream: RawUpstream;
let gateway: Gateway;
before(async () => {
  upstream = await RawUpstream.start();
  gateway = await startGateway(
    proxyDocument({
      port: await freePort(),
      upstream: upstream.url,
      listener: {
        limits: { connections: 12_000, connectionsPerAddress: 500, idleTimeout: '5m', headerTimeout: '60s' },
      },
      settings: { passive: { failures: 1000 } },
    }),
  );
});
after(async () => {
  await upstream.stop();
  await gateway.stop();
});

const served = async (): Promise<number> => {
  const client = await RawClient.connect(gateway.port);
  client.send(GET);
  const response = await client.response();
  client.close();
  return response === undefined ? 0 : statusOf(response);
};

test('upstream resets under load never reach another request', async () => {
  let turn = 0;
  const whole = ok('whole');
  const torn = sendThenReset('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ntorn');
  upstream.answer = (socket, request, index) => (turn++ % 3 === 0 ? torn : whole)(socket, request, index);
  const outcomes = { whole: 0, torn: 0 };
  const lane = async () => {
    for (let i = 0; i < 60; i++) {
      const client = await RawClient.connect(gateway.port);
      client.send(GET);
      const response = await client.response();
      client.close();
      assert.ok(response !== undefined, 'no answer');
      if (response.complete && statusOf(response) === 200) {
        assert.equal(response.body.toString(), 'whole');
        outcomes.whole++;
      } else outcomes.torn++;
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  upstream.answer = ok();
  assert.equal(outcomes.whole + outcomes.torn, 480);
  assert.equal(outcomes.torn, 160);
  assert.equal(await served(), 200);
});

test('a slow writer and a slow reader are served to the end', async () => {
  const body = 'x'.repeat(2000);
  upstream.answer = ok(body);
  const client = await RawClient.connect(gateway.port);
  for (const byte of `POST /slow HTTP/1.1\r\nHost: a.test\r\nContent-Length: 20\r\n\r\n${'y'.repeat(20)}`) {
    client.send(byte);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const response = await client.response();
  client.close();
  assert.equal(response?.body.toString(), body);
  const arrived = upstream.requests.find((r) => r.startLine.includes('/slow'));
  assert.equal(arrived?.body.toString(), 'y'.repeat(20));
  upstream.answer = ok();
});

describe('half-closed sockets', () => {
  test('an upstream that half-closes after its answer is not used again', async () => {
    upstream.answer = (socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok');
    for (let i = 0; i < 20; i++) assert.equal(await served(), 200);
    upstream.answer = ok();
    assert.equal(await served(), 200);
  });

  test('a client that half-closes is answered or let go, and nothing stays behind', async () => {
    const before = openDescriptors(gateway.pid);
    for (let i = 0; i < 50; i++) {
      const client = await RawClient.connect(gateway.port);
      client.send(GET);
      client.end();
      assert.ok(await client.closedWithin(5000), 'left open');
      client.close();
    }
    assert.equal(await served(), 200);
    assert.ok(
      openDescriptors(gateway.pid) < before + 20,
      `${before} then ${openDescriptors(gateway.pid)} descriptors`,
    );
  });

  test('a client that half-closes before it has asked is let go', async () => {
    const client = await RawClient.connect(gateway.port);
    client.end();
    assert.ok(await client.closedWithin(5000));
    client.close();
  });
});

const IDLE = 10_000;
const PER_ADDRESS = 400;

test(`${IDLE} idle connections cost little and traffic goes on`, { timeout: 60_000 }, async (t) => {
  const before = residentBytes(gateway.pid);
  const clients: RawClient[] = [];
  try {
    for (let batch = 0; clients.length < IDLE; batch++) {
      const localAddress = `127.0.2.${batch + 1}`;
      const opened = Array.from({ length: Math.min(PER_ADDRESS, IDLE - clients.length) }, () =>
        RawClient.connect(gateway.port, { localAddress }),
      );
      clients.push(...(await Promise.all(opened)));
    }
    assert.equal(await served(), 200);
    const sample = clients.filter((_, i) => i % 100 === 0);
    for (const client of sample) client.send(GET);
    for (const client of sample) {
      const response = await client.response();
      assert.equal(response === undefined ? 0 : statusOf(response), 200);
    }
    assert.equal(clients.filter((c) => c.state !== 'open').length, 0, 'connections were dropped');
    const perConnection = (residentBytes(gateway.pid) - before) / IDLE;
    t.diagnostic(`${(perConnection / 1000).toFixed(1)} kB per idle connection`);
    assert.ok(perConnection < 20_000, `${perConnection} bytes per connection`);
  } finally {
    for (const client of clients) client.close();
  }
});

test('a connection over the limit of its address is refused, others are not', async () => {
  const clients: RawClient[] = [];
  try {
    for (let i = 0; i < 500; i++)
      clients.push(await RawClient.connect(gateway.port, { localAddress: '127.0.3.1' }));
    clients[499].send(GET);
    assert.ok(await clients[499].response());
    const over = await RawClient.connect(gateway.port, { localAddress: '127.0.3.1' });
    over.send(GET);
    const response = await over.response(1, 2000);
    assert.ok(response === undefined || statusOf(response) === 503 || statusOf(response) === 429);
    over.close();
    assert.equal(await served(), 200);
  } finally {
    for (const client of clients) client.close();
  }
});

/** What a gigabyte may add to a process that streams: socket buffers and garbage not yet collected. */
const GROWTH_BYTES = 128 * MB;

describe('one gigabyte at flat memory', () => {
  let streaming: Gateway;
  let origin: StreamingOrigin;
  let idle: number;
  before(async () => {
    origin = await StreamingOrigin.start();
    streaming = await startGateway(
      proxyDocument({
        port: await freePort(),
        upstream: origin.url,
        listener: { limits: { bodyBytes: '2GB' } },
      }),
    );
    idle = residentBytes(streaming.pid);
  });
  after(async () => {
    await origin.stop();
    await streaming.stop();
  });

  for (const [name, path] of [
    ['by length', '/length'],
    ['by chunks', '/chunks'],
  ]) {
    test(`download ${name}`, { timeout: 60_000 }, async (t) => {
      const received = await download(streaming.port, path);
      t.diagnostic(
        `peak ${(peakResidentBytes(streaming.pid) / MB).toFixed(0)} MB, idle ${(idle / MB).toFixed(0)} MB`,
      );
      assert.ok(received >= TOTAL_BYTES, `${received} bytes`);
      assert.ok(peakResidentBytes(streaming.pid) < idle + GROWTH_BYTES);
    });
  }

  for (const coding of ['length', 'chunks'] as const) {
    test(`upload by ${coding}`, { timeout: 60_000 }, async (t) => {
      const told = await upload(streaming.port, coding);
      t.diagnostic(
        `peak ${(peakResidentBytes(streaming.pid) / MB).toFixed(0)} MB, idle ${(idle / MB).toFixed(0)} MB`,
      );
      assert.equal(told, TOTAL_BYTES);
      assert.ok(peakResidentBytes(streaming.pid) < idle + GROWTH_BYTES);
    });
  }
});
