import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { describe, it } from 'node:test';
import { mint, tokenKey } from '../../test/fixtures/tokens.ts';
import { InternalError } from '../errors.ts';
import { readCompactJws } from './compact-jws.ts';
import { KeySet, type VerificationKey } from './key-set.ts';
import { publicKeyOf } from './public-jwk.ts';
import { hasRocaFingerprint } from './roca.ts';
import { loadSignatureCheck, verifyWith } from './signature.ts';

const ec = [tokenKey('ES256', 'a'), tokenKey('ES256', 'b'), tokenKey('ES256', 'c')];
const rsa = tokenKey('RS256', 'a');
const check = await loadSignatureCheck();

function publicKey(jwk: unknown, more: Partial<VerificationKey> = {}): VerificationKey {
  const key = publicKeyOf(jwk);
  assert.ok(typeof key !== 'string', String(key));
  return { ...key, ...more };
}

const unnamed = (key: (typeof ec)[number]) => publicKey({ ...key.jwk, kid: undefined });
const byHand = (key: (typeof ec)[number]) =>
  publicKey({ ...key.jwk, kid: undefined }, { servesAnyKid: true });
const many = Array.from({ length: 5 }, () => unnamed(tokenKey('ES256')));

async function judge(token: string, ...keys: readonly VerificationKey[]): Promise<string> {
  const jws = readCompactJws(token);
  assert.ok('alg' in jws);
  return await verifyWith(check, jws, new KeySet(keys));
}

const [a, b] = ec;
const asA = mint(a, {});
const nameless = (key: (typeof ec)[number]) => mint(key, {}, { kid: undefined });

describe('a token is verified by', () => {
  const table: readonly (readonly [
    name: string,
    token: string,
    keys: readonly VerificationKey[],
    is: string,
  ])[] = [
    ['no key', asA, [], 'unknown-key'],
    ['a key of another name', asA, [publicKey({ ...a.jwk, kid: 'z' })], 'unknown-key'],
    ['a name of other case', asA, [publicKey({ ...a.jwk, kid: 'A' })], 'unknown-key'],
    ['a key without a name that an issuer publishes', asA, [unnamed(a)], 'unknown-key'],
    [
      'the key of its name, which is another key',
      asA,
      [publicKey({ ...b.jwk, kid: 'a' })],
      'wrong-signature',
    ],
    ['the key of its name, which is of another kind', asA, [publicKey(rsa.jwk)], 'wrong-signature'],
    ['two keys of its name', asA, [publicKey(a.jwk), publicKey({ ...b.jwk, kid: 'a' })], 'wrong-signature'],
    ['more nameless keys than are tried', nameless(a), [...many, unnamed(a)], 'unknown-key'],
    ['the key of its name', asA, [publicKey(b.jwk), publicKey(a.jwk)], 'verified'],
    ['the key of its name and kind', asA, [publicKey(rsa.jwk), publicKey(a.jwk)], 'verified'],
    ['any key, when it names none', nameless(b), [publicKey(a.jwk), publicKey(b.jwk)], 'verified'],
    ['a key that was given by hand', asA, [byHand(b), byHand(a)], 'verified'],
    ['none that was given by hand', asA, [byHand(b)], 'wrong-signature'],
  ];
  for (const [name, token, keys, outcome] of table)
    it(`${name}: ${outcome}`, async () => assert.equal(await judge(token, ...keys), outcome));
});

describe('keys', () => {
  it('are of one fingerprint when they are the same, whatever else is said of them', () => {
    const of = (...jwks: readonly unknown[]) => new KeySet(jwks.map((jwk) => publicKey(jwk))).fingerprint;
    assert.equal(of(a.jwk, b.jwk), of({ ...a.jwk, x5t: 'x' }, b.jwk));
    for (const other of [of(a.jwk), of(b.jwk, a.jwk), of({ ...a.jwk, kid: 'z' }, b.jwk)])
      assert.notEqual(of(a.jwk, b.jwk), other);
  });

  it('that are public never stand beside a secret', () => {
    const key = createSecretKey(Buffer.alloc(32));
    const secret = { kid: 's', servesAnyKid: false, algorithms: ['HS256'], key };
    assert.throws(() => new KeySet([publicKey(a.jwk), secret]), InternalError);
  });

  it('of a broken generator are known', () => {
    assert.equal(hasRocaFingerprint(65537n ** 40n), true);
    assert.equal(hasRocaFingerprint(65537n ** 40n + 2n), false);
  });
});
