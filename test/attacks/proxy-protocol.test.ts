import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectPlain, createServer, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { connect as connectSecure, type TLSSocket } from 'node:tls';
import { AUTHORITY, LOCAL } from '../fixtures/certificates.ts';
import { proxyBlock, proxyLine } from '../fixtures/proxy-header.ts';
import { type RawClient, values } from '../fixtures/raw-client.ts';
import { Stage, type StageParts } from './stage.ts';

/** Item 21: whose a connection is, only a proxy that is trusted may say, and says it in one way. */

const LOOPBACK = '127.0.0.1';
const CLIENT = '198.51.100.7';
const DENIED = '198.51.100.66';
const SPOOFED = '192.0.2.99';
const GET = 'GET /c HTTP/1.1\r\nHost: a.test\r\n\r\n';
const spoofing = (value: string): string => GET.replace('\r\n\r\n', `\r\nX-Forwarded-For: ${value}\r\n\r\n`);

const behindProxy = (listener: object = {}): StageParts => ({
  listener: { proxyProtocol: 'required', trustedProxies: [LOOPBACK, '10.0.0.0/8'], ...listener },
  policies: [{ 'ip-list': { deny: [DENIED] } }],
  preface: proxyLine('203.0.113.200'),
});

const inPieces = (bytes: string | Buffer): Buffer[] =>
  [...Buffer.from(bytes as string)].map((byte) => Buffer.of(byte));

/** How often workers were started again. */
async function restarts(stage: Stage): Promise<unknown> {
  const status = await (await stage.gateway.admin('GET', '/api/status')).json();
  assert.ok(status !== null && typeof status === 'object' && 'workers' in status);
  return JSON.stringify(status.workers).match(/"restarts":\d+/g);
}

describe('item 21: a listener behind a proxy', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open({ ...behindProxy({ limits: { headerTimeout: '400ms' } }), admin: true });
  });
  after(() => stage.close());

  const cut: readonly (readonly [name: string, bytes: string | Uint8Array])[] = [
    ['no header', GET],
    ['TLS', Buffer.from('16030102000100', 'hex')],
    ['an empty line before it', `\r\n${proxyLine(CLIENT)}${GET}`],
    ['a header in lower case', `${proxyLine(CLIENT).toLowerCase()}${GET}`],
    ['a bare LF', `PROXY TCP4 ${CLIENT} 203.0.113.1 1 2\n${GET}`],
    ['an address that is none', `PROXY TCP4 198.51.100.07 203.0.113.1 1 2\r\n${GET}`],
    ['a name for an address', `PROXY TCP4 localhost 203.0.113.1 1 2\r\n${GET}`],
    ['two addresses for one', `PROXY TCP4 ${CLIENT},${SPOOFED} 203.0.113.1 1 2\r\n${GET}`],
    ['a line without end', `PROXY TCP4 ${'1'.repeat(200)}`],
    ['a UNIX socket', Buffer.concat([proxyBlock({ source: new Array(108).fill(97) }), Buffer.from(GET)])],
    [
      'a wrong checksum',
      Buffer.concat([proxyBlock({ source: [198, 51, 100, 7], tlvs: [3, 0, 4, 0, 0, 0, 0] })]),
    ],
    ['a TLV beyond the header', Buffer.concat([proxyBlock({ source: [198, 51, 100, 7], tlvs: [4, 0, 9] })])],
    ['half a header, and no more', 'PROXY TCP4 198.'],
    ['nothing', ''],
  ];
  for (const [name, bytes] of cut) {
    test(`${name}: cut, and nothing is said or forwarded`, async () => {
      const outcome = await stage.send(bytes, { closes: true });
      assert.deepEqual([outcome.closed, outcome.statuses, outcome.bytes], [true, [], '']);
    });
  }

  test('a sound header from a peer that is not trusted: cut', async () => {
    for (const header of [proxyLine(CLIENT), proxyBlock({ source: [198, 51, 100, 7] })]) {
      const bytes = Buffer.concat([Buffer.from(header as string), Buffer.from(GET)]);
      const outcome = await stage.send(bytes, { closes: true, localAddress: '127.0.0.9' });
      assert.deepEqual([outcome.closed, outcome.statuses, outcome.bytes], [true, [], '']);
    }
    const metrics = await (await stage.gateway.admin('GET', '/metrics')).text();
    assert.match(metrics, /sallyport_connections_refused_total\{[^}]*reason="proxy-untrusted"[^}]*\} 2/);
    assert.match(metrics, /sallyport_connections_refused_total\{[^}]*reason="proxy-header"[^}]*\} [1-9]/);
  });

  test('a second header is no request', async () => {
    const outcome = await stage.send(`${proxyLine(CLIENT)}${proxyLine(SPOOFED)}${GET}`, { closes: true });
    assert.deepEqual([outcome.statuses, outcome.forwarded], [[400], []]);
  });

  const headers: readonly (readonly [name: string, header: string | Buffer, client: string])[] = [
    ['text', proxyLine(CLIENT), CLIENT],
    ['text over IPv6', 'PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n', '2001:db8::7'],
    ['text over IPv6 for IPv4', `PROXY TCP6 ::ffff:${CLIENT} ::1 1 2\r\n`, CLIENT],
    ['binary', proxyBlock({ source: [198, 51, 100, 7] }), CLIENT],
    [
      'binary with a checksum',
      proxyBlock({ source: [198, 51, 100, 7], hasChecksum: true, tlvs: [4, 0, 0] }),
      CLIENT,
    ],
    [
      'binary over IPv6',
      proxyBlock({ source: [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7] }),
      '2001:db8::7',
    ],
  ];
  for (const [name, header, client] of headers) {
    for (const [how, pieces] of [
      ['with the request', [Buffer.concat([Buffer.from(header as string), Buffer.from(GET)])]],
      ['byte by byte', [...inPieces(header), GET]],
    ] as const) {
      test(`${name}, ${how}: the client is who the proxy says`, async () => {
        const outcome = await stage.send(pieces);
        assert.deepEqual(outcome.statuses, [200]);
        assert.deepEqual(values(outcome.forwarded[0], 'x-forwarded-for'), [client]);
      });
    }
  }

  test('who the proxy says is judged, on every request of the connection', async () => {
    const outcome = await stage.send(`${proxyLine(DENIED)}${GET}${GET}`, { answers: 2 });
    assert.deepEqual([outcome.statuses, outcome.forwarded], [[403, 403], []]);
  });

  test('a forwarding field of a client that is no proxy is neither believed nor handed on', async () => {
    const outcome = await stage.send(`${proxyLine(CLIENT)}${spoofing(DENIED)}`);
    assert.deepEqual(outcome.statuses, [200]);
    assert.deepEqual(values(outcome.forwarded[0], 'x-forwarded-for'), [CLIENT]);
  });

  test('a forwarding field of a trusted proxy behind the proxy is believed', async () => {
    assert.deepEqual((await stage.send(`${proxyLine('10.1.2.3')}${spoofing(DENIED)}`)).statuses, [403]);
    const outcome = await stage.send(`${proxyLine('10.1.2.3')}${spoofing(CLIENT)}`);
    assert.deepEqual(values(outcome.forwarded[0], 'x-forwarded-for'), [`${CLIENT}, 10.1.2.3`]);
  });

  for (const [name, header] of [
    ['UNKNOWN', `PROXY UNKNOWN ${SPOOFED} ${SPOOFED} 1 2\r\n`],
    ['LOCAL', proxyBlock({ isLocal: true, source: [192, 0, 2, 99] })],
    ['UNSPEC', proxyBlock()],
  ] as const) {
    test(`${name}: the client is the proxy, and its forwarding fields are not believed for that`, async () => {
      const pieces = Buffer.concat([Buffer.from(header as string), Buffer.from(spoofing(DENIED))]);
      const outcome = await stage.send(pieces);
      assert.deepEqual(outcome.statuses, [200]);
      assert.deepEqual(values(outcome.forwarded[0], 'x-forwarded-for'), [LOOPBACK]);
      assert.ok(!outcome.bytes.includes(DENIED) && !outcome.bytes.includes(SPOOFED));
    });
  }

  test('a long body behind the header arrives whole', async () => {
    const body = 'x'.repeat(300_000);
    const head = `POST /c HTTP/1.1\r\nHost: a.test\r\nContent-Length: ${body.length}\r\n\r\n`;
    const outcome = await stage.send(proxyLine(CLIENT) + head + body);
    assert.equal(outcome.forwarded[0]?.body.toString(), body);
  });

  test('the worker outlives garbage', async () => {
    const starts = [
      proxyLine(CLIENT),
      proxyBlock({ source: [198, 51, 100, 7] }).toString('latin1'),
      'PROXY ',
      '',
    ];
    for (let i = 0; i < 200; i++) {
      const start = starts[i % starts.length];
      const noise = Array.from({ length: (i * 7) % 300 }, (_, j) =>
        String.fromCharCode((i * 31 + j * 17) % 256),
      );
      const client = await stage.connect();
      client.send(start.slice(0, (i * 13) % (start.length + 1)) + noise.join(''));
      if (i % 3 === 0) client.reset();
      else if (i % 3 === 1) client.end();
    }
    await stage.probe();
    assert.deepEqual(await restarts(stage), ['"restarts":0']);
  });
});

describe('item 21: limits behind a proxy', () => {
  const held: RawClient[] = [];
  const hold = async (stage: Stage, bytes: string): Promise<RawClient> => {
    const client = await stage.connect();
    client.send(bytes);
    held.push(client);
    return client;
  };
  after(() => {
    for (const client of held) client.close();
  });

  test('an address has as many connections as it may, whatever the proxy carries', async () => {
    const stage = await Stage.open(behindProxy({ limits: { connectionsPerAddress: 2 } }));
    try {
      for (let i = 0; i < 2; i++) {
        const client = await hold(stage, proxyLine(CLIENT) + GET);
        assert.ok(await client.response());
      }
      const third = await hold(stage, proxyLine(CLIENT) + GET);
      assert.ok(await third.closedWithin(3000));
      assert.equal(third.received.length, 0);
      const other = await hold(stage, proxyLine('198.51.100.8') + GET);
      assert.ok(await other.response());
      // Who leaves makes room.
      held[0].close();
      let again = await hold(stage, proxyLine(CLIENT) + GET);
      while ((await again.response(1, 1000)) === undefined)
        again = await hold(stage, proxyLine(CLIENT) + GET);
    } finally {
      await stage.close();
    }
  });

  test('connections that say nothing count in the total', async () => {
    const stage = await Stage.open(behindProxy({ limits: { connections: 4, headerTimeout: '1s' } }));
    try {
      // The fixture's own look whether it listens may still be open.
      await stage.probe();
      for (let i = 0; i < 6; i++) await hold(stage, 'PROXY ');
      const last = held.slice(-2);
      for (const client of last) assert.ok(await client.closedWithin(700));
      // After its time the silence has made room.
      for (const client of held.slice(-6)) assert.ok(await client.closedWithin(3000));
      await stage.probe();
    } finally {
      await stage.close();
    }
  });
});

describe('item 21: a listener without a proxy', () => {
  test('a header is no request, whoever sends it', async () => {
    const stage = await Stage.open({ listener: { trustedProxies: [LOOPBACK] } });
    try {
      for (const bytes of [proxyLine(CLIENT) + GET, proxyBlock({ source: [198, 51, 100, 7] })]) {
        const outcome = await stage.send(bytes, { closes: true });
        assert.deepEqual([outcome.statuses, outcome.forwarded], [[400], []]);
      }
    } finally {
      await stage.close();
    }
  });
});

describe('item 21: a PROXY header before TLS', () => {
  let stage: Stage;
  before(async () => {
    const tls = { certificates: [{ cert: 'file:./local.crt', key: 'file:./local.key' }] };
    stage = await Stage.open({
      ...behindProxy({ tls, limits: { headerTimeout: '1s' } }),
      files: { 'local.crt': LOCAL.cert, 'local.key': LOCAL.key },
      admin: true,
    });
  });
  const open: { close(): void }[] = [];
  after(async () => {
    for (const proxy of open) proxy.close();
    await stage.close();
  });

  /** Puts `header` before what a TLS client sends, together with its first bytes or byte by byte. */
  async function throughProxy(header: string | Buffer, isSlow: boolean): Promise<number> {
    const sockets = new Set<Socket>();
    const proxy = createServer(async (client) => {
      const gateway = connectPlain({ port: stage.gateway.port, host: LOOPBACK, noDelay: true });
      for (const socket of [client, gateway]) {
        sockets.add(socket);
        socket.on('error', () => {});
        socket.on('close', () => {
          for (const one of [client, gateway]) one.destroy();
        });
      }
      const [first]: Buffer[] = await once(client, 'data');
      const bytes = Buffer.concat([Buffer.from(header as string), first]);
      client.pause();
      for (const piece of isSlow ? inPieces(bytes) : [bytes]) {
        gateway.write(piece);
        if (isSlow) await new Promise((resolve) => setImmediate(resolve));
      }
      client.pipe(gateway);
      gateway.pipe(client);
    });
    proxy.listen(0, LOOPBACK);
    await once(proxy, 'listening');
    const address = proxy.address();
    assert.ok(address !== null && typeof address === 'object');
    const close = (): void => {
      proxy.close();
      for (const socket of sockets) socket.destroy();
    };
    open.push({ close });
    return address.port;
  }

  /** The status of an answer, or how the connection ended without one. */
  async function ask(port: number): Promise<string> {
    const socket: TLSSocket = connectSecure({ port, host: LOOPBACK, servername: 'localhost', ca: AUTHORITY });
    let text = '';
    socket.on('data', (bytes: Buffer) => {
      text += bytes.toString('latin1');
      socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('secureConnect', () => socket.write(GET));
    await new Promise((resolve) => socket.once('close', resolve));
    return text === '' ? 'cut' : text.slice(9, 12);
  }

  const last = (): string[] => values(stage.upstream.requests.at(-1) ?? assert.fail(), 'x-forwarded-for');

  test('a handshake without a header is cut', async () => {
    const before = stage.upstream.requests.length;
    assert.equal(await ask(stage.gateway.port), 'cut');
    assert.equal(stage.upstream.requests.length, before);
  });

  test('a header inside TLS is no header', async () => {
    const port = await throughProxy(proxyLine(CLIENT), false);
    const socket = connectSecure({
      port,
      host: LOOPBACK,
      servername: 'localhost',
      ca: AUTHORITY,
    });
    socket.on('secureConnect', () => socket.write(proxyLine(SPOOFED) + GET));
    const [bytes]: Buffer[] = await once(socket, 'data');
    assert.match(bytes.toString(), /^HTTP\/1\.1 400 /);
    socket.destroy();
  });

  for (const isSlow of [false, true]) {
    const how = isSlow ? 'byte by byte' : 'with the handshake';
    test(`${how}: the client is who the proxy says`, async () => {
      for (const [header, status] of [
        [proxyLine(DENIED), '403'],
        [proxyLine(CLIENT), '200'],
        [proxyBlock({ source: [198, 51, 100, 7], hasChecksum: true }), '200'],
      ] as const) {
        const port = await throughProxy(header, isSlow);
        assert.equal(await ask(port), status);
        if (status === '200') assert.deepEqual(last(), [CLIENT]);
      }
    });

    test(`${how}: a header that is none, and TLS that is none, are cut`, async () => {
      for (const header of ['PROXY TCP4 x y 1 2\r\n', `${proxyLine(CLIENT)}junk`]) {
        const port = await throughProxy(header, isSlow);
        assert.equal(await ask(port), 'cut');
      }
      assert.deepEqual(await restarts(stage), ['"restarts":0']);
    });
  }

  test('an unnamed client is the proxy', async () => {
    const port = await throughProxy(proxyBlock({ isLocal: true }), false);
    assert.equal(await ask(port), '200');
    assert.deepEqual(last(), [LOOPBACK]);
  });
});
