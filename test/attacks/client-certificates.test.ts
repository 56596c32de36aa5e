import assert from 'node:assert/strict';
import { readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { AUTHORITY, LOCAL, OTHER } from '../fixtures/certificates.ts';
import { CLIENT_KEY, CLIENTS, INNER, LISTS, NAMESAKE, PARTNERS } from '../fixtures/client-certificates.ts';
import { eventually } from '../fixtures/process.ts';
import { readResponses, statusOf, values } from '../fixtures/raw-client.ts';
import { Stage, type StageParts } from './stage.ts';

/** Item 22: who proves to be whom by a certificate. Where the chain is wrong the handshake fails: nothing is answered. */

type Client = keyof typeof CLIENTS;

const FILES = {
  'local.crt': LOCAL.cert,
  'local.key': LOCAL.key,
  'other.crt': OTHER.cert,
  'other.key': OTHER.key,
  'ca.crt': PARTNERS,
};
const GET = 'GET /c HTTP/1.1\r\nHost: localhost\r\n\r\n';

function behind(tls: object, policies: readonly unknown[], more: StageParts = {}): StageParts {
  const certificates = ['local', 'other'].map((name) => ({
    cert: `file:./${name}.crt`,
    key: `file:./${name}.key`,
  }));
  const listener = { tls: { certificates, clientCa: 'file:./ca.crt', ...tls } };
  return { listener, policies, files: FILES, admin: true, ...more };
}

/** By the common name, whoever it is: what comes through was let in by the handshake. */
const BY_NAME = [
  {
    mtls: {
      match: [{ commonName: '*', from: 'commonName', declared: false }],
      forward: { subject: 'x-client-subject' },
    },
  },
];

interface Asked {
  /** The status, or `cut` where the connection ended without an answer. */
  readonly outcome: string;
  readonly isResumed: boolean;
  /** To resume by, where one was given. */
  readonly sessions: readonly Buffer[];
}

const shows = (client: Client | undefined): ConnectionOptions =>
  client === undefined ? {} : { cert: CLIENTS[client], key: CLIENT_KEY };

/** Asks once on a connection of its own. */
async function ask(
  stage: Stage,
  client: Client | undefined,
  options: ConnectionOptions = {},
  request = GET,
): Promise<Asked> {
  const connection = await Connection.open(stage, { ...shows(client), ...options });
  const outcome = connection === undefined ? 'cut' : await connection.ask(request);
  const sessions = connection?.sessions ?? [];
  const isResumed = connection?.socket.isSessionReused() ?? false;
  connection?.socket.destroy();
  return { outcome, isResumed, sessions };
}

/** A connection that is kept. */
class Connection {
  readonly socket: TLSSocket;
  readonly sessions: Buffer[] = [];
  #bytes = Buffer.alloc(0);
  #isOver = false;
  #wake: () => void = () => {};

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on('session', (session) => this.sessions.push(session));
    socket.on('error', () => {});
    socket.on('data', (bytes: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, bytes]);
      this.#wake();
    });
    socket.on('close', () => {
      this.#isOver = true;
      this.#wake();
    });
  }

  /** Undefined where the handshake failed. */
  static open(stage: Stage, options: ConnectionOptions): Promise<Connection | undefined> {
    const { port } = stage.gateway;
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: AUTHORITY, ...options });
    const connection = new Connection(socket);
    return new Promise((resolve) => {
      socket.once('secureConnect', () => resolve(connection));
      socket.once('close', () => resolve(undefined));
    });
  }

  get answer() {
    return readResponses(this.#bytes, this.#isOver)[0];
  }

  async ask(request = GET): Promise<string> {
    this.#bytes = Buffer.alloc(0);
    if (this.#isOver) return 'cut';
    this.socket.write(request);
    await this.#until(() => this.answer?.complete === true);
    return this.answer?.complete === true ? String(statusOf(this.answer)) : 'cut';
  }

  async ended(): Promise<void> {
    await this.#until(() => false);
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds() && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

const forwarded = (stage: Stage): number => stage.upstream.requests.length;
const lastSubject = (stage: Stage): readonly string[] =>
  values(stage.upstream.requests.at(-1) ?? assert.fail('nothing was forwarded'), 'x-client-subject');

/** Changes what the document refers to, and waits until it is in force. */
async function reload(
  stage: Stage,
  files: Readonly<Record<string, string>>,
  isInForce: () => Promise<boolean>,
) {
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(stage.gateway.folder, name);
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
  }
  stage.gateway.process.kill('SIGHUP');
  await eventually(isInForce);
}

async function restarts(stage: Stage): Promise<unknown> {
  const status = await (await stage.gateway.admin('GET', '/api/status')).json();
  assert.ok(status !== null && typeof status === 'object' && 'workers' in status);
  return JSON.stringify(status.workers).match(/"restarts":\d+/g);
}

const WRONG: readonly (readonly [client: Client, why: string])[] = [
  ['self', 'signed by itself'],
  ['stranger', 'signed by another authority of the same name'],
  ['expired', 'expired'],
  ['early', 'not valid yet'],
  ['server', 'for servers'],
  ['impostor', 'signed by a client'],
  ['buried', 'below the end of its path'],
];

for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
  describe(`item 22: certificates that are required, ${maxVersion}`, () => {
    let stage: Stage;
    before(async () => {
      stage = await Stage.open(behind({}, BY_NAME));
    });
    after(() => stage.close());

    test('none: no handshake', async () => {
      const before = forwarded(stage);
      assert.equal((await ask(stage, undefined, { maxVersion })).outcome, 'cut');
      assert.equal(forwarded(stage), before);
    });

    for (const servername of ['localhost', 'other.test']) {
      for (const [client, why] of WRONG) {
        test(`${why}, asked as ${servername}: no handshake`, async () => {
          const before = forwarded(stage);
          const outcome = await ask(stage, client, {
            maxVersion,
            servername,
            checkServerIdentity: () => undefined,
          });
          assert.equal(outcome.outcome, 'cut');
          assert.equal(forwarded(stage), before);
        });
      }

      for (const [client, subject] of [
        ['orders', 'CN=orders,O=Example'],
        ['billing', 'CN=billing,O=Example'],
      ] as const) {
        test(`${client}, asked as ${servername}`, async () => {
          const options = { maxVersion, servername, checkServerIdentity: () => undefined };
          assert.equal((await ask(stage, client, options)).outcome, '200');
          assert.deepEqual(lastSubject(stage), [subject]);
        });
      }
    }

    test('an inner certificate without what signed it', async () => {
      const cert = CLIENTS.billing.slice(0, CLIENTS.billing.indexOf(INNER));
      assert.equal((await ask(stage, undefined, { maxVersion, cert, key: CLIENT_KEY })).outcome, 'cut');
    });

    test('a certificate without its key proves nothing', async () => {
      // What a thief of the certificate has: Node would not even try, so the key is another's.
      const stolen = { maxVersion, cert: LOCAL.cert, key: LOCAL.key };
      assert.equal((await ask(stage, undefined, stolen)).outcome, 'cut');
    });

    test('a client cannot ask for another handshake within the connection', async () => {
      const connection = await Connection.open(stage, { ...shows('orders'), maxVersion });
      assert.ok(connection !== undefined);
      const refused = await new Promise((resolve) => {
        connection.socket.once('close', () => resolve(true));
        // Of TLS 1.3 there is no such thing.
        if (!connection.socket.renegotiate({}, (error) => resolve(error !== null))) resolve(true);
      });
      assert.equal(refused, true);
      connection.socket.destroy();
    });

    test('what was refused is counted, the log says why, and the worker lives', async () => {
      const metrics = await (await stage.gateway.admin('GET', '/metrics')).text();
      assert.match(
        metrics,
        /sallyport_connections_refused_total\{[^}]*reason="client-certificate"[^}]*\} [1-9]/,
      );
      assert.match(stage.gateway.output, /"event":"connection-refused".*"cause":"[A-Z_a-z0-9]+"/);
      assert.deepEqual(await restarts(stage), ['"restarts":0']);
    });
  });
}

describe('item 22: certificates that are optional', () => {
  let stage: Stage;
  before(async () => {
    stage = await Stage.open(behind({ clientAuth: 'optional' }, BY_NAME));
  });
  after(() => stage.close());

  test('none: the policies decide', async () => {
    const before = forwarded(stage);
    assert.equal((await ask(stage, undefined)).outcome, '401');
    assert.equal(forwarded(stage), before);
  });

  for (const [client, why] of WRONG) {
    test(`${why}: nothing is answered, though none would be`, async () => {
      const before = forwarded(stage);
      for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
        assert.equal((await ask(stage, client, { maxVersion })).outcome, 'cut');
      }
      assert.equal(forwarded(stage), before);
    });
  }

  test('a right one', async () => {
    assert.equal((await ask(stage, 'orders')).outcome, '200');
    assert.deepEqual(lastSubject(stage), ['CN=orders,O=Example']);
  });

  test('what a client says in a header stays what it says', async () => {
    const fields = [
      'X-Client-Subject: CN=admin',
      'Client-Cert: :YWRtaW4=:',
      'X-Forwarded-Client-Cert: CN=admin',
    ];
    const request = GET.replace('\r\n\r\n', `\r\n${fields.join('\r\n')}\r\n\r\n`);
    assert.equal((await ask(stage, undefined, {}, request)).outcome, '401');
    assert.equal((await ask(stage, 'orders', {}, request)).outcome, '200');
    assert.deepEqual(lastSubject(stage), ['CN=orders,O=Example']);
    const seen = JSON.stringify(stage.upstream.requests.at(-1)?.fields);
    assert.ok(!/admin|YWRtaW4/.test(seen), seen);
  });
});

describe('item 22: names that could be read in two ways', () => {
  const match = [
    { subject: 'CN=*,O=Admin', consumer: 'admin' },
    { commonName: 'admin', consumer: 'admin' },
    { dns: 'admin.partners.example', consumer: 'admin' },
    { commonName: ['orders', 'stock'], consumer: 'partner' },
  ];
  let stage: Stage;
  before(async () => {
    const consumers = [{ name: 'admin' }, { name: 'partner' }];
    stage = await Stage.open(behind({}, [{ mtls: { match } }], { document: { consumers } }));
  });
  after(() => stage.close());

  for (const [client, why] of [
    ['injected', 'an organisation inside the common name'],
    ['twice', 'two common names, the second another’s'],
    ['comma', 'a DNS name with another in it'],
    ['nul', 'a DNS name that ends early for some'],
  ] as const) {
    test(`${why}: nobody`, async () => {
      const before = forwarded(stage);
      assert.equal((await ask(stage, client)).outcome, '401');
      assert.equal(forwarded(stage), before);
    });
  }

  test('the same names, said plainly', async () => {
    assert.equal((await ask(stage, 'stock')).outcome, '200');
    const consumer = values(stage.upstream.requests.at(-1) ?? assert.fail(), 'x-consumer-username');
    assert.deepEqual(consumer, ['partner']);
  });
});

describe('item 22: revocation lists', () => {
  const lists = (...all: readonly string[]): Record<string, string> => ({ 'a.crl': all.join('\n') });
  const open = (files: Record<string, string>, tls: object = {}): Promise<Stage> =>
    Stage.open(behind({ crl: 'file:./a.crl', ...tls }, BY_NAME, { files: { ...FILES, ...files } }));

  for (const clientAuth of ['required', 'optional']) {
    test(`a revoked certificate: no handshake, where certificates are ${clientAuth}`, async () => {
      const stage = await open(lists(LISTS.revoking, LISTS.inner), { clientAuth });
      try {
        for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
          for (const servername of ['localhost', 'other.test']) {
            const options = { maxVersion, servername, checkServerIdentity: () => undefined };
            assert.equal((await ask(stage, 'revoked', options)).outcome, 'cut');
            assert.equal((await ask(stage, 'orders', options)).outcome, '200');
            assert.equal((await ask(stage, 'billing', options)).outcome, '200');
          }
        }
      } finally {
        await stage.close();
      }
    });
  }

  for (const [why, all, refused] of [
    ['is out of date', [LISTS.stale, LISTS.inner], ['orders', 'billing', 'revoked']],
    [
      'is of another authority of the same name',
      [LISTS.foreign, LISTS.inner],
      ['orders', 'billing', 'revoked'],
    ],
    ['of the inner authority is missing', [LISTS.fresh], ['billing']],
    ['of the root is missing', [LISTS.inner], ['orders', 'billing', 'revoked']],
  ] as const) {
    test(`a list that ${why} refuses all it would be about`, async () => {
      const stage = await open(lists(...all));
      try {
        for (const client of refused) assert.equal((await ask(stage, client)).outcome, 'cut', client);
        assert.equal(forwarded(stage), 0);
      } finally {
        await stage.close();
      }
    });
  }
});

describe('item 22: authorities and lists that change', () => {
  const CRL = { crl: 'file:./a.crl' };
  const open = (tls: object = {}): Promise<Stage> =>
    Stage.open(
      behind({ ...CRL, ...tls }, BY_NAME, { files: { ...FILES, 'a.crl': LISTS.fresh }, workers: 1 }),
    );
  const refuses = (stage: Stage, client: Client) => async () => (await ask(stage, client)).outcome === 'cut';

  test('sessions are not resumed: none brings back what was proved before', async () => {
    for (const clientAuth of ['required', 'optional']) {
      const stage = await open({ clientAuth });
      try {
        for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
          for (const servername of ['localhost', 'other.test']) {
            const options = { maxVersion, servername, checkServerIdentity: () => undefined };
            const first = await ask(stage, 'revoked', options);
            assert.equal(first.outcome, '200');
            // Without the certificate: what is not shown again is not there.
            for (const session of first.sessions) {
              const again = await ask(stage, undefined, { ...options, session });
              assert.deepEqual(
                [again.outcome, again.isResumed],
                [clientAuth === 'required' ? 'cut' : '401', false],
              );
              const shown = await ask(stage, 'revoked', { ...options, session });
              assert.deepEqual([shown.outcome, shown.isResumed], ['200', false]);
            }
          }
        }
      } finally {
        await stage.close();
      }
    }
  });

  test('a session of before a revocation is of no use after it', async () => {
    const stage = await open();
    try {
      const sessions: Buffer[] = [];
      for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
        sessions.push(...(await ask(stage, 'revoked', { maxVersion })).sessions);
      }
      await reload(stage, { 'a.crl': LISTS.revoking }, refuses(stage, 'revoked'));
      const before = forwarded(stage);
      for (const session of sessions) {
        for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
          assert.equal((await ask(stage, 'revoked', { session, maxVersion })).outcome, 'cut');
          assert.equal((await ask(stage, undefined, { session, maxVersion })).outcome, 'cut');
        }
      }
      assert.equal(forwarded(stage), before);
      assert.equal((await ask(stage, 'orders')).outcome, '200');
    } finally {
      await stage.close();
    }
  });

  test('a kept connection ends within a second of its certificate being revoked, and drops no request', async () => {
    const stage = await open();
    try {
      const idle = await Connection.open(stage, shows('revoked'));
      const busy = await Connection.open(stage, shows('orders'));
      assert.ok(idle !== undefined && busy !== undefined);
      assert.equal(await idle.ask(), '200');
      let isOver = false;
      const asking = (async () => {
        // Until it is told to go, every request is answered.
        for (;;) {
          assert.equal(await busy.ask(), '200');
          if (values(busy.answer ?? assert.fail(), 'connection').includes('close')) break;
          await new Promise((resolve) => setImmediate(resolve));
        }
        isOver = true;
      })();
      await reload(stage, { 'a.crl': LISTS.revoking }, async () => isOver);
      await asking;
      await idle.ended();
      assert.equal(await idle.ask(), 'cut');
      assert.equal((await ask(stage, 'orders')).outcome, '200');
    } finally {
      await stage.close();
    }
  });

  test('another authority: whom it signed is let in, whom the first signed no longer', async () => {
    const stage = await Stage.open(behind({}, BY_NAME));
    try {
      const kept = await Connection.open(stage, shows('orders'));
      assert.equal(await kept?.ask(), '200');
      assert.equal((await ask(stage, 'stranger')).outcome, 'cut');
      await reload(stage, { 'ca.crt': NAMESAKE }, refuses(stage, 'orders'));
      for (const servername of ['localhost', 'other.test']) {
        const options = { servername, checkServerIdentity: () => undefined };
        assert.equal((await ask(stage, 'orders', options)).outcome, 'cut');
        assert.equal((await ask(stage, 'stranger', options)).outcome, '200');
      }
      await kept?.ended();
    } finally {
      await stage.close();
    }
  });

  test('a certificate of the gateway’s own changes without a kept connection noticing', async () => {
    const stage = await open();
    try {
      const kept = await Connection.open(stage, shows('orders'));
      assert.equal(await kept?.ask(), '200');
      const shown = async (): Promise<string | undefined> => {
        const connection = await Connection.open(stage, {
          ...shows('orders'),
          checkServerIdentity: () => undefined,
        });
        const name = connection?.socket.getPeerX509Certificate()?.subject;
        connection?.socket.destroy();
        return name;
      };
      assert.equal(await shown(), 'CN=local');
      await reload(
        stage,
        { 'local.crt': OTHER.cert, 'local.key': OTHER.key },
        async () => (await shown()) === 'CN=other',
      );
      assert.equal(await kept?.ask(), '200');
      assert.ok(!values(kept?.answer ?? assert.fail(), 'connection').includes('close'));
      kept?.socket.destroy();
    } finally {
      await stage.close();
    }
  });

  for (const [before, clients] of [
    ['asked for', { clientAuth: 'optional' }],
    ['not asked for', { clientCa: undefined }],
  ] as const) {
    test(`${before} before, certificates are required of everybody, kept connections included`, async () => {
      const stage = await Stage.open(behind(clients, []));
      try {
        const kept = await Connection.open(stage, {});
        assert.equal(await kept?.ask(), '200');
        const document = JSON.parse(await readFile(stage.gateway.configFile, 'utf8'));
        document.listeners[0].tls.clientCa = 'file:./ca.crt';
        document.listeners[0].tls.clientAuth = 'required';
        const nobody = async () => (await ask(stage, undefined)).outcome === 'cut';
        await reload(stage, { 'gateway.json': JSON.stringify(document) }, nobody);
        await kept?.ended();
        assert.equal((await ask(stage, 'orders')).outcome, '200');
      } finally {
        await stage.close();
      }
    });
  }
});
