import { documentWith } from '../../../test/fixtures/config.ts';
import { certificates, checkLint, listener } from '../../../test/fixtures/lint.ts';

checkLint('certificate-expiry', [
  {
    name: 'far from it',
    document: documentWith({ listeners: [listener({ tls: { certificates, clientCa: 'file:./ca.crt' } })] }),
    found: [],
  },
  ...[
    { name: 'within thirty days', nowMs: Date.UTC(2126, 9, 5), severity: 'warning' },
    { name: 'over', nowMs: Date.UTC(2126, 10, 2), severity: 'error' },
    { name: 'not valid yet', nowMs: Date.UTC(2026, 10, 25), severity: 'error' },
  ].map(({ name, nowMs, severity }) => ({
    name,
    nowMs,
    document: documentWith({
      listeners: [listener({ tls: { certificates, clientCa: 'file:./ca.crt' } })],
      upstreams: { origin: { targets: ['https://127.0.0.1:9000'], ca: 'file:./ca.crt' } },
      consumers: [{ name: 'c', credentials: [{ mtls: { certificate: 'file:./api.crt' } }] }],
    }),
    found: [
      `${severity} listeners[0].tls.certificates[0].cert`,
      `${severity} listeners[0].tls.clientCa`,
      `${severity} upstreams.origin.ca`,
      `${severity} consumers[0].credentials[0].mtls.certificate`,
    ],
  })),
  {
    name: 'one authority of two',
    nowMs: Date.UTC(2126, 2, 1),
    document: documentWith({
      listeners: [listener({ tls: { certificates, clientCa: 'file:./both.crt' } })],
    }),
    found: ['warning listeners[0].tls.clientCa'],
  },
]);
