import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, it } from 'node:test';
import { issuesOf } from '../../test/fixtures/config.ts';
import { freePort } from '../../test/fixtures/gateway.ts';
import { PolicyCatalog } from '../config/index.ts';
import { ConfigError } from '../errors.ts';
import { POLICIES } from '../policies/index.ts';
import { DocumentSources } from './document-sources.ts';
import type { OfferedBundle } from './offered-bundle.ts';

/** Lint takes it for a key, and nobody else does. */
const KEY = '2f9a8b7c6d5e4f3a';
const SECRET = `{ headers: { request: { set: { x-api-key: ${KEY} } } } }`;
const GUEST = '{ anonymous: { consumer: guest } }';

let folder: string;
let port: number;
let served: OfferedBundle | undefined;
let sources: DocumentSources;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sallyport-offer-lint-'));
  port = await freePort();
  sources = new DocumentSources({
    catalog: new PolicyCatalog(POLICIES),
    path: path.join(folder, 'gateway.yaml'),
    environment: {},
    clock: { now: () => Date.UTC(2026, 10, 23, 15), monotonic: () => 0 },
    bound: async () => [],
    served: () => served,
  });
});
after(() => rm(folder, { recursive: true }));
beforeEach(() => {
  served = undefined;
});

const documentOf = (...policies: string[]): string => `sallyport: 1
listeners: [{ name: public, address: "127.0.0.1:${port}" }]
upstreams: { u: { targets: ["http://127.0.0.1:9"] } }
consumers: [{ name: guest }]
routes:
  - { name: before, match: { path: /before }, upstream: u, policies: [${GUEST}] }
  - { name: r, match: { path: /r }, upstream: u, policies: [${policies.join(', ')}] }
`;

const rulesOf = ({ findings }: OfferedBundle) => findings?.map(({ rule }) => rule);
const offer = (...policies: string[]) => sources.fromText(documentOf(...policies));

it('refuses what is unsafe, with its place, its fix and where to read, and without the secret', async () => {
  served = await offer(GUEST);
  const [issue, ...more] = await issuesOf(() => offer(GUEST, SECRET));
  assert.deepEqual(more, []);
  assert.equal(issue.line, 7);
  assert.match(issue.message, /\(inline-secret\)$/);
  assert.match(issue.suggestion ?? '', /docs\/checks\.md#inline-secret$/);
  assert.doesNotMatch(JSON.stringify(issue), new RegExp(KEY));
});

it('refuses what is unsafe at another place than before', async () => {
  served = await offer(GUEST, SECRET);
  const second = '{ headers: { request: { set: { x-auth-token: 99aa88bb77cc66dd } } } }';
  await assert.rejects(offer(GUEST, SECRET, second), ConfigError);
});

it('takes what is as unsafe as what is served, and tells of it first', async () => {
  served = await offer(GUEST, SECRET);
  assert.deepEqual(rulesOf(await offer(SECRET)), ['inline-secret', 'unauthenticated-route']);
});

it('tells what is most probably not meant so', async () => {
  served = await offer(GUEST);
  assert.deepEqual(rulesOf(await offer('{ rate-limit: { limit: 5, window: 1m, by: address } }')), [
    'unauthenticated-route',
  ]);
});

it('asks nothing at a start, of what is served already, or of what is gone back to', async () => {
  const unsafe = await offer(SECRET);
  assert.equal(rulesOf(unsafe), undefined);
  served = unsafe;
  assert.equal(rulesOf(await offer(SECRET)), undefined);
  served = await sources.fromStored({ document: documentOf(GUEST), files: {} });
  const { text: document, files } = unsafe;
  assert.equal(rulesOf(await sources.fromStored({ document, files })), undefined);
});
