import assert from 'node:assert/strict';
import {
  createHmac,
  createPublicKey,
  createSign,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { describe, it } from 'node:test';
import { issuesOf } from '../../../test/fixtures/config.ts';
import { publicKeyVerifier, readSignatureKey, sharedSecretVerifier } from './signature-key.ts';

const pemOf = (key: KeyObject): string => String(key.export({ type: 'spki', format: 'pem' }));
const ed25519 = generateKeyPairSync('ed25519');
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pss = { padding: 6, saltLength: 64 };
const secret = randomBytes(32);
const SIGNED = Buffer.from('"@method": GET');

describe('a key is refused', () => {
  const cases: [name: string, pem: string, message: RegExp][] = [
    ['for no PEM', 'hello', /no public key/],
    ['for a private key', String(ed25519.privateKey.export({ type: 'pkcs8', format: 'pem' })), /private key/],
    [
      'for an old private key',
      String(rsa.privateKey.export({ type: 'pkcs1', format: 'pem' })),
      /private key/,
    ],
    [
      'for another curve',
      pemOf(generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey),
      /another kind/,
    ],
    [
      'for Bitcoin’s curve',
      pemOf(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey),
      /another kind/,
    ],
    [
      'for a key that agrees and does not sign',
      pemOf(generateKeyPairSync('x25519').publicKey),
      /another kind/,
    ],
    [
      'for a short RSA key',
      pemOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey),
      /1024 bits/,
    ],
  ];
  // With 1 every text is its own signature; with a long one a signature holds the worker for milliseconds.
  for (const [e, what] of [
    ['AQ', '1'],
    ['BA', '4'],
    [`f${'_'.repeat(300)}8`, 'a long one'],
  ]) {
    const key = createPublicKey({ key: { ...rsa.publicKey.export({ format: 'jwk' }), e }, format: 'jwk' });
    cases.push([`for an RSA key with the exponent ${what}`, pemOf(key), /exponent/]);
  }
  for (const [name, pem, message] of cases) {
    it(name, async () => assert.match((await issuesOf(() => publicKeyVerifier(pem)))[0].message, message));
  }

  it('for a shared secret that can be searched for', async () => {
    assert.match((await issuesOf(() => sharedSecretVerifier(randomBytes(31))))[0].message, /32 bytes/);
  });
});

describe('a signature is verified', () => {
  const mac = createHmac('sha256', secret).update(SIGNED).digest();
  const cases: readonly [algorithm: string, verifier: string, signature: Buffer][] = [
    ['hmac-sha256', sharedSecretVerifier(secret), mac],
    ['ed25519', publicKeyVerifier(pemOf(ed25519.publicKey)), sign(null, SIGNED, ed25519.privateKey)],
    [
      'ecdsa-p256-sha256',
      publicKeyVerifier(pemOf(p256.publicKey)),
      sign('sha256', SIGNED, { key: p256.privateKey, dsaEncoding: 'ieee-p1363' }),
    ],
    [
      'ecdsa-p384-sha384',
      publicKeyVerifier(pemOf(p384.publicKey)),
      sign('sha384', SIGNED, { key: p384.privateKey, dsaEncoding: 'ieee-p1363' }),
    ],
    [
      'rsa-pss-sha512',
      publicKeyVerifier(String(rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }))),
      sign('sha512', SIGNED, { key: rsa.privateKey, ...pss }),
    ],
  ];
  for (const [algorithm, verifier, signature] of cases) {
    it(algorithm, () => {
      const key = readSignatureKey(verifier);
      assert.equal(key.algorithm, algorithm);
      assert.equal(key.verifies(Buffer.from('"@method": PUT'), signature), false);
      assert.equal(key.verifies(SIGNED, signature.subarray(1)), false);
      assert.equal(key.verifies(SIGNED, Buffer.concat([signature, Buffer.alloc(1)])), false);
      assert.equal(key.verifies(SIGNED, Buffer.alloc(signature.length)), false);
      assert.equal(key.verifies(SIGNED, Buffer.alloc(0)), false);
      assert.equal(key.verifies(SIGNED, signature), true);
    });
  }

  it('never with the text of a public key as a shared secret', () => {
    for (const { publicKey } of [ed25519, p256, rsa]) {
      const pem = pemOf(publicKey);
      for (const text of [pem, pem.trim(), String(publicKey.export({ type: 'spki', format: 'der' }))]) {
        const forged = createHmac('sha256', text).update(SIGNED).digest();
        assert.equal(readSignatureKey(publicKeyVerifier(pem)).verifies(SIGNED, forged), false);
      }
    }
  });

  it('never in another padding or encoding of the same key', () => {
    const rsaKey = readSignatureKey(publicKeyVerifier(pemOf(rsa.publicKey)));
    const old = createSign('sha512').update(SIGNED).sign(rsa.privateKey);
    const shortSalt = sign('sha512', SIGNED, { key: rsa.privateKey, ...pss, saltLength: 20 });
    const otherHash = sign('sha256', SIGNED, { key: rsa.privateKey, ...pss });
    for (const signature of [old, shortSalt, otherHash])
      assert.equal(rsaKey.verifies(SIGNED, signature), false);
    const der = sign('sha256', SIGNED, p256.privateKey);
    assert.equal(readSignatureKey(publicKeyVerifier(pemOf(p256.publicKey))).verifies(SIGNED, der), false);
  });
});
