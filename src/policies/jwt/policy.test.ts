import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  ask,
  bearer,
  type Changes,
  CLAIMS,
  compileJwtPolicy,
  ISSUER,
  NOW_S,
  rsa,
  SECRET,
  token,
  told,
  withoutClaim,
} from '../../../test/fixtures/jwt.ts';
import { runPolicyCases } from '../../../test/fixtures/policy-cases.ts';
import {
  type ContextOptions,
  DEFAULT_NOW_MS,
  type DepsOptions,
  policyContext,
} from '../../../test/fixtures/policy-context.ts';
import { mint, mintSecret, thumbprint, tokenKey } from '../../../test/fixtures/tokens.ts';
import type { Decision, Policy, Revocations } from '../../contract/index.ts';
import { PolicyFailure } from '../../errors.ts';
import { jwt } from './policy.ts';

runPolicyCases(jwt, new URL('cases.json', import.meta.url));

const caller = tokenKey('EdDSA', 'caller');

describe('jwt refuses', () => {
  const table: readonly (readonly [
    name: string,
    presented: string,
    reason: RegExp,
    config?: Changes,
    more?: ContextOptions,
  ])[] = [
    ['a token of another issuer', token({ iss: 'https://evil.test' }), /another issuer/],
    ['a token of an issuer with another slash', token({ iss: `${ISSUER}/` }), /another issuer/],
    ['a token of no issuer', withoutClaim('iss'), /another issuer/],
    ['a token of several issuers', token({ iss: [ISSUER] }), /another issuer/],
    ['a token of another type', token({}, { typ: 'logout+jwt' }), /type/],
    ['a proof in place of a token', token({}, { typ: 'dpop+jwt' }), /type/],
    ['a token of a type that is not listed', token({}, { typ: 'JWT' }), /type/, { types: ['at+jwt'] }],
    ['a token without a type where one is asked for', token(), /type/, { types: ['at+jwt'] }],
    ['a token for another audience', token({ aud: 'billing' }), /audience/],
    ['a token without an audience', withoutClaim('aud'), /audience/],
    ['a token that has expired', token({ exp: NOW_S - 30 }), /expired/],
    [
      'a token that has expired, by its own clock',
      token({ exp: NOW_S }),
      /expired/,
      { clockTolerance: '0s' },
    ],
    ['a token that is not good yet', token({ nbf: NOW_S + 31 }), /not good yet/],
    ['a token of the future', token({ iat: NOW_S + 31 }), /not good yet/],
    ['a token that never expires', withoutClaim('exp'), /never expires/],
    ['a token that is too old', token({ iat: NOW_S - 3631 }), /expired/, { maxAge: '1h' }],
    ['a token without a claim it must have', token(), /"tenant"/, { requiredClaims: ['tenant'] }],
    ['a token of another key', mint(tokenKey('ES256', 'k1'), CLAIMS), /signature/],
    ['a token of an unknown key', token({}, { kid: 'k2' }), /no key/],
    ['a token whose signature is cut', token().slice(0, -2), /signature/],
    [
      'an algorithm that is not allowed',
      mint(rsa, CLAIMS),
      /algorithm/,
      { keys: [{ file: 'set.json' }], algorithms: ['ES256'] },
    ],
    ['a token that names nobody', withoutClaim('sub'), /names the consumer/],
    ['a token bound to a key', token({ cnf: { jkt: thumbprint(caller) } }), /proofs are not taken/],
    ['a token bound in an unknown way', token({ cnf: { kid: 'x' } }), /not known here/],
    [
      'a token bound in one way that is unknown',
      token({ cnf: { jkt: thumbprint(caller), jwe: 'x' } }),
      /not known here/,
    ],
    ['a token bound to nothing that it says', token({ cnf: {} }), /empty/],
    ['a token bound to no object', token({ cnf: thumbprint(caller) }), /no object/],
    ['a token bound to no thumbprint', token({ cnf: { jkt: 'x' } }), /thumbprint/],
    [
      'a token bound to a certificate, without one',
      token({ cnf: { 'x5t#S256': 'c'.repeat(43) } }),
      /none was presented/,
    ],
    [
      'a token without a certificate where one is asked for',
      token(),
      /bound to no certificate/,
      { mtls: 'required' },
    ],
    ['a token that is too long', token({ filler: 'f'.repeat(8000) }), /longer/],
    ['a token of two spellings', `${token()}=`, /base64url/],
    ['what is no token', 'secret-value-1', /parts/],
    ['an undeclared consumer where one is asked for', token(), /declared/, { claims: { declared: true } }],
  ];
  for (const [name, presented, reason, config = {}, more = {}] of table) {
    it(name, async () => {
      const c = bearer(presented, more);
      const decision = await ask(await compileJwtPolicy(config), c);
      assert.match(told(decision), /^invalid-credential: /);
      assert.match(told(decision), reason);
      assert.equal(c.facts.identity, undefined);
      assert.deepEqual(c.recorded, []);
      assert.doesNotMatch(JSON.stringify(decision), /secret-value|eyJ/, 'the token is not in what is said');
    });
  }

  it('with one text for all, whatever is wrong', async () => {
    const policy = await compileJwtPolicy();
    const seen = new Set<string>();
    for (const [, presented] of table.slice(0, 4)) {
      const decision = await ask(policy, bearer(presented));
      assert.ok(decision.kind === 'reject');
      const { reason: _, ...public_ } = decision.error;
      seen.add(JSON.stringify(public_));
    }
    assert.equal(seen.size, 1);
  });
});

describe('jwt takes', () => {
  const table: readonly (readonly [name: string, presented: string, config?: Changes])[] = [
    ['a token', token()],
    ['a token for one of several audiences', token({ aud: ['billing', 'orders'] })],
    ['a token for whomever, where that is said', withoutClaim('aud'), { audience: 'any' }],
    ['a token of a type', token({}, { typ: 'AT+jwt' }), { types: ['at+jwt'] }],
    ['a token that just expired', token({ exp: NOW_S - 29 })],
    ['a token that never expires, where that is said', withoutClaim('exp'), { expiry: 'optional' }],
    ['a token by a PEM', mint(rsa, CLAIMS), { keys: [{ file: 'rsa.pem' }] }],
    ['a token by a set', mint(rsa, CLAIMS), { keys: [{ file: 'set.json' }] }],
    ['a token by a set in jwks', token(), { jwks: 'file:set.json', keys: undefined }],
    ['a token of a secret', mintSecret(SECRET, CLAIMS), { keys: [{ secret: 'env:SECRET' }] }],
    [
      'a token whose headers point elsewhere',
      token({}, { jku: 'https://evil.test/', x5u: 'https://evil.test/', jwk: rsa.jwk, x5c: ['x'] }),
    ],
    ['a token of any issuer, where that is said', token({ iss: 'whoever' }), { issuer: 'any' }],
  ];
  for (const [name, presented, config = {}] of table) {
    it(name, async () => {
      const c = bearer(presented);
      assert.equal(told(await ask(await compileJwtPolicy(config), c)), 'continue');
      assert.equal(c.facts.identity?.consumer, 'ann');
    });
  }

  it('tokens of several issuers, each by its own keys', async () => {
    const other = 'https://other.test';
    const policy = await compileJwtPolicy({
      issuer: undefined,
      keys: undefined,
      issuers: [
        { issuer: ISSUER, keys: [{ file: 'key.jwk' }] },
        { issuer: other, keys: [{ file: 'rsa.pem' }] },
      ],
    });
    assert.equal(told(await ask(policy, bearer(token()))), 'continue');
    assert.equal(told(await ask(policy, bearer(mint(rsa, { ...CLAIMS, iss: other })))), 'continue');
    for (const forged of [mint(rsa, CLAIMS), token({ iss: other })])
      assert.equal(told(await ask(policy, bearer(forged))).split(':')[0], 'invalid-credential');
  });
});

describe('what jwt says of who calls', () => {
  it('is what the token says, and the groups of a declared consumer', async () => {
    const known = { ann: { name: 'ann', id: 'id-1', groups: ['staff'] } };
    const c = bearer(token({ scope: 'orders.read orders.write', groups: ['partners'], tenant: 'a' }));
    await ask(await compileJwtPolicy({}, { known }), c);
    const { consumer, consumerId, groups, scopes, credential, claims } = c.facts.identity ?? assert.fail();
    assert.deepEqual([consumer, consumerId, [...groups].sort()], ['ann', 'id-1', ['partners', 'staff']]);
    assert.deepEqual(scopes, ['orders.read', 'orders.write']);
    assert.deepEqual(credential, { id: 'token-1', kind: 'jwt' });
    assert.equal(claims.tenant, 'a');
  });

  it('comes from the claims that the document names', async () => {
    const c = bearer(token({ azp: 'app', realm_access: { roles: ['admin'] } }));
    const mapping = { consumer: 'azp', prefix: 'login:', groups: '/realm_access/roles' };
    await ask(await compileJwtPolicy({ claims: mapping }), c);
    assert.deepEqual([c.facts.identity?.consumer, c.facts.identity?.groups], ['login:app', ['admin']]);
  });

  it('has the scopes that are asked for, or is told which', async () => {
    const policy = await compileJwtPolicy({
      scopes: ['orders.read', 'orders.write'],
      resourceMetadata: 'https://api.test/m',
    });
    assert.equal(told(await ask(policy, bearer(token({ scope: 'orders.write x orders.read' })))), 'continue');
    const decision = await ask(policy, bearer(token({ scp: ['orders.read'] })));
    assert.ok(decision.kind === 'reject');
    assert.deepEqual([decision.error.code, decision.error.status], ['insufficient-scope', 403]);
    assert.deepEqual(decision.error.headers, [
      'WWW-Authenticate',
      'Bearer realm="api", scope="orders.read orders.write", resource_metadata="https://api.test/m", error="insufficient_scope"',
    ]);
    assert.match(decision.error.reason ?? '', /\[orders\.write\]/);
  });
});

describe('a remembered token', () => {
  it('is judged without a promise', async () => {
    const policy = await compileJwtPolicy();
    assert.ok(policy.request?.(bearer(token())) instanceof Promise);
    const presented = token();
    await ask(policy, bearer(presented));
    const c = bearer(presented);
    assert.deepEqual(policy.request?.(c), { kind: 'continue' });
    assert.equal(c.facts.identity?.consumer, 'ann');
  });

  it('is judged each time by the clock', async () => {
    const policy = await compileJwtPolicy();
    const presented = token({ nbf: NOW_S });
    await ask(policy, bearer(presented));
    const at = async (nowMs: number) => told(await ask(policy, bearer(presented, { nowMs })));
    assert.match(await at(DEFAULT_NOW_MS - 31_000), /not good yet/);
    assert.match(await at(DEFAULT_NOW_MS + 330_000), /expired/);
    assert.equal(await at(DEFAULT_NOW_MS + 329_999), 'continue');
  });

  it('is refused once it or its consumer is revoked', async () => {
    const revoked = new Set<string>();
    const revocations: Revocations = {
      hasCredential: () => false,
      hasConsumer: (name) => revoked.has(name),
      hasToken: (issuer, id) => revoked.has(`${issuer} ${id}`),
      version: 0,
    };
    const known: NonNullable<DepsOptions['known']> = {};
    const policy = await compileJwtPolicy({}, { known, more: { revocations } });
    const presented = token();
    const now = async () => told(await ask(policy, bearer(presented)));
    assert.equal(await now(), 'continue');
    revoked.add(`${ISSUER} token-1`);
    assert.match(await now(), /revoked/);
    revoked.clear();
    revoked.add('ann');
    assert.match(await now(), /disabled/);
    revoked.clear();
    Object.assign(known, { ann: 'disabled' });
    assert.match(await now(), /disabled/);
    Object.assign(known, { ann: { name: 'ann', groups: ['late'] } });
    const c = bearer(presented);
    assert.equal(told(await ask(policy, c)), 'continue');
    assert.deepEqual(c.facts.identity?.groups, ['late']);
  });

  it('is bounded in number, and may be none', async () => {
    const presented = [token({ jti: 'a' }), token({ jti: 'b' }), token({ jti: 'c' })];
    const isSync = (policy: Policy, i: number) =>
      !(policy.request?.(bearer(presented[i])) instanceof Promise);
    const few = await compileJwtPolicy({ remember: 2 });
    for (const one of presented) await ask(few, bearer(one));
    assert.deepEqual([isSync(few, 0), isSync(few, 2)], [false, true]);
    const none = await compileJwtPolicy({ remember: 0 });
    await ask(none, bearer(presented[0]));
    assert.equal(isSync(none, 0), false);
  });

  it('stands for no other token', async () => {
    const policy = await compileJwtPolicy();
    const presented = token();
    await ask(policy, bearer(presented));
    const [header, , signature] = presented.split('.');
    const payload = token({ sub: 'root' }).split('.')[1];
    for (const forged of [`${header}.${payload}.${signature}`, `${presented} `, presented.slice(0, -1)])
      assert.notEqual(told(await ask(policy, bearer(forged))), 'continue');
  });
});

describe('guesses', () => {
  const counting = () => {
    const counts = { checked: 0, failed: 0 };
    const guard = {
      check: () => void counts.checked++,
      failed: async () => void counts.failed++,
    };
    return { counts, deps: { more: { guard } } };
  };

  for (const [name, presented, isGuess] of [
    ['a forged token', mint(tokenKey('ES256', 'k1'), CLAIMS), true],
    ['an unsigned token', `${token().split('.').slice(0, 2).join('.')}.`, true],
    ['junk in three parts', 'junk.junk.junk', true],
    // Else who is let on by `oauth2-introspection` behind it, as one of several ways, would end in a ban.
    ['a token of another kind', 'opaque-Token_0123', false],
    ['another algorithm', mintSecret('k', CLAIMS), true],
    ['an expired token', token({ exp: NOW_S - 60 }), false],
    ['a token of another issuer', token({ iss: 'https://other.test' }), false],
    ['a token of a key that is no longer there', token({}, { kid: 'old' }), false],
    ['a good token', token(), false],
  ] as const) {
    it(`${name} ${isGuess ? 'is' : 'is not'} one`, async () => {
      const { counts, deps } = counting();
      await ask(await compileJwtPolicy({}, deps), bearer(presented));
      assert.deepEqual(counts, { checked: 1, failed: isGuess ? 1 : 0 });
    });
  }

  it('are not looked for where nothing is presented', async () => {
    const { counts, deps } = counting();
    const decision = await ask(await compileJwtPolicy({}, deps), policyContext());
    assert.equal(told(decision).split(':')[0], 'unauthenticated');
    assert.deepEqual(counts, { checked: 0, failed: 0 });
  });

  it('too many are refused before a token is looked at', async () => {
    const refusal: Decision = { kind: 'respond', response: { status: 429, headers: [], body: '' } };
    for (const answer of [refusal, Promise.resolve(refusal)]) {
      const guard = { check: () => answer, failed: () => assert.fail('nothing was looked at') };
      const policy = await compileJwtPolicy({}, { more: { guard } });
      assert.equal(await ask(policy, bearer('junk')), refusal);
    }
  });
});

describe('keys that cannot be had', () => {
  it('are a failure and no refusal, with a time to come again', async () => {
    const policy = await compileJwtPolicy({ keys: undefined });
    await assert.rejects(
      async () => await ask(policy, bearer(token())),
      (error) => {
        assert.ok(error instanceof PolicyFailure);
        const { code, status, headers } = error.rejection;
        assert.deepEqual([code, status, headers], ['identity-unavailable', 503, ['Retry-After', '1']]);
        return true;
      },
    );
    assert.equal(told(await ask(policy, policyContext())).split(':')[0], 'unauthenticated');
    assert.equal(told(await ask(policy, bearer('junk'))).split(':')[0], 'invalid-credential');
    await policy.dispose?.();
  });
});
