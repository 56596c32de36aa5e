import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { CLIENT, OidcServer, OPAQUE } from '../../../test/fixtures/oidc-provider.ts';
import { compileDeps, policyContext } from '../../../test/fixtures/policy-context.ts';
import { proofOf, tokenKey } from '../../../test/fixtures/tokens.ts';
import { PolicyFailure } from '../../errors.ts';
import { createNetwork } from '../../outbound/index.ts';
import { oauth2Introspection } from './policy.ts';
import type { IntrospectionConfig } from './schema.ts';

/** Against oidc-provider: what a real authorization server says of tokens of every kind. */
describe('oauth2-introspection and a real authorization server', () => {
  const network = createNetwork();
  let server: OidcServer;
  before(async () => {
    server = await OidcServer.start();
  });
  after(() => server.stop());

  function compile(more: Partial<IntrospectionConfig> = {}) {
    const config = {
      issuer: server.issuer,
      clientId: CLIENT.id,
      clientSecret: 'env:S',
      audience: OPAQUE,
      cache: { ttl: '0s' },
      ...more,
    };
    const deps = compileDeps({ secrets: { 'env:S': CLIENT.secret } });
    return oauth2Introspection.compile(config, deps);
  }

  async function ask(token: string, more: Partial<IntrospectionConfig> = {}) {
    const context = policyContext({
      headers: { authorization: `Bearer ${token}` },
      network,
      nowMs: Date.now(),
    });
    const policy = await compile(more);
    const decision = await policy.request?.(context);
    const { identity } = context.facts;
    return { code: decision?.kind === 'reject' ? decision.error.code : decision?.kind, identity };
  }

  it('a refresh token is no access token, though it is active', async () => {
    const refresh = await server.refreshToken('ann', OPAQUE);
    const form = new URLSearchParams({ token: refresh });
    const said = JSON.stringify(await (await server.post('/token/introspection', form)).json());
    assert.match(said, /"active":true/);
    assert.equal((await ask(refresh, { audience: 'any' })).code, 'invalid-credential');
  });

  it('a token that is bound to a key is refused without its proof', async () => {
    const claims = {
      htm: 'POST',
      htu: `${server.issuer}/token`,
      jti: 'j1',
      iat: Math.floor(Date.now() / 1000),
    };
    const bound = await server.clientToken({ resource: OPAQUE, dpop: proofOf(tokenKey(), claims) });
    assert.equal((await ask(bound)).code, 'invalid-credential');
    assert.equal((await ask(bound, { types: ['DPoP'] })).code, 'invalid-credential');
  });

  it('a token for another resource, a revoked and a made-up one are refused', async () => {
    const token = await server.clientToken({ resource: OPAQUE });
    assert.equal((await ask(token, { audience: 'billing' })).code, 'invalid-credential');
    assert.equal((await ask(token)).code, 'continue');
    await server.post('/token/revocation', new URLSearchParams({ token }));
    assert.equal((await ask(token)).code, 'invalid-credential');
    assert.equal((await ask('made-up')).code, 'invalid-credential');
  });

  it('a client’s and a user’s token name their callers', async () => {
    const client = await ask(
      await server.clientToken({ resource: OPAQUE, scope: 'orders.read orders.write' }),
    );
    assert.equal(client.identity?.consumer, CLIENT.id);
    assert.deepEqual(client.identity?.scopes, ['orders.read', 'orders.write']);
    const user = await ask(await server.userToken('ann', { resource: OPAQUE }));
    assert.equal(user.identity?.consumer, 'ann');
    assert.equal(user.identity?.claims.client_id, CLIENT.id);
  });

  it('nobody is let on while it is away, or while it does not know the gateway; then all goes on', async () => {
    const token = await server.clientToken({ resource: OPAQUE });
    await server.stop();
    await assert.rejects(ask(token), (error) => error instanceof PolicyFailure);
    await server.start();
    assert.equal((await ask(token)).code, 'continue');
    await assert.rejects(
      ask(token, { clientId: 'nobody' }),
      (error) => error instanceof PolicyFailure && /401/.test(error.message),
    );
  });
});
