import assert from 'node:assert/strict';
import { randomUUID, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as secureRequest } from 'node:https';
import { after, before, describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { AUTHORITY, LOCAL, OTHER } from '../fixtures/certificates.ts';
import { type Document, freePort, type Gateway, proxyDocument, startGateway } from '../fixtures/gateway.ts';
import { OidcServer, type OidcServerOptions, OPAQUE, ORDERS } from '../fixtures/oidc-provider.ts';
import { eventually } from '../fixtures/process.ts';
import { values } from '../fixtures/raw-client.ts';
import { RawUpstream } from '../fixtures/raw-upstream.ts';
import { proofOf, tokenHash, tokenKey } from '../fixtures/tokens.ts';

/** The program before a real authorization server. */

const FILES = {
  'ca.crt': AUTHORITY,
  'local.crt': LOCAL.cert,
  'local.key': LOCAL.key,
};

interface World {
  readonly server: OidcServer;
  readonly gateway: Gateway;
  readonly upstream: RawUpstream;
  ask(token: string | undefined, more?: Readonly<Record<string, string>>): Promise<Response>;
  status(token: string): Promise<number>;
  close(): Promise<void>;
}

async function open(
  options: OidcServerOptions = {},
  config: Readonly<Record<string, unknown>> = {},
  more: { readonly listener?: Document; readonly policies?: readonly unknown[] } = {},
): Promise<World> {
  const [server, upstream] = [await OidcServer.start(options), await RawUpstream.start()];
  const jwt = { issuer: server.issuer, audience: ORDERS, ...config };
  const document = proxyDocument({
    port: await freePort(),
    upstream: upstream.url,
    policies: [...(more.policies ?? []), { jwt }],
    ...(more.listener === undefined ? {} : { listener: more.listener }),
  });
  const leave = async () => {
    await upstream.stop();
    await server.stop();
  };
  let gateway: Gateway;
  try {
    gateway = await startGateway(document, { files: FILES, workers: 2 });
  } catch (error) {
    await leave();
    throw error;
  }
  const ask = (token: string | undefined, headers: Readonly<Record<string, string>> = {}) =>
    fetch(`http://127.0.0.1:${gateway.port}/orders`, {
      headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...headers },
    });
  return {
    server,
    gateway,
    upstream,
    ask,
    status: async (token) => (await ask(token)).status,
    close: async () => {
      await gateway.stop();
      await leave();
    },
  };
}

const ISSUERS: readonly (readonly [
  name: string,
  options: OidcServerOptions,
  config?: Readonly<Record<string, unknown>>,
])[] = [
  ['RS256', {}],
  ['ES256, over TLS, with a path', { alg: 'ES256', tls: true, path: '/tenants/a' }, { ca: 'file:./ca.crt' }],
];

for (const [name, options, config] of ISSUERS) {
  describe(`tokens of an authorization server: ${name}`, () => {
    let world: World;
    before(async () => {
      world = await open(options, config);
    });
    after(() => world.close());

    it('nobody without one is let on', async () => {
      const refused = await world.ask(undefined);
      assert.deepEqual(
        [refused.status, refused.headers.get('www-authenticate')],
        [401, 'Bearer realm="api"'],
      );
      for (const token of ['made-up', await world.server.clientToken({ resource: OPAQUE })])
        assert.equal(await world.status(token), 401);
    });

    it('a token for another audience is refused, though the server issued it', async () => {
      assert.equal(await world.status(await world.server.sign({ sub: 'ann', aud: OPAQUE })), 401);
      assert.equal(await world.status(await world.server.sign({ sub: 'ann', aud: [OPAQUE, ORDERS] })), 200);
    });

    it('the upstream learns who calls', async () => {
      assert.equal(await world.status(await world.server.clientToken()), 200);
      assert.equal(await world.status(await world.server.userToken('ann')), 200);
      const told = world.upstream.connections
        .flatMap(({ requests }) => requests)
        .map((request) =>
          ['x-consumer-username', 'x-consumer-groups'].map((name) => values(request, name).join()),
        );
      for (const expected of [
        ['app', ''],
        ['ann', 'staff, ann'],
      ])
        assert.ok(
          told.some((one) => isDeepStrictEqual(one, expected)),
          JSON.stringify(told),
        );
    });
  });
}

describe('keys of an authorization server', () => {
  it('may be rotated while requests come', async () => {
    const world = await open({}, { cache: { cooldown: '1ms' } });
    try {
      const first = await world.server.clientToken();
      assert.equal(await world.status(first), 200);
      await world.server.rotateKeys('keep');
      assert.equal(await world.status(await world.server.clientToken()), 200);
      assert.equal(await world.status(first), 200);
      await world.server.rotateKeys('drop');
      const last = await world.server.clientToken();
      assert.equal(await world.status(last), 200);
      // Each worker has keys of its own, and knows of the new ones once it is asked.
      await eventually(async () => (await world.status(last)) === 200 && (await world.status(first)) === 401);
    } finally {
      await world.close();
    }
  });

  it('serve while it is away, and new ones are found when it is back', async () => {
    const world = await open({}, { cache: { cooldown: '1ms', refresh: '100ms' } });
    try {
      const [seen, unseen] = [await world.server.clientToken(), await world.server.clientToken()];
      assert.equal(await world.status(seen), 200);
      await world.server.stop();
      await eventually(async () => world.gateway.output.includes('issuer-keys-unavailable'));
      for (const token of [seen, unseen]) assert.equal(await world.status(token), 200);
      await world.server.rotateKeys();
      await world.server.start();
      const next = await world.server.clientToken();
      await eventually(async () => (await world.status(next)) === 200 && (await world.status(seen)) === 401);
    } finally {
      await world.close();
    }
  });
});

describe('tokens that an authorization server bound to a key', () => {
  const caller = tokenKey('ES256');
  const proof = (htm: string, htu: string, token?: string) =>
    proofOf(caller, {
      jti: randomUUID(),
      htm,
      htu,
      iat: Math.floor(Date.now() / 1000),
      ...(token === undefined ? {} : { ath: tokenHash(token) }),
    });

  it('need a proof for each request', async () => {
    const world = await open({}, { dpop: 'optional' });
    try {
      const token = await world.server.clientToken({ dpop: proof('POST', `${world.server.issuer}/token`) });
      const url = `http://127.0.0.1:${world.gateway.port}/orders`;
      const send = async (dpop: string) =>
        (await world.ask(undefined, { authorization: `DPoP ${token}`, dpop })).status;
      assert.equal(await world.status(token), 401, 'it is no bearer token');
      assert.equal(await send(proof('POST', url, token)), 401);
      const once_ = proof('GET', url, token);
      assert.equal(await send(once_), 200);
      assert.equal(await send(once_), 401);
      assert.equal(await send(proof('GET', url, token)), 200);
      assert.equal(await world.status(await world.server.clientToken()), 200);
    } finally {
      await world.close();
    }
  });
});

describe('tokens that are bound to a certificate', () => {
  it('need that very certificate', async () => {
    const tls = {
      certificates: [{ cert: 'file:./local.crt', key: 'file:./local.key' }],
      clientCa: 'file:./ca.crt',
      clientAuth: 'optional',
    };
    const world = await open({}, { mtls: 'required' }, { listener: { tls } });
    const status = async (token: string, client: { readonly cert?: string; readonly key?: string }) => {
      const asked = secureRequest({
        ...{ host: '127.0.0.1', servername: 'localhost', port: world.gateway.port, path: '/', agent: false },
        ...{ ca: AUTHORITY, headers: { authorization: `Bearer ${token}` } },
        ...client,
      });
      asked.end();
      const [answer]: IncomingMessage[] = await once(asked, 'response');
      answer.resume();
      return answer.statusCode;
    };
    try {
      const der = new X509Certificate(LOCAL.cert).fingerprint256.replaceAll(':', '');
      const thumbprint = Buffer.from(der, 'hex').toString('base64url');
      const bound = await world.server.sign({ sub: 'ann', aud: ORDERS, cnf: { 'x5t#S256': thumbprint } });
      assert.equal(await status(bound, {}), 401);
      assert.equal(await status(bound, OTHER), 401);
      assert.equal(await status(await world.server.clientToken(), LOCAL), 401);
      assert.equal(await status(bound, LOCAL), 200);
    } finally {
      await world.close();
    }
  });
});

describe('a client that knows nothing but the resource', () => {
  it('finds the authorization server, and gets in', async () => {
    const port = await freePort();
    const issuer = `http://127.0.0.1:${port}`;
    const metadataUrl = (at: number) => `http://127.0.0.1:${at}/.well-known/oauth-protected-resource/orders`;
    const metadata = { resource: ORDERS, authorizationServers: [issuer], scopes: ['orders.read'] };
    const world = await open(
      { port },
      {
        scopes: ['orders.read'],
        resourceMetadata: 'http://gateway.test/.well-known/oauth-protected-resource/orders',
      },
      { policies: [{ 'resource-metadata': metadata }] },
    );
    try {
      const refused = await world.ask(undefined);
      assert.match(
        refused.headers.get('www-authenticate') ?? '',
        /resource_metadata="http:\/\/gateway\.test\//,
      );
      const found = await fetch(metadataUrl(world.gateway.port), { headers: { origin: 'https://app.test' } });
      assert.equal(found.headers.get('access-control-allow-origin'), '*');
      const told = await found.json();
      assert.ok(typeof told === 'object' && told !== null && 'authorization_servers' in told);
      assert.deepEqual(told.authorization_servers, [world.server.issuer]);
      assert.equal(await world.status(await world.server.clientToken()), 200);
      const narrow = await world.ask(await world.server.clientToken({ scope: 'orders.write' }));
      assert.equal(narrow.status, 403);
      assert.match(narrow.headers.get('www-authenticate') ?? '', /error="insufficient_scope"/);
      const { url, method } = { url: metadataUrl(world.gateway.port), method: 'DELETE' };
      assert.equal((await fetch(url, { method })).status, 405);
      const head = await fetch(url, { method: 'HEAD' });
      assert.deepEqual([head.status, await head.text()], [200, '']);
    } finally {
      await world.close();
    }
  });
});
