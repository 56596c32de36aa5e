import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Document, freePort, proxyDocument } from '../../test/fixtures/gateway.ts';
import { startSallyport } from '../lib/gateway.ts';
import { cpuRatio, laneRow, MEASURED_CORE, measureLanes } from '../lib/lanes.ts';
import type { RunOptions, Scenario } from '../lib/scenario.ts';
import { onStage } from '../lib/stage.ts';
import { startNginx } from '../peers/nginx.ts';

const KEY = 'bench-key-0123456789abcdef0123456789abcdef';
const CIDRS = 10_000;

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

function document(port: number, upstream: string): Document {
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

const script = `wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[${BODY}]==]
`;

/** What a protected API costs: authentication, authorisation, addresses, limits and a record of every request. */
const scenario: Scenario = {
  title: `api-key, acl, ip-list (${CIDRS} CIDRs), rate-limit, records to a file; the same with validate on a 1 kB POST`,
  run: (options: RunOptions) =>
    onStage(async ({ originPort, add }) => {
      const folder = await mkdtemp(join(tmpdir(), 'bench-policies-'));
      try {
        const post = join(folder, 'post.lua');
        await writeFile(post, script);
        const upstream = `http://127.0.0.1:${originPort}`;
        const nginx = await add(
          startNginx({ port: await freePort(), upstreamPort: originPort, core: MEASURED_CORE }),
        );
        const sallyport = await add(
          startSallyport('sallyport', document(await freePort(), upstream), {
            records: join(folder, 'records.jsonl'),
            env: { BENCH_KEY: KEY },
          }),
        );
        const headers = [`X-API-Key: ${KEY}`];
        const results = await measureLanes(
          [
            { name: 'nginx GET', peer: nginx, load: { path: '/read/17', headers } },
            { name: 'sallyport GET, policies', peer: sallyport, load: { path: '/read/17', headers } },
            { name: 'nginx POST', peer: nginx, load: { path: '/write/17', headers, script: post } },
            {
              name: 'sallyport POST, policies + validate',
              peer: sallyport,
              load: { path: '/write/17', headers, script: post },
            },
          ],
          options,
        );
        const [nginxGet, get, nginxPost, validated] = results;
        return {
          rows: [
            laneRow(nginxGet, nginxGet),
            laneRow(get, nginxGet),
            laneRow(nginxPost, nginxPost),
            laneRow(validated, nginxPost),
          ],
          bars: [
            { name: 'policies/nginx', value: cpuRatio(get, nginxGet), limit: 2.0 },
            { name: 'policies+validate/nginx', value: cpuRatio(validated, nginxPost), limit: 2.6 },
          ],
        };
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }),
};

export default scenario;
