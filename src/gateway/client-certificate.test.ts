import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import { CLIENTS, PARTNERS } from '../../test/fixtures/client-certificates.ts';
import type { ClientCertificate } from '../contract/index.ts';
import { clientCertificate } from './client-certificate.ts';

const read = (name: keyof typeof CLIENTS): ClientCertificate =>
  clientCertificate(new X509Certificate(CLIENTS[name]));

describe('clientCertificate', () => {
  const empty: readonly (readonly [name: keyof typeof CLIENTS, part: Partial<ClientCertificate>])[] = [
    ['injected', { subject: 'CN=orders\\,O=Admin,O=Example', commonName: 'orders,O=Admin' }],
    ['twice', { subject: 'CN=admin,CN=orders,O=Example', commonName: '' }],
    ['comma', { commonName: 'comma', names: { dns: [], uris: [], emails: [] } }],
    ['nul', { commonName: 'nul', names: { dns: [], uris: [], emails: [] } }],
  ];
  for (const [name, part] of empty) {
    it(`leaves empty what could be read in two ways: ${name}`, () => {
      assert.deepEqual({ ...read(name), ...part }, read(name));
    });
  }

  it('tells all that rules may look at', () => {
    const { thumbprint, serial, ...rest } = read('orders');
    assert.deepEqual(rest, {
      subject: 'CN=orders,O=Example',
      commonName: 'orders',
      issuer: 'CN=partners root,O=Example',
      names: {
        dns: ['orders.partners.example'],
        uris: ['spiffe://example.org/ns/shop/sa/orders'],
        emails: ['orders@example.org'],
      },
      expiresAtMs: Date.UTC(2126, 0, 1),
    });
    const { fingerprint256 } = new X509Certificate(CLIENTS.orders);
    assert.equal(
      Buffer.from(thumbprint, 'base64url').toString('hex').toUpperCase(),
      fingerprint256.replaceAll(':', ''),
    );
    assert.match(serial, /^[1-9a-f][0-9a-f]*$/);
    assert.notEqual(read('stock').thumbprint, thumbprint);
  });

  it('reads a certificate without alternative names', () => {
    const { names, subject, issuer } = clientCertificate(new X509Certificate(PARTNERS));
    assert.deepEqual(names, { dns: [], uris: [], emails: [] });
    assert.equal(subject, issuer);
  });
});
