import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_NOW_MS, policyContext } from '../../test/fixtures/policy-context.ts';
import { compact, proofOf, signer, thumbprint, tokenHash, tokenKey } from '../../test/fixtures/tokens.ts';
import { SeenOnce } from '../identity/index.ts';
import { createLocalCounters } from '../state/index.ts';
import { loadProofTools, ProofCheck, type ProofFault, type ProofRules } from './dpop.ts';
import { ProofNonces } from './proof-nonces.ts';
import { loadSignatureCheck } from './signature.ts';

const NOW_S = DEFAULT_NOW_MS / 1000;
const TOKEN = 'the.access.token';
const [key, thief] = [tokenKey('ES256', 'k'), tokenKey('ES256', 'k')];
const PROVEN = { tokenHash: tokenHash(TOKEN), proofKey: thumbprint(key) };
const RULES: ProofRules = {
  algorithms: ['ES256', 'EdDSA'],
  maxAgeMs: 60_000,
  toleranceMs: 5000,
  publicUrl: undefined,
  nonces: undefined,
};
const CLAIMS = {
  jti: 'proof-1',
  htm: 'GET',
  htu: 'http://api.example.com/orders/1',
  iat: NOW_S,
  ath: PROVEN.tokenHash,
};
const tools = await loadProofTools(await loadSignatureCheck());

type Request = Parameters<typeof policyContext>[0];

/** What is said of one proof. */
async function judge(
  proof: string | readonly string[],
  rules: Partial<ProofRules> = {},
  request: Request = {},
): Promise<ProofFault | undefined> {
  const check = new ProofCheck({ ...RULES, ...rules }, tools, new SeenOnce());
  const proofs = typeof proof === 'string' ? [proof] : proof;
  const headers = proofs.flatMap((one) => ['DPoP', one]);
  return await check.fault(policyContext({ state: createLocalCounters(), ...request, headers }), PROVEN);
}

const proof = (claims: Readonly<Record<string, unknown>> = {}, header = {}) =>
  proofOf(key, { ...CLAIMS, ...claims }, header);

describe('a proof proves nothing when', () => {
  const privateJwk = key.privateKey.export({ format: 'jwk' });
  const table: readonly (readonly [
    name: string,
    proof: string | readonly string[],
    kind: ProofFault['kind'],
    reason: RegExp,
  ])[] = [
    ['there is none', [], 'wrong', /exactly one/],
    ['there are two', [proof(), proof({ jti: 'proof-2' })], 'wrong', /exactly one/],
    ['it is longer than any', 'a'.repeat(8193), 'wrong', /longer/],
    ['it is no token', 'proof', 'wrong', /parts/],
    ['it is padded', `${proof()}=`, 'wrong', /base64url/],
    ['its type is that of a token', proof({}, { typ: 'at+jwt' }), 'wrong', /type/],
    ['it has no type', proof({}, { typ: undefined }), 'wrong', /type/],
    [
      'it is not signed',
      compact({ typ: 'dpop+jwt', alg: 'none', jwk: {} }, CLAIMS, () => Buffer.alloc(0)),
      'wrong',
      /signed/,
    ],
    ['its algorithm is not allowed', proofOf(tokenKey('RS256'), CLAIMS), 'wrong', /algorithm/],
    ['its algorithm is of a secret', proof({}, { alg: 'HS256' }), 'wrong', /algorithm/],
    ['its key is a secret', proof({}, { jwk: { kty: 'oct', k: 'c2VjcmV0' } }), 'wrong', /secret/],
    ['its key is private', proof({}, { jwk: privateJwk }), 'wrong', /private/],
    ['its key is missing', proof({}, { jwk: undefined }), 'wrong', /malformed/],
    [
      'its key is elsewhere',
      proof({}, { jwk: undefined, jku: 'https://evil.test/keys' }),
      'wrong',
      /malformed/,
    ],
    ['its key is another than the token’s', proofOf(thief, CLAIMS), 'guess', /another key/],
    [
      'it only shows the key of the token',
      compact({ typ: 'dpop+jwt', alg: 'ES256', jwk: key.jwk }, CLAIMS, signer(thief)),
      'guess',
      /signature/,
    ],
    ['an extension of it is critical', proof({}, { crit: ['b64'], b64: true }), 'wrong', /critical/],
    ['it has no id', proof({ jti: undefined }), 'wrong', /no id/],
    ['its id is empty', proof({ jti: '' }), 'wrong', /no id/],
    ['its id is a document', proof({ jti: 'j'.repeat(257) }), 'wrong', /no id/],
    ['it is for another method', proof({ htm: 'POST' }), 'wrong', /method/],
    ['its method is of other case', proof({ htm: 'get' }), 'wrong', /method/],
    ['it is for another path', proof({ htu: 'http://api.example.com/orders/2' }), 'wrong', /URL/],
    ['it is for a path of other case', proof({ htu: 'http://api.example.com/Orders/1' }), 'wrong', /URL/],
    ['it is for another host', proof({ htu: 'http://api.example.org/orders/1' }), 'wrong', /URL/],
    ['it is for another port', proof({ htu: 'http://api.example.com:81/orders/1' }), 'wrong', /URL/],
    ['it is for TLS', proof({ htu: 'https://api.example.com/orders/1' }), 'wrong', /URL/],
    ['its URL has a user', proof({ htu: 'http://a@api.example.com/orders/1' }), 'wrong', /URL/],
    ['its URL has a backslash', proof({ htu: 'http://api.example.com\\orders/1' }), 'wrong', /URL/],
    ['its URL has white space', proof({ htu: 'http://api.example.com/ord\ners/1' }), 'wrong', /URL/],
    ['its URL has no host', proof({ htu: '/orders/1' }), 'wrong', /URL/],
    ['it is not said when it was made', proof({ iat: undefined }), 'wrong', /made/],
    ['its time is a text', proof({ iat: String(NOW_S) }), 'wrong', /made/],
    ['it is too old', proof({ iat: NOW_S - 66 }), 'wrong', /too old/],
    ['it is of a later time', proof({ iat: NOW_S + 6 }), 'wrong', /later/],
    ['it is for another token', proof({ ath: tokenHash('another') }), 'guess', /another token/],
    ['it is for no token', proof({ ath: undefined }), 'guess', /another token/],
  ];
  for (const [name, presented, kind, reason] of table) {
    it(name, async () => {
      const fault = await judge(presented);
      assert.equal(fault?.kind, kind, fault?.reason);
      assert.match(fault?.reason ?? '', reason);
    });
  }

  it('it was used before, anywhere its state reaches', async () => {
    const state = createLocalCounters();
    const once = proof();
    assert.equal(await judge(once, {}, { state }), undefined);
    assert.match((await judge(once, {}, { state }))?.reason ?? '', /used before/);
    const later = DEFAULT_NOW_MS + 65_000;
    assert.match((await judge(once, {}, { state, nowMs: later }))?.reason ?? '', /used before/);
    assert.equal(await judge(proof({ jti: 'proof-2' }), {}, { state }), undefined);
  });

  it('it was used before, within all the time in which it is good', async () => {
    const state = createLocalCounters();
    const ahead = proof({ iat: NOW_S + 5 });
    assert.equal(await judge(ahead, {}, { state }), undefined);
    const last = DEFAULT_NOW_MS + 69_000;
    assert.match((await judge(ahead, {}, { state, nowMs: last }))?.reason ?? '', /used before/);
  });

  it('in shadow it uses up nothing', async () => {
    const state = createLocalCounters();
    assert.equal(await judge(proof(), {}, { state, shadow: true }), undefined);
    assert.equal(await judge(proof(), {}, { state }), undefined);
  });
});

describe('a proof holds', () => {
  const table: readonly (readonly [
    name: string,
    claims: Readonly<Record<string, unknown>>,
    request: Request,
    rules?: Partial<ProofRules>,
  ])[] = [
    ['as it is', {}, {}],
    [
      'for a path without its query',
      { htu: 'http://api.example.com/orders/1?page=2#top' },
      { query: 'page=1' },
    ],
    ['for a host of other case', { htu: 'HTTP://API.example.com/orders/1' }, {}],
    ['for the port that is meant', { htu: 'http://api.example.com:80/orders/1' }, {}],
    ['for a path that is written otherwise', { htu: 'http://api.example.com/%6Frders/./1' }, {}],
    [
      'for characters that are encoded in other case',
      { htu: 'http://api.example.com/a%2fb' },
      { path: '/a%2Fb' },
    ],
    ['for TLS', { htu: 'https://api.example.com/orders/1' }, { scheme: 'https' }],
    ['for another method', { htm: 'DELETE' }, { method: 'DELETE' }],
    [
      'for what callers call the gateway',
      { htu: 'https://public.test/v1/orders/1' },
      {},
      { publicUrl: 'https://public.test/v1' },
    ],
    ['for a little while', { iat: NOW_S - 64 }, {}],
    ['a little ahead', { iat: NOW_S + 4 }, {}],
  ];
  for (const [name, claims, request, rules] of table)
    it(name, async () => assert.equal((await judge(proof(claims), rules, request))?.reason, undefined));

  it('by a key of another kind', async () => {
    const ed = tokenKey('EdDSA');
    const check = new ProofCheck(RULES, tools, new SeenOnce());
    const c = policyContext({ state: createLocalCounters(), headers: { dpop: proofOf(ed, CLAIMS) } });
    assert.equal(await check.fault(c, { ...PROVEN, proofKey: thumbprint(ed) }), undefined);
  });
});

describe('nonces', () => {
  const nonces = new ProofNonces('a secret of more than thirty-two characters', 300_000);
  const at = (nowMs: number) => ({ nonce: nonces.current(nowMs) });

  it('are asked for once everything else holds', async () => {
    const kinds = [
      proof(),
      proof({ nonce: 1 }),
      proof({ nonce: 'made-up' }),
      proof(at(DEFAULT_NOW_MS - 600_000)),
    ];
    for (const one of kinds) assert.equal((await judge(one, { nonces }))?.kind, 'nonce');
    assert.equal((await judge(proof({ htm: 'PUT' }), { nonces }))?.kind, 'wrong');
    assert.equal((await judge(proof(at(DEFAULT_NOW_MS + 300_000)), { nonces }))?.kind, 'nonce');
  });

  it('are taken in their period and the next', async () => {
    assert.equal(await judge(proof(at(DEFAULT_NOW_MS)), { nonces }), undefined);
    assert.equal(await judge(proof(at(DEFAULT_NOW_MS - 300_000)), { nonces }), undefined);
  });

  it('are the same wherever the secret is, and others elsewhere', () => {
    const same = new ProofNonces('a secret of more than thirty-two characters', 300_000);
    assert.equal(same.current(DEFAULT_NOW_MS), nonces.current(DEFAULT_NOW_MS));
    assert.equal(same.accepts(nonces.current(DEFAULT_NOW_MS), DEFAULT_NOW_MS), true);
    const other = new ProofNonces('another secret of thirty-two characters', 300_000);
    assert.equal(other.accepts(nonces.current(DEFAULT_NOW_MS), DEFAULT_NOW_MS), false);
  });
});
