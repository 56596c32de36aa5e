import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { halfHash, idTokenFault } from './id-token.ts';

const ACCESS = 'jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y';
const CONTEXT = { clientId: 'app', nonce: 'n', accessToken: ACCESS, alg: 'RS256' };
const SOUND = { sub: 'ann', aud: 'app', nonce: 'n' };

const WRONG: readonly (readonly [name: string, claims: Readonly<Record<string, unknown>>])[] = [
  ['no subject', { ...SOUND, sub: undefined }],
  ['an empty subject', { ...SOUND, sub: '' }],
  ['a subject that is a list', { ...SOUND, sub: ['ann'] }],
  ['a subject too long', { ...SOUND, sub: 's'.repeat(256) }],
  ['no nonce', { ...SOUND, nonce: undefined }],
  ['another nonce', { ...SOUND, nonce: 'm' }],
  ['several audiences without an authorized party', { ...SOUND, aud: ['app', 'other'] }],
  ['another authorized party', { ...SOUND, azp: 'other' }],
  ['another access token', { ...SOUND, at_hash: halfHash('other', 'RS256') }],
  ['a hash that is none', { ...SOUND, at_hash: 1 }],
];

describe('an ID token', () => {
  for (const [name, claims] of WRONG)
    it(`with ${name} is of another sign-in`, () =>
      assert.equal(typeof idTokenFault(claims, CONTEXT), 'string'));

  const RIGHT: readonly Readonly<Record<string, unknown>>[] = [
    SOUND,
    { ...SOUND, azp: 'app', aud: ['app', 'other'] },
    { ...SOUND, at_hash: '77QmUPtjPfzWtF2AnpK9RQ' },
  ];
  for (const claims of RIGHT)
    it(`with ${JSON.stringify(claims)} is this one's`, () =>
      assert.equal(idTokenFault(claims, CONTEXT), undefined));

  it('that is not the first of its sign-in needs no nonce', () => {
    assert.equal(idTokenFault({ sub: 'ann', aud: 'app' }, { ...CONTEXT, nonce: undefined }), undefined);
  });
});

describe('the hash of an access token', () => {
  it('is that of OpenID Connect Core, appendix A.3', () => {
    assert.equal(halfHash(ACCESS, 'RS256'), '77QmUPtjPfzWtF2AnpK9RQ');
  });

  for (const [alg, length] of [
    ['ES256', 22],
    ['PS384', 32],
    ['ES512', 43],
    ['EdDSA', 43],
    ['Ed25519', 43],
  ] as const)
    it(`has half the bits of ${alg}`, () => assert.equal(halfHash(ACCESS, alg).length, length));
});
