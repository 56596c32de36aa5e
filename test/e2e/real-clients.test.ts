import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { WebSocket, WebSocketServer } from 'ws';
import { freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { RawClient } from '../fixtures/raw-client.ts';

/** Clients that people really use, against an upstream made of well-known parts. */

const execute = promisify(execFile);
const CURL = '/usr/bin/curl';
const CHROMIUM = '/usr/bin/chromium';
const PAGE =
  '<!doctype html><title>Sallyport</title><script>document.title += " works"</script><h1>Hello</h1>';

let origin: Server;
let sockets: WebSocketServer;
let gateway: Gateway;
/** Sends the next event of every open event stream. */
let emit: (text: string) => void;
let streamsClosed = 0;

before(async () => {
  const port = await freePort();
  const streams = new Set<(text: string) => void>();
  emit = (text) => {
    for (const send of streams) send(text);
  };
  origin = createServer((request, response) => {
    if (request.url === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.write('data: hello\n\n');
      const send = (text: string) => response.write(`data: ${text}\n\n`);
      streams.add(send);
      response.on('close', () => {
        streams.delete(send);
        streamsClosed++;
      });
    } else if (request.url === '/page') response.setHeader('content-type', 'text/html').end(PAGE);
    else request.pipe(response);
  });
  sockets = new WebSocketServer({ server: origin, path: '/socket' });
  sockets.on('connection', (socket) => {
    socket.on('message', (data, binary) => socket.send(data, { binary }));
  });
  origin.listen(port, '127.0.0.1');
  await once(origin, 'listening');
  gateway = await startGateway(
    proxyDocument({ port: await freePort(), upstream: `http://127.0.0.1:${port}` }),
  );
});
after(async () => {
  sockets.close();
  for (const socket of sockets.clients) socket.terminate();
  origin.closeAllConnections();
  origin.close();
  await gateway.stop();
});

const url = (path: string): string => `http://127.0.0.1:${gateway.port}${path}`;

describe('WebSocket', () => {
  test('messages of many sizes come back as they were sent', async () => {
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/socket`);
    await once(socket, 'open');
    for (const size of [0, 1, 125, 126, 65_535, 65_536, 1_000_000]) {
      const sent = Buffer.alloc(size, size % 251);
      socket.send(sent);
      const [data] = await once(socket, 'message');
      assert.ok(sent.equals(data), `${size} bytes`);
    }
    socket.close(1000, 'done');
    const [code, reason] = await once(socket, 'close');
    assert.deepEqual([code, String(reason)], [1000, 'done']);
  });

  test('many at once', async () => {
    const open = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/socket`);
        await once(socket, 'open');
        socket.send(`message ${i}`);
        const [data] = await once(socket, 'message');
        assert.equal(String(data), `message ${i}`);
        return socket;
      }),
    );
    for (const socket of open) socket.terminate();
  });

  test('a client that vanishes takes its upstream connection along', async () => {
    const accepted = once(sockets, 'connection');
    const socket = new WebSocket(`ws://127.0.0.1:${gateway.port}/socket`);
    await once(socket, 'open');
    const [server] = await accepted;
    const closed = once(server, 'close');
    socket.terminate();
    await closed;
  });
});

describe('server-sent events', () => {
  test('each event arrives when it is sent, and a client that leaves frees the upstream', async () => {
    const client = await RawClient.connect(gateway.port);
    client.send('GET /events HTTP/1.1\r\nHost: a.test\r\nAccept: text/event-stream\r\n\r\n');
    assert.ok(await client.until((c) => c.received.includes('data: hello\n\n')));
    for (const text of ['one', 'two', 'three']) {
      emit(text);
      assert.ok(await client.until((c) => c.received.includes(`data: ${text}\n\n`)), `${text} was held back`);
    }
    const before = streamsClosed;
    client.close();
    for (let i = 0; i < 200 && streamsClosed === before; i++)
      await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(streamsClosed, before + 1);
  });
});

describe('curl', { skip: existsSync(CURL) ? false : 'curl is not installed' }, () => {
  test('gets a page', async () => {
    const { stdout } = await execute(CURL, ['-sS', '--fail', url('/page')]);
    assert.equal(stdout, PAGE);
  });

  test('sends a large body with Expect', async () => {
    const body = 'x'.repeat(2_000_000);
    const child = execute(
      CURL,
      ['-sS', '--fail', '--data-binary', '@-', '-H', 'Expect: 100-continue', url('/echo')],
      {
        maxBuffer: 8_000_000,
      },
    );
    child.child.stdin?.end(body);
    const { stdout } = await child;
    assert.equal(stdout.length, body.length);
  });

  test('speaks HTTP/1.0 and HEAD', async () => {
    const old = await execute(CURL, ['-sS', '--fail', '--http1.0', url('/page')]);
    assert.equal(old.stdout, PAGE);
    const head = await execute(CURL, ['-sS', '--fail', '--head', url('/page')]);
    assert.match(head.stdout, /^HTTP\/1\.1 200/);
  });
});

test('fetch keeps its connections over many requests', async () => {
  for (let i = 0; i < 200; i++) {
    const response = await fetch(url('/echo'), { method: 'POST', body: `body ${i}` });
    assert.equal(await response.text(), `body ${i}`);
  }
});

test('a browser shows a page', {
  skip: existsSync(CHROMIUM) ? false : 'chromium is not installed',
}, async () => {
  const { stdout } = await execute(CHROMIUM, [
    '--headless',
    '--no-sandbox',
    '--disable-gpu',
    '--dump-dom',
    url('/page'),
  ]);
  assert.match(stdout, /<title>Sallyport works<\/title>/);
});
