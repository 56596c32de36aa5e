import { type Document, proxyDocument } from '../../test/fixtures/gateway.ts';

/** The caller's key; the gateway reads it from the environment variable `BENCH_KEY`. */
export const KEY = 'bench-key-0123456789abcdef0123456789abcdef';
export const CIDRS = 10_000;

/** A JSON object of about one kilobyte that the schema below accepts. */
const BODY = JSON.stringify({
  customer: 'c-1001',
  currency: 'EUR',
  lines: Array.from({ length: 14 }, (_, i) => ({
    sku: `sku-${1000 + i}`,
    quantity: i + 1,
    price: 9.95,
    note: 'as usual',
  })),
});

const SCHEMA = {
  type: 'object',
  required: ['customer', 'currency', 'lines'],
  additionalProperties: false,
  properties: {
    customer: { type: 'string', pattern: '^c-[0-9]+$' },
    currency: { enum: ['EUR', 'USD'] },
    lines: {
      type: 'array',
      maxItems: 100,
      items: {
        type: 'object',
        required: ['sku', 'quantity', 'price'],
        additionalProperties: false,
        properties: {
          sku: { type: 'string', maxLength: 40 },
          quantity: { type: 'integer', minimum: 1 },
          price: { type: 'number', minimum: 0 },
          note: { type: 'string', maxLength: 100 },
        },
      },
    },
  },
};

/** Distinct networks of several sizes, none of them loopback. */
function networks(): string[] {
  const found: string[] = [];
  for (let i = 0; i < CIDRS; i++) {
    const network = ((11 + (i % 100)) << 24) | ((i * 2654435761) & 0x00ffff00);
    const bytes = [24, 16, 8].map((shift) => (network >>> shift) & 255);
    found.push(`${bytes.join('.')}.0/${24 + (i % 8)}`);
  }
  return [...new Set(found)];
}

function policies(more: readonly unknown[]): unknown[] {
  return [
    { 'ip-list': { deny: networks() } },
    { 'api-key': {} },
    { acl: { allow: { groups: ['partners'] } } },
    { 'rate-limit': { limit: 1_000_000_000, window: '1m', by: 'consumer' } },
    ...more,
  ];
}

/** A protected API: `/read/**` behind the usual policies, `/write/**` behind the same and `validate`. */
export function protectedApi(port: number, upstream: string): Document {
  return proxyDocument({
    port,
    upstream,
    routes: [
      { name: 'read', match: { path: '/read/**' }, upstream: 'origin', policies: policies([]) },
      {
        name: 'write',
        match: { path: '/write/**' },
        upstream: 'origin',
        policies: policies([{ validate: { body: SCHEMA } }]),
      },
    ],
    document: {
      consumers: [
        {
          name: 'mobile-app',
          groups: ['partners'],
          credentials: [{ 'api-key': { secret: 'env:BENCH_KEY' } }],
        },
      ],
    },
  });
}

/** For wrk: a POST of BODY. */
export const POST_SCRIPT = `wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[${BODY}]==]
`;
