import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Changes, compileJwtPolicy, FILES, rsa, SECRETS } from '../../../test/fixtures/jwt.ts';
import { tokenKey } from '../../../test/fixtures/tokens.ts';
import { ConfigError } from '../../errors.ts';

describe('a config is refused', () => {
  const weak = tokenKey('ES256').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  const files = {
    ...FILES,
    'private.pem': weak,
    'junk.pem': '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n',
    'junk.json': '<html>',
    'empty.json': '{"keys":[]}',
    'secret.jwk': '{"kty":"oct","k":"c2VjcmV0"}',
    'twice.jwk': '{"kty":"EC","kty":"RSA"}',
  };
  const secrets = {
    ...SECRETS,
    'env:SHORT': 'short',
    'env:PEM': rsa.pem,
    'env:JWK': JSON.stringify(rsa.jwk),
    'env:ODD': '!'.repeat(64),
  };
  const table: readonly (readonly [name: string, config: Changes, path: string])[] = [
    ['without an issuer', { issuer: undefined }, 'issuer'],
    ['with an issuer beside the list', { issuers: [{ issuer: 'x' }] }, 'issuers'],
    ['with keys beside the list', { issuer: undefined, issuers: [{ issuer: 'x' }] }, 'keys'],
    ['with keys and jwks', { jwks: 'file:set.json' }, 'jwks'],
    ['with an issuer that is no URL', { issuer: 'login', keys: undefined }, 'issuer'],
    ['with an issuer that has a query', { issuer: 'https://a.test/?x', keys: undefined }, 'issuer'],
    ['with any issuer by its metadata', { issuer: 'any', keys: undefined }, 'issuer'],
    ['with any issuer by a URL', { issuer: 'any', keys: undefined, jwks: 'https://a.test/' }, 'issuer'],
    ['with keys fetched without TLS', { keys: undefined, jwks: 'http://login.test/jwks' }, 'jwks'],
    ['with a file that is not there', { keys: [{ file: 'nowhere' }] }, 'keys[0].file'],
    ['with a private key', { keys: [{ file: 'private.pem' }] }, 'keys[0].file'],
    ['with a PEM that is none', { keys: [{ file: 'junk.pem' }] }, 'keys[0].file'],
    ['with a page for keys', { keys: [{ file: 'junk.json' }] }, 'keys[0].file'],
    ['with a set without keys', { jwks: 'file:empty.json', keys: undefined }, 'jwks'],
    ['with a secret in a file of keys', { keys: [{ file: 'secret.jwk' }] }, 'keys[0].file'],
    ['with a key that says two things', { keys: [{ file: 'twice.jwk' }] }, 'keys[0].file'],
    ['with one id for several keys', { keys: [{ file: 'set.json', kid: 'x' }] }, 'keys[0].kid'],
    ['with a secret that is not there', { keys: [{ secret: 'env:NOWHERE' }] }, 'keys[0].secret'],
    ['with a short secret', { keys: [{ secret: 'env:SHORT' }] }, 'keys[0].secret'],
    ['with a secret that is a public key', { keys: [{ secret: 'env:PEM' }] }, 'keys[0].secret'],
    ['with a secret that is a JWK', { keys: [{ secret: 'env:JWK' }] }, 'keys[0].secret'],
    ['with a secret in no base64', { keys: [{ secret: 'env:ODD', encoding: 'base64' }] }, 'keys[0].secret'],
    ['with a secret beside public keys', { keys: [{ file: 'key.jwk' }, { secret: 'env:SECRET' }] }, 'keys'],
    ['with a secret algorithm for public keys', { algorithms: ['ES256', 'HS256'] }, 'algorithms'],
    ['with a secret algorithm for fetched keys', { keys: undefined, algorithms: ['HS256'] }, 'algorithms'],
    [
      'with a public algorithm for a secret',
      { keys: [{ secret: 'env:SECRET' }], algorithms: ['RS256'] },
      'algorithms',
    ],
    ['with an algorithm no key is fit for', { algorithms: ['ES256', 'RS256'] }, 'algorithms'],
    [
      'with an algorithm its secret is too short for',
      { keys: [{ secret: 'env:SECRET' }], algorithms: ['HS512'] },
      'algorithms',
    ],
    [
      'with one issuer twice',
      {
        issuer: undefined,
        keys: undefined,
        issuers: [
          { issuer: 'x', keys: [{ file: 'key.jwk' }] },
          { issuer: 'x', keys: [{ secret: 'env:SECRET' }] },
        ],
      },
      'issuers[1].issuer',
    ],
    ['with a wide tolerance', { clockTolerance: '11m' }, 'clockTolerance'],
    ['with no age', { maxAge: '0s' }, 'maxAge'],
    ['with long tokens', { maxLength: '17kB' }, 'maxLength'],
    ['with no tokens', { maxLength: '0B' }, 'maxLength'],
    ['with keys that are never kept', { keys: undefined, cache: { refresh: '0s' } }, 'cache.refresh'],
    ['with proofs for tokens in a cookie', { dpop: 'required', cookie: 'token' }, 'dpop'],
    ['with keys that are kept too long', { keys: undefined, cache: { refresh: '25h' } }, 'cache.refresh'],
    [
      'with keys that are too old before they are new',
      { keys: undefined, cache: { refresh: '1h', staleFor: '30m' } },
      'cache.staleFor',
    ],
    ['with patience without end', { keys: undefined, cache: { timeout: '2m' } }, 'cache.timeout'],
    ['with authorities that are not there', { keys: undefined, ca: 'file:nowhere' }, 'ca'],
    ['with a secret for nonces that is not there', { dpop: { nonceSecret: 'env:NO' } }, 'dpop.nonceSecret'],
    ['with proofs of no age', { dpop: { maxAge: '0s' } }, 'dpop.maxAge'],
    ['with a short secret for nonces', { dpop: { nonceSecret: 'env:SHORT' } }, 'dpop.nonceSecret'],
  ];
  for (const [name, config, path] of table) {
    it(name, async () => {
      await assert.rejects(
        async () => await compileJwtPolicy(config, { files, secrets }),
        (error) => {
          assert.ok(error instanceof ConfigError, String(error));
          assert.deepEqual(
            error.issues.map((issue) => issue.path),
            [path],
            error.message,
          );
          assert.doesNotMatch(error.message, /c2VjcmV0|ssss|"n":/);
          return true;
        },
      );
    });
  }
});
