import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createSecureServer, request as secureRequest } from 'node:https';
import { connect as connectPlain, type Server, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { connect, type TLSSocket } from 'node:tls';
import { AUTHORITY, EXPIRED, LOCAL, OTHER } from '../fixtures/certificates.ts';
import { type Document, freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';

const FILES = {
  'ca.crt': AUTHORITY,
  'local.crt': LOCAL.cert,
  'local.key': LOCAL.key,
  'other.crt': OTHER.cert,
  'other.key': OTHER.key,
};
const certificate = (name: string) => ({ cert: `file:./${name}.crt`, key: `file:./${name}.key` });

/** A server that answers with what it was asked: method, path, forwarded scheme and the number of body bytes. */
function echo(request: IncomingMessage, answer: { end(text: string): void }): void {
  let bytes = 0;
  request.on('data', (piece: Buffer) => {
    bytes += piece.length;
  });
  request.on('end', () =>
    answer.end([request.method, request.url, request.headers['x-forwarded-proto'], bytes].join(' ')),
  );
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

interface Answer {
  readonly status: number | undefined;
  readonly body: string;
}

/** Asks over TLS as a careful client does. */
async function ask(
  port: number,
  options: { readonly name?: string; readonly body?: Buffer } = {},
): Promise<Answer> {
  const { name = 'localhost', body } = options;
  const method = body === undefined ? 'GET' : 'POST';
  const asked = secureRequest({
    host: '127.0.0.1',
    servername: name,
    port,
    ca: AUTHORITY,
    method,
    path: '/x',
    agent: false,
  });
  asked.end(body);
  const [answer]: IncomingMessage[] = await once(asked, 'response');
  let text = '';
  for await (const piece of answer) text += piece;
  return { status: answer.statusCode, body: text };
}

/** The name in the certificate that a client asking for `servername` is shown; the error's code where there is none. */
async function shown(
  port: number,
  options: { servername?: string; maxVersion?: 'TLSv1.1' },
): Promise<string> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options });
  try {
    await once(socket, 'secureConnect');
    return String(socket.getPeerCertificate().subject.CN);
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  } finally {
    socket.destroy();
  }
}

const closed = (socket: Socket): Promise<unknown> =>
  socket.destroyed ? Promise.resolve() : once(socket, 'close');

describe('a listener with TLS', () => {
  const origin = createServer(echo);
  let gateway: Gateway;
  let port: number;
  before(async () => {
    const upstream = `http://127.0.0.1:${await listen(origin)}`;
    port = await freePort();
    const listener = {
      tls: { certificates: [certificate('local'), certificate('other')] },
      limits: { connectionsPerAddress: 4 },
    };
    const document = proxyDocument({ port, upstream, listener });
    gateway = await startGateway(document, { files: FILES, admin: true });
  });
  after(async () => {
    await gateway.stop();
    origin.close();
  });

  it('serves, and tells the upstream how it was asked', async () => {
    assert.deepEqual(await ask(port), { status: 200, body: 'GET /x https 0' });
  });

  it('carries large bodies whole', async () => {
    const body = Buffer.alloc(5_000_000, 'x');
    assert.deepEqual(await ask(port, { body }), { status: 200, body: 'POST /x https 5000000' });
  });

  const names: readonly (readonly [servername: string | undefined, shownName: string])[] = [
    ['localhost', 'local'],
    ['other.test', 'other'],
    ['a.wild.test', 'other'],
    ['a.b.wild.test', 'local'],
    ['unknown.test', 'local'],
    [undefined, 'local'],
  ];
  for (const [servername, expected] of names) {
    it(`shows the certificate for ${servername ?? 'no name'}`, async () => {
      const got = await shown(port, servername === undefined ? {} : { servername });
      assert.equal(got, expected);
    });
  }

  it('does not speak TLS 1.1, nor HTTP without TLS', async () => {
    assert.notEqual(await shown(port, { maxVersion: 'TLSv1.1' }), 'local');
    const plain = connectPlain(port, '127.0.0.1');
    plain.on('error', () => {});
    let received = '';
    plain.on('data', (bytes: Buffer) => {
      received += bytes.toString('latin1');
    });
    plain.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await closed(plain);
    assert.ok(!received.includes('HTTP/1.1 200'));
    assert.equal((await ask(port)).status, 200);
  });

  it('counts handshakes that do not end: whoever holds them open is turned away, and told of in metrics', async () => {
    const held = Array.from({ length: 4 }, () => connectPlain(port, '127.0.0.1'));
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    const refused = async (): Promise<boolean> => {
      const code = await shown(port, { servername: 'localhost' });
      return code !== 'local';
    };
    while (!(await refused())) await new Promise((resolve) => setTimeout(resolve, 20));
    const metrics = await (await gateway.admin('GET', '/metrics')).text();
    assert.match(
      metrics,
      /sallyport_connections_refused_total\{[^}]*reason="connections-per-address"[^}]*\} [1-9]/,
    );
    for (const socket of held) socket.destroy();
    while (await refused()) await new Promise((resolve) => setTimeout(resolve, 20));
    assert.equal((await ask(port)).status, 200);
  });

  it('lets a client leave in the middle of everything', async () => {
    for (let i = 0; i < 20; i++) {
      const socket: TLSSocket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: AUTHORITY });
      socket.on('error', () => {});
      if (i % 2 === 0) await once(socket, 'secureConnect');
      if (i % 4 === 0) socket.write('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf');
      socket.destroy();
    }
    let answer = await ask(port).catch(() => undefined);
    while (answer === undefined) answer = await ask(port).catch(() => undefined);
    assert.equal(answer.status, 200);
  });
});

describe('an answer over TLS that cannot be finished', () => {
  const OLD = 'GET / HTTP/1.0\r\nHost: localhost\r\n\r\n';
  let gateway: Gateway;
  let port: number;
  /** Breaks off in the middle, or sends without end. */
  const origin = createServer((request, answer) => {
    answer.write('x'.repeat(1000));
    if (request.url === '/endless') answer.end(Buffer.alloc(50_000_000));
    else setTimeout(() => answer.destroy(), 20);
  });
  before(async () => {
    const upstream = `http://127.0.0.1:${await listen(origin)}`;
    port = await freePort();
    const listener = {
      tls: { certificates: [certificate('local')] },
      limits: { writeTimeout: '300ms', headerTimeout: '300ms' },
    };
    gateway = await startGateway(proxyDocument({ port, upstream, listener }), { files: FILES, admin: true });
  });
  after(async () => {
    await gateway.stop();
    origin.close();
  });

  const secure = async (): Promise<TLSSocket> => {
    const socket = connect({ host: '127.0.0.1', port, servername: 'localhost', ca: AUTHORITY });
    await once(socket, 'secureConnect');
    return socket;
  };
  /** How the connection ended: `end` looks whole to a client of HTTP/1.0. */
  const ending = (socket: Socket): Promise<string> =>
    new Promise((resolve) => {
      socket.once('error', () => resolve('error'));
      socket.once('end', () => resolve('end'));
    });
  const restarts = async (): Promise<unknown> => {
    const status = await (await gateway.admin('GET', '/api/status')).json();
    assert.ok(status !== null && typeof status === 'object' && 'workers' in status);
    return JSON.stringify(status.workers).match(/"restarts":\d+/g);
  };

  it('is reset where the upstream breaks off: never a clean end', async () => {
    const socket = await secure();
    socket.resume();
    const ended = ending(socket);
    socket.write(OLD);
    assert.equal(await ended, 'error');
    assert.deepEqual(await restarts(), ['"restarts":0']);
  });

  it('is reset where the client does not read, and nobody else notices', async () => {
    const bystander = await secure();
    const socket = await secure();
    socket.pause();
    const ended = ending(socket);
    socket.write(OLD.replace('/ ', '/endless '));
    await new Promise((resolve) => setTimeout(resolve, 800));
    socket.resume();
    assert.equal(await ended, 'error');
    bystander.write('GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    const [bytes]: Buffer[] = await once(bystander, 'data');
    assert.match(bytes.toString(), /^HTTP\/1\.1 200 /);
    bystander.destroy();
    assert.deepEqual(await restarts(), ['"restarts":0']);
  });

  for (const [what, bytes] of [
    ['says nothing', ''],
    ['stops in its first message', '\x16\x03\x01\x02\x00\x01\x00'],
  ]) {
    it(`a client that ${what} in its handshake is let go in time`, async () => {
      const socket = connectPlain(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(bytes, 'latin1');
      await closed(socket);
    });
  }
});

describe('an upstream with TLS', () => {
  interface Case {
    readonly name: string;
    readonly identity: { readonly cert: string; readonly key: string };
    readonly settings?: Readonly<Record<string, unknown>>;
    readonly host?: string;
    readonly status: number;
  }
  const trusted = { ca: 'file:./ca.crt' };
  const cases: readonly Case[] = [
    { name: 'its authority is given', identity: LOCAL, settings: trusted, status: 200 },
    { name: 'by its address', identity: LOCAL, settings: trusted, host: '127.0.0.1', status: 200 },
    {
      name: 'under a name that is given',
      identity: OTHER,
      settings: { ...trusted, serverName: 'other.test' },
      status: 200,
    },
    { name: 'its authority is not known here', identity: LOCAL, status: 502 },
    { name: 'its certificate is for another name', identity: OTHER, settings: trusted, status: 502 },
    { name: 'its certificate has expired', identity: EXPIRED, settings: trusted, status: 502 },
    {
      name: 'the name given is not its own',
      identity: LOCAL,
      settings: { ...trusted, serverName: 'other.test' },
      status: 502,
    },
  ];
  for (const { name, identity, settings = {}, host = 'localhost', status } of cases) {
    it(`${name}: ${status}`, async () => {
      const heard: string[] = [];
      const origin = createSecureServer(identity, (request, answer) => {
        heard.push(request.url ?? '');
        echo(request, answer);
      });
      origin.on('tlsClientError', () => {});
      const target = `https://${host}:${await listen(origin)}`;
      const document: Document = proxyDocument({ port: await freePort(), upstream: target, settings });
      const gateway = await startGateway(document, { files: FILES });
      try {
        const response = await fetch(`http://127.0.0.1:${gateway.port}/x`, {
          headers: { 'x-secret': 'kept' },
        });
        assert.equal(response.status, status);
        const text = await response.text();
        if (status === 200) assert.equal(text, 'GET /x http 0');
        else assert.equal(JSON.parse(text).code, 'upstream-unreachable');
        assert.equal(
          heard.length,
          status === 200 ? 1 : 0,
          'nothing is said to a server that is not the right one',
        );
      } finally {
        await gateway.stop();
        origin.close();
      }
    });
  }
});
