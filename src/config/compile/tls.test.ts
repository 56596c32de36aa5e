import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CLIENTS, INNER, LISTS, PARTNERS } from '../../../test/fixtures/client-certificates.ts';
import { bundleDeps, documentWith, issuesOf, parsed, probePolicies } from '../../../test/fixtures/config.ts';
import { createBundle } from '../bundle.ts';

/** Self-signed for test.example until 2126, and its key; made for these tests, of no use elsewhere. */
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBhTCCASugAwIBAgIUXOtuXE6ZaUqID8t4GGkf8491sJwwCgYIKoZIzj0EAwIw
FzEVMBMGA1UEAwwMdGVzdC5leGFtcGxlMCAXDTI2MTEyNDAwMzgwNloYDzIxMjYx
MDMxMDAzODA2WjAXMRUwEwYDVQQDDAx0ZXN0LmV4YW1wbGUwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAAQAE374NQ56Lny88M1naz3kCISC8OBUGpiKuxGXWRme5yP3
h1X0PzLpwC15lA3q7XPqFj7UFRE5Iskze4IrhDjSo1MwUTAdBgNVHQ4EFgQUvIFy
RQ/0YFHLPYYeGUc+vMQFEU0wHwYDVR0jBBgwFoAUvIFyRQ/0YFHLPYYeGUc+vMQF
EU0wDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiAJhcTuxjOYm02u
FHx9GAqDZKTsoabZ84kNwAe7GPJ4ZwIhAN5S15HsX9v6EtdwHCB5cLAI8YrU7ozf
geGS5NnNONDr
-----END CERTIFICATE-----`;
const PRIVATE_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg3GV2dOtlTo3ru8SL
hAxl5AYaeo5zdAYLT73lxBqyi7GhRANCAAQAE374NQ56Lny88M1naz3kCISC8OBU
GpiKuxGXWRme5yP3h1X0PzLpwC15lA3q7XPqFj7UFRE5Iskze4IrhDjS
-----END PRIVATE KEY-----`;
const OTHER_KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgEwe9+ephlkBJgcFs
LvvgP7z6bTla292qk8QE10kpwg+hRANCAATztN6w7OzL4SfsJwyLgf+mOuJgMvHq
yRz67jmNLZNdoCR5LPmjc2yMx77hl1WJAWq+7rmQQ12baWrahzvxy30E
-----END PRIVATE KEY-----`;

const document = documentWith({
  listeners: [
    {
      name: 'public',
      address: '127.0.0.1:8443',
      tls: { certificates: [{ cert: 'file:./a.crt', key: 'file:./a.key' }] },
    },
  ],
  upstreams: { origin: { targets: ['https://a'], ca: 'file:a.crt' } },
});
const load = (files: Readonly<Record<string, string>>) =>
  createBundle(parsed(document), bundleDeps(probePolicies(), files));

describe('certificates', () => {
  it('are refused with the key of another', async () => {
    const [issue] = await issuesOf(() => load({ 'a.crt': CERTIFICATE, 'a.key': OTHER_KEY }));
    assert.equal(issue.path, 'listeners[0].tls.certificates[0].key');
    assert.equal(issue.message, 'is not the key of this certificate');
  });

  it('are refused without telling what the key file holds', async () => {
    const issues = await issuesOf(() => load({ 'a.crt': CERTIFICATE, 'a.key': 'hunter2' }));
    assert.equal(issues[0].path, 'listeners[0].tls.certificates[0].key');
    assert.doesNotMatch(JSON.stringify(issues), /hunter2/);
  });

  it('are part of the revision; keys are not', async () => {
    const files = { 'a.crt': CERTIFICATE, 'a.key': PRIVATE_KEY };
    const { bundle, snapshot } = await load(files);
    const renewed = await load({ ...files, 'a.crt': `${CERTIFICATE}\n` });
    const sameKey = await load({ ...files, 'a.key': `${PRIVATE_KEY}\n` });
    assert.notEqual(renewed.bundle.revision, bundle.revision);
    assert.equal(sameKey.bundle.revision, bundle.revision);
    assert.deepEqual(Object.keys(bundle.files), ['a.crt']);
    assert.deepEqual(Object.keys(bundle.secrets), ['file:./a.key']);
    assert.deepEqual(snapshot.listeners[0].tls, {
      certificates: [{ cert: CERTIFICATE, key: PRIVATE_KEY }],
      minVersion: 'TLSv1.2',
      clients: undefined,
    });
    assert.equal(snapshot.upstreams.get('origin')?.ca, CERTIFICATE);
  });
});

describe('certificates of clients', () => {
  type Tls = Readonly<Record<string, string>>;
  const FILES = { 'a.crt': CERTIFICATE, 'a.key': PRIVATE_KEY };
  const ca = { clientCa: 'file:./ca.crt' };
  const loadWith = (tls: Tls, files: Tls, listener: object = {}) => {
    const certificates = [{ cert: 'file:./a.crt', key: 'file:./a.key' }];
    const listeners = [
      { name: 'public', address: '127.0.0.1:8443', tls: { certificates, ...tls }, ...listener },
    ];
    return createBundle(
      parsed(documentWith({ listeners })),
      bundleDeps(probePolicies(), { ...FILES, ...files }),
    );
  };

  const faults: readonly (readonly [name: string, tls: Tls, files: Tls, at: string])[] = [
    ['whether they are required, without authorities', { clientAuth: 'optional' }, {}, 'clientAuth'],
    ['revocations, without authorities', { crl: 'file:./a.crl' }, { 'a.crl': LISTS.fresh }, 'crl'],
    ['a word that is none', { ...ca, clientAuth: 'off' }, { 'ca.crt': PARTNERS }, 'clientAuth'],
    ['an old version', { minVersion: 'TLSv1.1' }, {}, 'minVersion'],
    ['a file that is not there', ca, {}, 'clientCa'],
    ['no certificate', ca, { 'ca.crt': 'none' }, 'clientCa'],
    ['half a certificate', ca, { 'ca.crt': PARTNERS.slice(0, 300) }, 'clientCa'],
    ['a broken certificate', ca, { 'ca.crt': PARTNERS.replace('MII', 'MMM') }, 'clientCa'],
    ['one broken of two', ca, { 'ca.crt': `${PARTNERS}${INNER.replace('MII', 'MMM')}` }, 'clientCa'],
    ['a client as an authority', ca, { 'ca.crt': CLIENTS.orders }, 'clientCa'],
    ['an authority without its root', ca, { 'ca.crt': INNER }, 'clientCa'],
    ['no list', { ...ca, crl: 'file:./a.crl' }, { 'ca.crt': PARTNERS, 'a.crl': PARTNERS }, 'crl'],
    [
      'one broken list of two',
      { ...ca, crl: 'file:./a.crl' },
      { 'ca.crt': PARTNERS, 'a.crl': `${LISTS.fresh}${LISTS.inner.replace('MIH', 'MMM')}` },
      'crl',
    ],
  ];
  for (const [name, tls, files, at] of faults) {
    it(`are refused: ${name}`, async () => {
      const issues = await issuesOf(() => loadWith(tls, files));
      assert.deepEqual(
        issues.map(({ path }) => path),
        [`listeners[0].tls.${at}`],
      );
    });
  }

  it('are asked for as the document says, each list by itself', async () => {
    const files = { 'ca.crt': `${PARTNERS}\n# inner\n${INNER}`, 'a.crl': `${LISTS.fresh}x\n${LISTS.inner}` };
    const { snapshot, bundle } = await loadWith({ ...ca, crl: 'file:./a.crl', minVersion: 'TLSv1.3' }, files);
    const { tls } = snapshot.listeners[0];
    assert.equal(tls?.minVersion, 'TLSv1.3');
    assert.deepEqual(tls.clients, {
      ca: `${PARTNERS}${INNER}`,
      crl: [LISTS.fresh, LISTS.inner],
      mode: 'required',
    });
    // Both are files of the document: another list is another revision.
    assert.deepEqual(Object.keys(bundle.files).sort(), ['a.crl', 'a.crt', 'ca.crt']);
    const { snapshot: lax } = await loadWith({ ...ca, clientAuth: 'optional' }, files);
    assert.deepEqual(lax.listeners[0].tls?.clients, {
      ca: `${PARTNERS}${INNER}`,
      crl: [],
      mode: 'optional',
    });
  });

  it('or none: a PROXY header needs somebody who is trusted to say it', async () => {
    for (const trusted of [{}, { trustedProxies: [] }]) {
      const [issue] = await issuesOf(() => loadWith({}, {}, { proxyProtocol: 'required', ...trusted }));
      assert.equal(issue.path, 'listeners[0].proxyProtocol');
    }
    const { snapshot } = await loadWith(
      {},
      {},
      { proxyProtocol: 'required', trustedProxies: ['10.0.0.0/8'] },
    );
    assert.equal(snapshot.listeners[0].proxyProtocol, true);
    assert.equal((await loadWith({}, {})).snapshot.listeners[0].proxyProtocol, false);
  });
});
