import { type Document, proxyDocument } from '../fixtures/gateway.ts';

/**
 * What the suite is run through. The body limit is over the suite's 999,999,999-byte announcement, which it
 * wants refused as a broken message or waited for, not as too large. DELETE has no route, so that it is answered by us.
 */
export function probeDocument(port: number, upstreamPort: number): Document {
  return proxyDocument({
    port,
    upstream: `http://127.0.0.1:${upstreamPort}`,
    listener: { limits: { bodyBytes: '2GB' } },
    routes: [
      {
        name: 'all',
        match: { path: '/**', methods: ['GET', 'HEAD', 'POST', 'OPTIONS'] },
        upstream: 'origin',
        policies: [],
      },
    ],
  });
}
