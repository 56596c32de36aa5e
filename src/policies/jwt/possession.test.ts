import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import {
  ask,
  bearer,
  type Changes,
  compileJwtPolicy,
  NOW_S,
  token,
  told,
} from '../../../test/fixtures/jwt.ts';
import {
  DEFAULT_NOW_MS,
  policyContext,
  type RecordedContext,
} from '../../../test/fixtures/policy-context.ts';
import { proofOf, thumbprint, tokenHash, tokenKey } from '../../../test/fixtures/tokens.ts';
import type { ClientCertificate } from '../../contract/index.ts';
import { offlineResources } from '../../outbound/index.ts';
import { createLocalCounters } from '../../state/index.ts';

const caller = tokenKey('EdDSA', 'caller');

describe('tokens bound to a key of the caller', () => {
  const bound = token({ cnf: { jkt: thumbprint(caller) } });
  const claims = (of: string) => ({
    jti: 'proof-1',
    htm: 'GET',
    htu: 'http://api.example.com/orders/1',
    iat: NOW_S,
    ath: tokenHash(of),
  });
  const present = (scheme: string, presented: string, proof?: string, state = createLocalCounters()) =>
    policyContext({
      state,
      headers: { authorization: `${scheme} ${presented}`, ...(proof === undefined ? {} : { dpop: proof }) },
    });
  const good = proofOf(caller, claims(bound));

  const table: readonly (readonly [
    name: string,
    dpop: Changes['dpop'],
    c: RecordedContext,
    outcome: RegExp | 'continue',
  ])[] = [
    ['without their scheme', 'optional', present('Bearer', bound, good), /bearer token/],
    ['without a proof', 'optional', present('DPoP', bound), /exactly one/],
    [
      'with the proof of a thief',
      'optional',
      present('DPoP', bound, proofOf(tokenKey('EdDSA'), claims(bound))),
      /another key/,
    ],
    [
      'with the proof for another token',
      'optional',
      present('DPoP', bound, proofOf(caller, claims(token()))),
      /another token/,
    ],
    ['where proofs are off', 'off', present('DPoP', bound, good), /^unauthenticated/],
    [
      'with a proof, where they are bound to nothing',
      'optional',
      present('DPoP', token(), proofOf(caller, claims(token()))),
      /bound to no key/,
    ],
    [
      'as bearer tokens, where a proof is asked for',
      'required',
      present('Bearer', token()),
      /^unauthenticated/,
    ],
    ['with a proof', 'optional', present('DPoP', bound, good), 'continue'],
    ['with a proof, where it is asked for', 'required', present('dpop', bound, good), 'continue'],
    [
      'as bearer tokens bound to nothing, where that is allowed',
      'optional',
      present('Bearer', token()),
      'continue',
    ],
    [
      'as bearer tokens with a proof that nobody asked for',
      'optional',
      present('Bearer', token(), 'junk'),
      'continue',
    ],
  ];
  for (const [name, dpop, c, outcome] of table) {
    it(name, async () => {
      const seen = told(await ask(await compileJwtPolicy({ dpop }), c));
      if (outcome === 'continue') assert.equal(seen, 'continue');
      else assert.match(seen, outcome);
    });
  }

  it('are challenged in their own words', async () => {
    const challengeOf = async (dpop: Changes['dpop'], c: RecordedContext) => {
      const decision = await ask(await compileJwtPolicy({ dpop: dpop ?? 'off' }), c);
      assert.ok(decision.kind === 'reject');
      return decision.error.headers.filter((_, i) => i % 2 === 1);
    };
    const algorithms: Changes['dpop'] = { mode: 'required', algorithms: ['ES256', 'EdDSA'] };
    assert.deepEqual(await challengeOf(algorithms, policyContext()), [
      'DPoP realm="api", algs="ES256 EdDSA"',
    ]);
    assert.deepEqual(await challengeOf({ ...algorithms, mode: 'optional' }, policyContext()), [
      'Bearer realm="api"',
      'DPoP realm="api", algs="ES256 EdDSA"',
    ]);
    assert.deepEqual(await challengeOf(algorithms, present('DPoP', bound, 'junk')), [
      'DPoP realm="api", algs="ES256 EdDSA", error="invalid_dpop_proof"',
    ]);
  });

  it('are refused when their proof comes again, remembered or not', async () => {
    const policy = await compileJwtPolicy({ dpop: 'required' });
    const state = createLocalCounters();
    assert.equal(told(await ask(policy, present('DPoP', bound, good, state))), 'continue');
    assert.match(told(await ask(policy, present('DPoP', bound, good, state))), /used before/);
    const next = proofOf(caller, { ...claims(bound), jti: 'proof-2' });
    assert.equal(told(await ask(policy, present('DPoP', bound, next, state))), 'continue');
  });

  it('are refused when their proof was used up by another attachment, and not twice for one request', async () => {
    const resources = offlineResources();
    const compile = (attachment: string, maxAge: string) =>
      compileJwtPolicy({ dpop: { maxAge } }, { attachment, more: { resources } });
    const [listener, route, other] = await Promise.all([
      compile('listener:public/jwt', '60s'),
      compile('route:orders/jwt', '50s'),
      compile('route:orders-of-beta/jwt', '60s'),
    ]);
    const state = createLocalCounters();
    const c = present('DPoP', bound, good, state);
    for (const policy of [listener, route]) assert.equal(told(await ask(policy, c)), 'continue');
    assert.match(told(await ask(other, present('DPoP', bound, good, state))), /used before/);
  });

  it('are told the nonce they need, and the next one with each answer', async () => {
    const policy = await compileJwtPolicy({ dpop: { nonceSecret: 'env:NONCES' } });
    const state = createLocalCounters();
    const decision = await ask(policy, present('DPoP', bound, good, state));
    assert.ok(decision.kind === 'reject');
    const [, challenge, name, nonce] = decision.error.headers;
    assert.match(challenge, /error="use_dpop_nonce"/);
    assert.equal(name, 'DPoP-Nonce');
    const c = present('DPoP', bound, proofOf(caller, { ...claims(bound), nonce }), state);
    assert.equal(told(await ask(policy, c)), 'continue');
    assert.deepEqual(c.recorded, [['setResponseHeader', 'DPoP-Nonce', nonce]]);
  });

  it('are hidden with their proof', async () => {
    const c = present('DPoP', bound, good);
    await ask(await compileJwtPolicy({ dpop: 'required', hide: true }), c);
    assert.deepEqual(c.recorded, [
      ['removeRequestHeader', 'authorization'],
      ['removeRequestHeader', 'dpop'],
    ]);
  });
});

describe('tokens bound to a certificate', () => {
  const certificate = (thumb: string): ClientCertificate => ({
    subject: 'CN=orders',
    commonName: 'orders',
    issuer: 'CN=CA',
    serial: '1',
    names: { dns: [], uris: [], emails: [] },
    thumbprint: thumb,
    expiresAtMs: DEFAULT_NOW_MS + 1000,
  });
  const thumb = createHash('sha256').update('certificate').digest('base64url');
  const bound = token({ cnf: { 'x5t#S256': thumb } });

  it('are refused with another, remembered or not', async () => {
    const policy = await compileJwtPolicy({ mtls: 'required' });
    assert.equal(told(await ask(policy, bearer(bound, { certificate: certificate(thumb) }))), 'continue');
    const other = certificate(createHash('sha256').update('another').digest('base64url'));
    assert.match(told(await ask(policy, bearer(bound, { certificate: other }))), /another certificate/);
    assert.match(told(await ask(policy, bearer(bound))), /none was presented/);
    assert.match(told(await ask(policy, bearer(token(), { certificate: other }))), /no certificate/);
  });

  it('are bound to it although nobody asks for that', async () => {
    assert.match(told(await ask(await compileJwtPolicy(), bearer(bound))), /none was presented/);
  });

  it('and to a key need both', async () => {
    const both = token({ cnf: { 'x5t#S256': thumb, jkt: thumbprint(caller) } });
    const policy = await compileJwtPolicy({ dpop: 'optional' });
    const c = bearer(both, { certificate: certificate(thumb) });
    assert.match(told(await ask(policy, c)), /bearer token/);
  });
});
