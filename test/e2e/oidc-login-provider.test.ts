/** The policy `oidc-login` with a real provider over real sockets, in every way a client can prove itself there. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import type { ResourceWorld } from '../../src/contract/index.ts';
import { createSystemRandom, systemClock } from '../../src/lib/system.ts';
import { createNetwork, ResourcePool } from '../../src/outbound/index.ts';
import { oidcLogin } from '../../src/policies/oidc-login/policy.ts';
import type { OidcLoginConfig } from '../../src/policies/oidc-login/schema.ts';
import { createLocalCounters } from '../../src/state/index.ts';
import { AUTHORITY } from '../fixtures/certificates.ts';
import { Browser, Worker } from '../fixtures/login-stage.ts';
import { CLIENT, OidcServer, type OidcServerOptions } from '../fixtures/oidc-provider.ts';
import { signInAt } from '../fixtures/oidc-user.ts';
import { compileDeps } from '../fixtures/policy-context.ts';

const ORIGIN = 'https://app.test';
const REDIRECT = `${ORIGIN}/.sallyport/callback`;

const KEYS = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  ed25519: generateKeyPairSync('ed25519'),
} as const;
type KeyName = keyof typeof KEYS;
type KeyAlg = 'RS256' | 'ES256' | 'ES384' | 'Ed25519';

const pemOf = (name: KeyName): string =>
  KEYS[name].privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** A client that proves itself with a key: what the provider knows of it. */
function keyedClient(name: KeyName, alg: KeyAlg): OidcServerOptions {
  const { kty = '', ...members } = KEYS[name].publicKey.export({ format: 'jwk' });
  const jwk = { kty, ...members, kid: name, alg, use: 'sig' };
  const metadata = {
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: alg,
    jwks: { keys: [jwk] },
  } as const;
  return { client: metadata, more: { enabledJWA: { clientAuthSigningAlgValues: [alg] } } };
}

interface Case {
  readonly name: string;
  readonly server: OidcServerOptions;
  readonly config?: Partial<OidcLoginConfig>;
}

const keyed = (name: KeyName, alg: KeyAlg): Case => ({
  name: `private_key_jwt with ${alg}`,
  server: keyedClient(name, alg),
  config: { clientKey: `env:KEY_${name}`, clientKeyId: name },
});

const CASES: readonly Case[] = [
  { name: 'client_secret_basic', server: {}, config: { clientSecret: 'env:SECRET' } },
  {
    name: 'a provider with a path, over TLS of its own authority',
    server: { tls: true, path: '/realms/main' },
    config: { clientSecret: 'env:SECRET', ca: 'file:ca.pem' },
  },
  { name: 'ID tokens signed with ES256', server: { alg: 'ES256' }, config: { clientSecret: 'env:SECRET' } },
  {
    name: 'client_secret_post',
    server: { client: { token_endpoint_auth_method: 'client_secret_post' } },
    config: { clientSecret: 'env:SECRET', clientAuth: 'client-secret-post' },
  },
  {
    name: 'a public client',
    server: {
      client: { token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'] },
    },
    config: { clientAuth: 'none' },
  },
  keyed('rsa', 'RS256'),
  keyed('p256', 'ES256'),
  keyed('p384', 'ES384'),
  keyed('ed25519', 'Ed25519'),
  {
    name: 'claims of the userinfo endpoint alone',
    server: { more: { conformIdTokenClaims: true } },
    config: {
      clientSecret: 'env:SECRET',
      userinfo: true,
      scopes: ['openid', 'email', 'groups'],
      claims: { consumer: 'email' },
    },
  },
];

const SECRETS = {
  'env:SECRET': CLIENT.secret,
  'env:SESSION': 's'.repeat(32),
  ...Object.fromEntries(
    (['rsa', 'p256', 'p384', 'ed25519'] as const).map((name) => [`env:KEY_${name}`, pemOf(name)]),
  ),
};

async function workerFor(server: OidcServer, config: Partial<OidcLoginConfig>): Promise<Worker> {
  const world: ResourceWorld = {
    network: createNetwork(),
    clock: systemClock,
    random: createSystemRandom(),
    log: { info: () => {}, warn: () => {}, error: () => {} },
    schedule: () => () => {},
  };
  const resources = new ResourcePool(world);
  const policy = await oidcLogin.compile(
    {
      issuer: server.issuer,
      publicUrl: ORIGIN,
      clientId: CLIENT.id,
      session: { secrets: ['env:SESSION'] },
      ...config,
    },
    compileDeps({ secrets: SECRETS, files: { 'ca.pem': AUTHORITY }, more: { resources } }),
  );
  const state = createLocalCounters();
  return new Worker({ state, nowMs: Date.now() }, policy, world, resources);
}

describe('a sign-in at a real provider', () => {
  for (const { name, server: options, config = {} } of CASES)
    it(`works with ${name}`, async (t) => {
      const server = await OidcServer.start({ redirectUris: [REDIRECT], ...options });
      t.after(() => server.stop());
      const worker = await workerFor(server, config);
      const browser = new Browser();
      const sent = await browser.open(worker, '/orders');
      assert.equal(sent.told, '302', sent.reason);
      const back = await signInAt(server, sent.location, 'ann');
      assert.equal(back.origin + back.pathname, REDIRECT);
      const query = back.search.slice(1);
      assert.ok(new URLSearchParams(query).has('iss'), 'the provider names itself');
      const done = await browser.open(worker, '/.sallyport/callback', { query });
      assert.deepEqual([done.told, done.location], ['303', `${ORIGIN}/orders`], done.reason);
      const { identity } = await browser.open(worker, '/orders');
      assert.equal(identity?.consumer, config.userinfo === true ? 'ann@example.test' : 'ann');
      if (config.userinfo === true) assert.deepEqual(identity.groups, ['staff', 'ann']);
      await worker.policy.dispose?.();
    });

  it('fails where the provider knows another secret, and says so in the record', async (t) => {
    const server = await OidcServer.start({ redirectUris: [REDIRECT] });
    t.after(() => server.stop());
    const worker = await workerFor(server, { clientSecret: 'env:SESSION' });
    const browser = new Browser();
    const sent = await browser.open(worker, '/');
    const back = await signInAt(server, sent.location, 'ann');
    const failed = await browser.open(worker, '/.sallyport/callback', { query: back.search.slice(1) });
    assert.equal(failed.told, 'identity-unavailable');
    assert.match(failed.reason, /refuses this client|401/);
    await worker.policy.dispose?.();
  });

  it('is refused by the provider for an address that is not registered', async (t) => {
    const server = await OidcServer.start({ redirectUris: ['https://app.test/other'] });
    t.after(() => server.stop());
    const worker = await workerFor(server, { clientSecret: 'env:SECRET' });
    const sent = await new Browser().open(worker, '/');
    await assert.rejects(signInAt(server, sent.location, 'ann'), /redirect_uri/);
    await worker.policy.dispose?.();
  });
});
