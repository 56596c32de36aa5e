import assert from 'node:assert/strict';
import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';
import { describe, it } from 'node:test';
import { tokenKey } from '../../test/fixtures/tokens.ts';
import { type KeyFault, publicKeyOf } from './public-jwk.ts';

const { jwk: rsa, privateKey: rsaPrivate } = tokenKey('RS256');
const { jwk: ec } = tokenKey('ES256');
const { jwk: ed } = tokenKey('EdDSA');
const made = (pair: { publicKey: { export(o: { format: 'jwk' }): JsonWebKey } }): JsonWebKey =>
  pair.publicKey.export({ format: 'jwk' });
const { alg: _, ...rsaForAnything } = rsa;
const base64url = (number: bigint): string => {
  const digits = number.toString(16);
  return Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex').toString('base64url');
};

describe('a JWK is not taken', () => {
  const table: readonly (readonly [name: string, jwk: unknown, fault: KeyFault])[] = [
    ['when it is no object', 'key', 'malformed'],
    ['when it has no type', { ...ec, kty: undefined }, 'malformed'],
    ['when it is a secret', { kty: 'oct', k: 'c2VjcmV0' }, 'secret'],
    ['when it holds a secret', { ...rsa, k: 'c2VjcmV0' }, 'secret'],
    ['when it is private', rsaPrivate.export({ format: 'jwk' }), 'private'],
    ['when it has any private member', { ...ec, d: '' }, 'private'],
    ['when it is for encryption', { ...rsa, use: 'enc' }, 'other-use'],
    ['when it is for signing', { ...ec, key_ops: ['sign'] }, 'other-use'],
    ['when its operations are no list', { ...ec, key_ops: 'verify' }, 'other-use'],
    ['when it is for an algorithm of another kind', { ...ec, alg: 'RS256' }, 'other-use'],
    ['when it is for a secret algorithm', { ...rsa, alg: 'HS256' }, 'other-use'],
    ['when its algorithm is unknown', { ...rsa, alg: 'RS1' }, 'other-use'],
    ['when its algorithm is no text', { ...rsa, alg: ['RS256'] }, 'malformed'],
    ['when its id is no text', { ...rsa, kid: 1 }, 'malformed'],
    ['when its id is a document', { ...rsa, kid: 'k'.repeat(257) }, 'malformed'],
    ['when a member is no text', { ...ec, x: 1 }, 'malformed'],
    ['when its point is on no curve', { ...ec, y: ec.x }, 'malformed'],
    ['when it lacks a member', { ...ec, y: undefined }, 'malformed'],
    [
      'when its curve is for nothing here',
      made(generateKeyPairSync('ec', { namedCurve: 'secp256k1' })),
      'other-use',
    ],
    ['when it is for key agreement', made(generateKeyPairSync('x25519')), 'other-use'],
    ['when it is Ed448', made(generateKeyPairSync('ed448')), 'other-use'],
    ['when it is short', made(generateKeyPairSync('rsa', { modulusLength: 1024 })), 'weak'],
    ['when a broken generator made it', { ...rsa, n: base64url(65537n ** 130n) }, 'weak'],
    ['when its exponent is one', { ...rsa, e: 'AQ' }, 'weak'],
    ['when its exponent is even', { ...rsa, e: 'BA' }, 'weak'],
    ['when its exponent makes every use of it slow', { ...rsa, e: rsa.n?.replace(/^./, 'A') }, 'weak'],
  ];
  for (const [name, jwk, fault] of table) it(name, () => assert.equal(publicKeyOf(jwk), fault));
});

describe('a JWK is taken', () => {
  const algorithmsOf = (jwk: unknown) => {
    const key = publicKeyOf(jwk);
    assert.ok(typeof key !== 'string', String(key));
    return key.algorithms;
  };

  it('for the algorithm it names', () => assert.deepEqual(algorithmsOf(rsa), ['RS256']));
  it('for every algorithm of its kind where it names none', () => {
    assert.deepEqual(algorithmsOf(rsaForAnything), ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']);
    assert.deepEqual(algorithmsOf({ ...ec, alg: undefined }), ['ES256']);
    assert.deepEqual(algorithmsOf({ ...ed, alg: undefined }), ['EdDSA', 'Ed25519']);
  });
  it('whatever certificates it points to', () => {
    assert.deepEqual(algorithmsOf({ ...ec, x5u: 'https://evil.test/', x5c: ['x'], key_ops: ['verify'] }), [
      'ES256',
    ]);
  });
});
