import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { AUTHORITY, EXPIRED, LOCAL, OTHER } from '../../test/fixtures/certificates.ts';
import {
  type Answer,
  ok,
  RawUpstream,
  send,
  sendThenEnd,
  sendThenReset,
  silent,
} from '../../test/fixtures/raw-upstream.ts';
import type { OutboundRequest, OutboundResponse } from '../contract/index.ts';
import { NetworkError, type NetworkFailure } from '../errors.ts';
import { createNetwork } from './network.ts';

const network = createNetwork();
const stops: (() => Promise<void> | void)[] = [];
after(async () => {
  for (const stop of stops) await stop();
});

/** Far longer than any of these takes. */
const PATIENT_MS = 20_000;
const HASTY_MS = 150;

const question = (url: string, more: Partial<OutboundRequest> = {}): OutboundRequest => ({
  method: 'GET',
  url,
  timeoutMs: PATIENT_MS,
  maxBytes: 1000,
  ...more,
});

const textOf = ({ body }: OutboundResponse): string => Buffer.from(body).toString('latin1');

async function server(answer: Answer): Promise<RawUpstream> {
  const upstream = await RawUpstream.start({ answer });
  stops.push(() => upstream.stop());
  return upstream;
}

/** Port of a listener of any kind. */
async function listening(listener: Server): Promise<number> {
  const sockets = new Set<Socket>();
  listener.on('connection', (socket: Socket) => sockets.add(socket));
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  stops.push(() => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  });
  const { port } = listener.address() as AddressInfo;
  return port;
}

async function failureOf(request: OutboundRequest): Promise<NetworkError> {
  try {
    const { status } = await network.send(request);
    assert.fail(`was answered with ${status}`);
  } catch (error) {
    assert.ok(error instanceof NetworkError, String(error));
    return error;
  }
}

async function fails(request: OutboundRequest, failure: NetworkFailure): Promise<void> {
  assert.equal((await failureOf(request)).failure, failure);
}

const HEAD = 'HTTP/1.1 200 OK\r\n';

describe('certificates: refused are', () => {
  const secure = async (pair: { cert: string; key: string }): Promise<string> => {
    const port = await listening(createTlsServer(pair, (_, response) => response.end('secret')));
    return `https://127.0.0.1:${port}/`;
  };
  it('a server whose authority nobody named', async () => {
    await fails(question(await secure(LOCAL)), 'unreachable');
  });
  it('a server of another authority than the one named', async () => {
    await fails(question(await secure(LOCAL), { ca: OTHER.cert }), 'unreachable');
  });
  it('a server of the right authority and another name', async () => {
    await fails(question(await secure(OTHER), { ca: AUTHORITY }), 'unreachable');
  });
  it('a server whose certificate is over', async () => {
    await fails(question(await secure(EXPIRED), { ca: AUTHORITY }), 'unreachable');
  });
  it('a server without TLS', async () => {
    const port = await listening(createServer((socket) => socket.end('220 mail.example.com ESMTP\r\n')));
    await fails(question(`https://127.0.0.1:${port}/`, { ca: AUTHORITY }), 'unreachable');
  });
  it('the right server, after it was trusted for another question', async () => {
    const url = await secure(LOCAL);
    assert.equal(textOf(await network.send(question(url, { ca: AUTHORITY }))), 'secret');
    await fails(question(url, { ca: OTHER.cert }), 'unreachable');
    await fails(question(url), 'unreachable');
  });
});

describe('no answer in time', () => {
  it('while connecting', async () => {
    // Takes the connection and never says a word of the handshake.
    const port = await listening(createServer());
    await fails(question(`https://127.0.0.1:${port}/`, { timeoutMs: HASTY_MS }), 'timeout');
  });
  it('at the head', async () => {
    await fails(question((await server(silent)).url, { timeoutMs: HASTY_MS }), 'timeout');
  });
  it('within the head', async () => {
    await fails(question((await server(send(HEAD))).url, { timeoutMs: HASTY_MS }), 'timeout');
  });
  it('within the body', async () => {
    const half = await server(send(`${HEAD}Content-Length: 4\r\n\r\nab`));
    await fails(question(half.url, { timeoutMs: HASTY_MS }), 'timeout');
  });
  it('of a server that never stops, byte by byte', async () => {
    const timers: NodeJS.Timeout[] = [];
    const dripping = await server((socket) => {
      socket.write(`${HEAD}Content-Length: 900\r\n\r\n`);
      timers.push(setInterval(() => socket.write('a'), 5));
    });
    await fails(question(dripping.url, { timeoutMs: HASTY_MS }), 'timeout');
    for (const timer of timers) clearInterval(timer);
  });
  it('holds nobody who asks another server', async () => {
    const [slow, quick] = [await server(silent), await server(ok('quick'))];
    const waiting = Array.from({ length: 100 }, () => failureOf(question(slow.url, { timeoutMs: 1000 })));
    assert.equal(textOf(await network.send(question(quick.url))), 'quick');
    const failures = await Promise.all(waiting);
    assert.ok(failures.every(({ failure }) => failure === 'timeout'));
  });
});

describe('too much', () => {
  it('by its own word', async () => {
    const upstream = await server(ok('a'.repeat(1001)));
    await fails(question(upstream.url), 'too-large');
  });
  it('chunk by chunk without an end', async () => {
    const endless = await server((socket) => {
      socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`);
      const chunk = `40\r\n${'a'.repeat(64)}\r\n`;
      const more = (): void => void (socket.destroyed || socket.write(chunk, () => setImmediate(more)));
      more();
    });
    await fails(question(endless.url), 'too-large');
  });
  it('in its head', async () => {
    await fails(question((await server(ok('', [`X: ${'a'.repeat(70_000)}`]))).url), 'too-large');
  });
  it('but not what is just allowed', async () => {
    const upstream = await server(ok('a'.repeat(1000)));
    assert.equal((await network.send(question(upstream.url))).body.length, 1000);
  });
});

describe('garbage is no answer', () => {
  const table: readonly (readonly [name: string, answer: Answer, failure: NetworkFailure])[] = [
    ['no HTTP', send('220 mail.example.com ESMTP\r\n'), 'malformed'],
    ['bytes', send(Uint8Array.from([0, 255, 13, 10, 13, 10])), 'malformed'],
    ['a status that is none', send('HTTP/1.1 abc\r\n\r\n'), 'malformed'],
    ['a header without a colon', send(`${HEAD}nonsense\r\n\r\n`), 'malformed'],
    ['a NUL in a header', send(`${HEAD}X: a\0b\r\nContent-Length: 0\r\n\r\n`), 'malformed'],
    ['a space before a colon', send(`${HEAD}Content-Length : 2\r\n\r\nab`), 'malformed'],
    ['two lengths', send(`${HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc`), 'malformed'],
    [
      'a length and chunks',
      send(`${HEAD}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`),
      'malformed',
    ],
    ['a chunk of no size', send(`${HEAD}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`), 'malformed'],
    ['a body cut off', sendThenEnd(`${HEAD}Content-Length: 4\r\n\r\nab`), 'unreachable'],
    ['chunks cut off', sendThenEnd(`${HEAD}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n`), 'unreachable'],
    ['a reset within the body', sendThenReset(`${HEAD}Content-Length: 4\r\n\r\nab`), 'unreachable'],
    ['an end without a word', sendThenEnd(''), 'unreachable'],
  ];
  for (const [name, answer, failure] of table) {
    it(name, async () => fails(question((await server(answer)).url), failure));
  }

  it('a server that is not there', async () => {
    const port = await listening(createServer());
    await stops.pop()?.();
    await fails(question(`http://127.0.0.1:${port}/`), 'unreachable');
  });
  it('an address that is no URL, another scheme, a header of two lines: nothing is sent', async () => {
    const upstream = await server(ok());
    await fails(question('nonsense'), 'unreachable');
    await fails(question(upstream.url.replace('http:', 'ftp:')), 'unreachable');
    await fails(question(upstream.url, { headers: ['X', 'a\r\nY: b'] }), 'unreachable');
    assert.equal(upstream.connections.length, 0);
  });
});

describe('what was answered', () => {
  it('a redirect is an answer: nobody goes where it points', async () => {
    const elsewhere = await server(ok('internal'));
    for (const status of [301, 302, 303, 307, 308]) {
      const head = `HTTP/1.1 ${status} Over There\r\nLocation: ${elsewhere.url}/\r\nContent-Length: 0\r\n\r\n`;
      const response = await network.send(question((await server(send(head))).url));
      assert.equal(response.status, status);
      assert.equal(response.headers.get('location'), `${elsewhere.url}/`);
    }
    assert.equal(elsewhere.connections.length, 0);
  });
  it('a second answer that nobody asked for goes to nobody', async () => {
    const answers = (body: string) => `${HEAD}Content-Length: ${body.length}\r\n\r\n${body}`;
    const smuggling = await server(send(answers('own') + answers('smuggled')));
    const all = await Promise.all(Array.from({ length: 100 }, () => network.send(question(smuggling.url))));
    assert.deepEqual(new Set(all.map(textOf)), new Set(['own']));
    assert.equal(textOf(await network.send(question(smuggling.url))), 'own');
  });
  it('an error is an answer, interim ones are none, and fields keep their order and repetition', async () => {
    const interim = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
    const fields = 'Set-Cookie: a=1\r\nX-Name: caf\xe9\r\nset-cookie: b=2\r\nContent-Length: 2\r\n\r\nno';
    const upstream = await server(send(`${interim}HTTP/1.1 503 Unavailable\r\n${fields}`));
    const response = await network.send(question(upstream.url));
    assert.equal(response.status, 503);
    assert.deepEqual(response.headers.getAll('set-cookie'), ['a=1', 'b=2']);
    assert.equal(response.headers.get('x-name'), 'caf\xe9');
    assert.equal(response.headers.has('link'), false);
    assert.equal(textOf(response), 'no');
  });
  it('is not decoded: a small answer cannot become a large one', async () => {
    const packed = gzipSync('a'.repeat(100_000));
    const upstream = await server(ok(packed.toString('latin1'), ['Content-Encoding: gzip']));
    assert.deepEqual(Buffer.from((await network.send(question(upstream.url))).body), packed);
  });
  it('nothing for HEAD and 204', async () => {
    const upstream = await server(send('HTTP/1.1 204 No Content\r\n\r\n'));
    assert.equal((await network.send(question(upstream.url))).body.length, 0);
    const head = await server(send(`${HEAD}Content-Length: 4\r\n\r\n`));
    assert.equal((await network.send(question(head.url, { method: 'HEAD' }))).body.length, 0);
  });
});

describe('what is asked', () => {
  it('arrives as it was given', async () => {
    const upstream = await server(ok());
    const headers = ['X-A', '1', 'x-a', '2', 'Content-Type', 'text/plain'];
    await network.send(question(`${upstream.url}/p?q=1`, { method: 'POST', headers, body: 'caf\u00e9' }));
    const sent = upstream.bytes.toString('latin1');
    assert.match(sent, /^POST \/p\?q=1 HTTP\/1\.1\r\n/);
    assert.match(sent, /\r\nX-A: 1\r\nx-a: 2\r\n/);
    assert.match(sent, /\r\n\r\ncaf\xc3\xa9$/);
  });
  it('goes over kept connections', async () => {
    const upstream = await server(ok());
    for (let i = 0; i < 20; i++) await network.send(question(upstream.url));
    // The library takes up the one before a moment after its answer was read.
    assert.ok(upstream.connections.length <= 2, String(upstream.connections.length));
    await Promise.all(Array.from({ length: 100 }, () => network.send(question(upstream.url))));
    assert.ok(upstream.connections.length <= 32, String(upstream.connections.length));
  });
  it('goes over a new one after a failure', async () => {
    const upstream = await server(ok('a'.repeat(1001)));
    await fails(question(upstream.url), 'too-large');
    upstream.answer = ok('b');
    assert.equal(textOf(await network.send(question(upstream.url))), 'b');
    assert.equal(upstream.connections.length, 2);
  });
  it('is not told in a failure: the server is, nothing of path, query and password', async () => {
    const upstream = await server(silent);
    const url = `${upstream.url.replace('//', '//user:hunter2@')}/secret-path?token=secret-query`;
    const error = await failureOf(question(url, { timeoutMs: HASTY_MS }));
    assert.match(error.message, /127\.0\.0\.1/);
    assert.doesNotMatch(error.message, /secret|hunter2|user/);
  });
});
