import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GatewayDocument } from '../config/index.ts';
import { unaskedCertificates } from './unasked-certificates.ts';

const certificates = [{ cert: 'file:./a.crt', key: 'file:./a.key' }];
const PLAIN = { name: 'plain', address: '127.0.0.1:80' };
const TLS = { name: 'tls', address: '127.0.0.1:443', tls: { certificates } };
const ASKING = {
  name: 'asking',
  address: '127.0.0.1:444',
  tls: { certificates, clientCa: 'file:./ca.crt' },
};
const MTLS: object = { mtls: {} };

const documentOf = (
  listeners: GatewayDocument['listeners'],
  policies: object[],
  only?: string[],
): GatewayDocument => ({
  sallyport: 1,
  listeners,
  routes: [
    {
      name: 'r',
      match: { path: '/**' },
      upstream: 'u',
      policies,
      ...(only === undefined ? {} : { listeners: only }),
    },
  ],
});

describe('certificates that no client is asked for', () => {
  const cases: readonly [name: string, told: string[], document: GatewayDocument][] = [
    ['a listener without TLS', ['route "r"'], documentOf([PLAIN], [MTLS])],
    ['one with certificates of its own only', ['route "r"'], documentOf([TLS], [MTLS])],
    [
      'a route that is not on the one that asks',
      ['route "r"'],
      documentOf([PLAIN, ASKING], [MTLS], ['plain']),
    ],
    ['inside any-of', ['route "r"'], documentOf([PLAIN], [{ 'any-of': [{ 'api-key': {} }, MTLS] }])],
    [
      'inside all-of',
      ['route "r"'],
      documentOf([PLAIN], [{ 'all-of': { members: [MTLS], identity: 'mtls' } }]),
    ],
    ['at a listener', ['listener "plain"'], documentOf([{ ...PLAIN, policies: [MTLS] }], [])],
    ['one of several asks', [], documentOf([PLAIN, ASKING], [MTLS])],
    ['nobody wants one', [], documentOf([PLAIN], [{ jwt: { mtls: 'optional' } }, { 'api-key': {} }])],
  ];
  for (const [name, told, document] of cases) {
    it(name, () =>
      assert.deepEqual(
        unaskedCertificates(document).map((note) => note.replace(/ has mtls.*/, '')),
        told,
      ),
    );
  }
});
