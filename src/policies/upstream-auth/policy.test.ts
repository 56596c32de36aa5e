import assert from 'node:assert/strict';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { before, describe, it } from 'node:test';
import { jwtVerify } from 'jose';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import { compileDeps, identity, policyContext } from '../../../test/fixtures/policy-context.ts';
import { FakeWorld } from '../../../test/fixtures/resource-world.ts';
import type { Decision, Identity, Policy } from '../../contract/index.ts';
import { ConfigError, NetworkError } from '../../errors.ts';
import { HeaderList } from '../../lib/header-list.ts';
import { ResourcePool } from '../../outbound/index.ts';
import { upstreamAuth } from './policy.ts';
import type { SignedTokenConfig, UpstreamAuthConfig } from './schema.ts';

runPolicyCases(upstreamAuth, new URL('cases.json', import.meta.url));

const pem = (pair: ReturnType<typeof generateKeyPairSync>): string =>
  String(pair.privateKey.export({ type: 'pkcs8', format: 'pem' }));
const EC = pem(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }));

function compile(
  config: UpstreamAuthConfig,
  secrets: Record<string, string> = {},
  world?: FakeWorld,
): Policy {
  const more = world === undefined ? {} : { resources: new ResourcePool(world) };
  const policy = upstreamAuth.compile(config, compileDeps({ secrets, more }));
  assert.ok(!(policy instanceof Promise));
  return policy;
}

async function put(policy: Policy, who?: Identity, nowMs?: number) {
  const context = policyContext({ identity: who, ...(nowMs === undefined ? {} : { nowMs }) });
  const decision = await policy.request?.(context);
  assert.ok(decision);
  const value = context.recorded.find(([call]) => call === 'setRequestHeader')?.[2];
  return { decision, value, context };
}

const codeOf = (decision: Decision) => (decision.kind === 'reject' ? decision.error.code : decision.kind);

const OAUTH: UpstreamAuthConfig = {
  oauth2: { tokenUrl: 'https://login.test/token', clientId: 'gw', clientSecret: 'env:S' },
};
const SECRET = { 'env:S': 'top-secret' };
const issued = (token: string): string =>
  JSON.stringify({ access_token: token, token_type: 'bearer', expires_in: 100 });

describe('upstream-auth with client credentials', () => {
  before(() => import('oauth4webapi'));

  it('refuses while there is no token: nothing goes on bare, or with what the client said', async () => {
    const world = new FakeWorld(() => new NetworkError('unreachable', 'login.test cannot be reached'));
    const { decision, context } = await put(compile(OAUTH, SECRET, world));
    assert.ok(decision.kind === 'reject');
    assert.equal(decision.error.code, 'identity-unavailable');
    assert.equal(decision.error.status, 503);
    assert.deepEqual(context.recorded, [['removeRequestHeader', 'authorization']]);
    assert.doesNotMatch(JSON.stringify(decision), /top-secret/);
  });

  it('waits for the first token, and is synchronous from then on', async () => {
    const world = new FakeWorld(() => issued('t1'));
    const policy = compile(OAUTH, SECRET, world);
    assert.equal((await put(policy)).value, 'Bearer t1');
    const context = policyContext();
    assert.ok(!(policy.request?.(context) instanceof Promise));
    assert.equal(world.requests.length, 1);
  });

  it('shares a token between attachments that ask for the same, and with nobody else', async () => {
    const world = new FakeWorld(() => issued('t1'));
    const resources = new ResourcePool(world);
    const held = (config: UpstreamAuthConfig, secrets: Record<string, string>) =>
      upstreamAuth.compile(config, compileDeps({ secrets, more: { resources } }));
    const same = [await held(OAUTH, SECRET), await held(OAUTH, SECRET)];
    assert.equal(resources.size, 1);
    const others = [
      await held(OAUTH, { 'env:S': 'another' }),
      await held({ oauth2: { ...oauth(), clientId: 'other' } }, SECRET),
      await held({ oauth2: { ...oauth(), scopes: ['a'] } }, SECRET),
    ];
    assert.equal(resources.size, 4);
    await Promise.all([...same, ...others].map((policy) => policy.dispose?.()));
    assert.equal(resources.size, 0);
  });

  it('asks for another token where the upstream takes this one no more', async () => {
    let n = 0;
    const world = new FakeWorld(() => issued(`t${++n}`));
    const policy = compile(OAUTH, SECRET, world);
    await put(policy);
    await world.pass(31_000);
    const answered = (status: number, shadow = false) =>
      policy.response?.(policyContext({ shadow }), { status, headers: new HeaderList() });
    assert.equal((await answered(401, true))?.kind, 'continue', 'in shadow it was not shown to the upstream');
    assert.equal((await answered(403))?.kind, 'continue');
    assert.equal(world.requests.length, 1);
    assert.equal((await answered(401))?.kind, 'continue');
    await world.pass(0);
    assert.equal((await put(policy)).value, 'Bearer t2');
  });

  const oauth = (): NonNullable<UpstreamAuthConfig['oauth2']> => ({
    tokenUrl: 'https://login.test/token',
    clientId: 'gw',
    clientSecret: 'env:S',
  });
});

const SIGNED: SignedTokenConfig = {
  key: 'env:KEY',
  algorithm: 'ES256',
  issuer: 'gateway',
  audience: 'orders',
};
const signing = (more: Partial<SignedTokenConfig> = {}, key = EC): Policy =>
  compile({ jwt: { ...SIGNED, ...more } }, { 'env:KEY': key });
const NOW_MS = Date.UTC(2026, 10, 23);

async function claimsOf(value: string | undefined, key = EC, nowMs = NOW_MS) {
  const token = value?.replace(/^Bearer /, '') ?? '';
  return await jwtVerify(token, createPublicKey(key), { currentDate: new Date(nowMs) });
}

describe('upstream-auth with signed tokens', () => {
  it('refuses whom it cannot name, and what no header can hold', async () => {
    const unnamed = signing({ claims: { sub: 'claim:email' } });
    for (const claims of [{}, { email: '' }, { email: ['a'] }, { email: { a: 1 } }])
      assert.equal(codeOf((await put(unnamed, identity({ claims }))).decision), 'unauthenticated');
    const long = signing({ claims: { more: 'claim:more' } });
    const { decision, value } = await put(long, identity({ claims: { more: 'a'.repeat(20_000) } }));
    assert.equal(codeOf(decision), 'identity-unavailable');
    assert.equal(value, undefined);
    const endless: Record<string, unknown> = {};
    endless.more = endless;
    assert.equal(codeOf((await put(long, identity({ claims: endless }))).decision), 'identity-unavailable');
  });

  it('says who calls, by whom it was found, for whom and how long', async () => {
    const who = identity({
      consumer: 'ann',
      groups: ['staff', 'a, b'],
      claims: { email: 'ann@x.test', n: { m: 7 } },
    });
    const policy = signing({
      keyId: 'k1',
      lifetime: '90s',
      claims: {
        groups: 'groups',
        email: 'claim:email',
        deep: 'claim:/n/m',
        role: 'text:caller',
        id: 'consumerId',
      },
    });
    const { payload, protectedHeader } = await claimsOf((await put(policy, who, NOW_MS + 999)).value);
    const iat = NOW_MS / 1000;
    assert.deepEqual(protectedHeader, { alg: 'ES256', typ: 'JWT', kid: 'k1' });
    assert.deepEqual(payload, {
      sub: 'ann',
      groups: ['staff', 'a, b'],
      email: 'ann@x.test',
      deep: 7,
      role: 'caller',
      iss: 'gateway',
      aud: 'orders',
      iat,
      exp: iat + 90,
    });
  });

  const keys: readonly (readonly [algorithm: SignedTokenConfig['algorithm'], key: string])[] = [
    ['EdDSA', pem(generateKeyPairSync('ed25519'))],
    ['Ed25519', pem(generateKeyPairSync('ed25519'))],
    ['ES384', pem(generateKeyPairSync('ec', { namedCurve: 'secp384r1' }))],
    ['RS256', pem(generateKeyPairSync('rsa', { modulusLength: 2048 }))],
    ['PS512', pem(generateKeyPairSync('rsa', { modulusLength: 2048 }))],
  ];
  for (const [algorithm, key] of keys) {
    it(`signs with ${algorithm}`, async () => {
      const { value } = await put(signing({ algorithm }, key), identity());
      assert.equal((await claimsOf(value, key)).protectedHeader.alg, algorithm);
    });
  }

  it('in a header of its own, without a scheme, beside the client’s Authorization', async () => {
    const policy = compile({ jwt: { ...SIGNED, header: 'X-Caller' }, strip: [] }, { 'env:KEY': EC });
    const { value, context } = await put(policy, identity());
    assert.deepEqual(context.recorded[0], ['removeRequestHeader', 'x-caller']);
    assert.equal(context.recorded.length, 2);
    await claimsOf(value);
    assert.doesNotMatch(value ?? '', /Bearer/);
  });

  it('signs once for all that is the same, and is synchronous from then on', async () => {
    const policy = signing();
    const both = await Promise.all([put(policy, identity()), put(policy, identity())]);
    assert.equal(both[0].value, both[1].value);
    const context = policyContext({ identity: identity() });
    assert.ok(!(policy.request?.(context) instanceof Promise));
    assert.equal(context.recorded[1][2], both[0].value);
  });

  it('never gives one caller another’s token', async () => {
    const policy = signing({ claims: { groups: 'groups', scopes: 'scopes' } });
    const callers = [
      identity({ consumer: 'ann' }),
      identity({ consumer: 'ben' }),
      identity({ consumer: 'ann', groups: ['admins'] }),
      identity({ consumer: 'ann', scopes: ['admins'] }),
      identity({ consumer: 'ann","groups":["admins"],"x":"' }),
    ];
    for (const _ of [1, 2]) {
      for (const who of callers) {
        const { payload } = await claimsOf((await put(policy, who)).value);
        assert.deepEqual(
          [payload.sub, payload.groups, payload.scopes],
          [who.consumer, who.groups, who.scopes],
        );
      }
    }
  });

  it('signs anew before the end, and where the clock was set back', async () => {
    const policy = signing({ lifetime: '100s' });
    const at = async (ms: number) => (await put(policy, identity(), NOW_MS + ms)).value;
    const first = await at(0);
    assert.equal(await at(79_999), first);
    const second = await at(80_000);
    assert.notEqual(second, first);
    const back = await at(-1000);
    assert.notEqual(back, second);
    const { payload } = await claimsOf(back, EC, NOW_MS - 1000);
    assert.equal(payload.iat, NOW_MS / 1000 - 1);
  });

  it('needs a caller only where it says something of one', () => {
    const { needs } = upstreamAuth;
    assert.ok(typeof needs === 'function');
    assert.deepEqual(needs({ jwt: SIGNED }), ['identity']);
    assert.deepEqual(needs({ jwt: { ...SIGNED, claims: { sub: 'text:gateway' } } }), []);
    assert.deepEqual(needs({ bearer: { token: 'env:T' } }), []);
  });

  it('for the gateway itself signs without a caller', async () => {
    const policy = signing({ claims: { sub: 'text:gateway' } });
    assert.equal((await claimsOf((await put(policy)).value)).payload.sub, 'gateway');
  });
});

describe('upstream-auth tells no secret', () => {
  it('in a fault of its config', () => {
    const secrets = { 'env:S': 'top-secret é' };
    const configs: readonly UpstreamAuthConfig[] = [
      { bearer: { token: 'env:S' } },
      { apiKey: { secret: 'env:S' } },
      { jwt: { ...SIGNED, key: 'env:S' } },
    ];
    for (const config of configs) {
      assert.throws(
        () => compile(config, secrets),
        (error) => error instanceof ConfigError && !JSON.stringify(error.issues).includes('top-secret'),
      );
    }
  });
});
