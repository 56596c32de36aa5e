import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LOCAL } from '../fixtures/certificates.ts';
import { CLIENT_KEY, CLIENTS, INNER, LISTS } from '../fixtures/client-certificates.ts';
import { values } from '../fixtures/raw-client.ts';
import {
  ask,
  BY_NAME,
  behind,
  type Client,
  Connection,
  FILES,
  forwarded,
  GET,
  lastSubject,
  shows,
} from './certified.ts';
import { Stage } from './stage.ts';

/** Item 22: who proves to be whom by a certificate. Where the chain is wrong the handshake fails: nothing is answered. */

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
