import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  createBundle,
  PolicyCache,
  PolicyCatalog,
  parseDocument,
  secretsOf,
} from '../../src/config/index.ts';
import type { RecordedRequest, Snapshot } from '../../src/contract/index.ts';
import { openRecordingIn } from '../../src/control/index.ts';
import { parseIpAddress } from '../../src/lib/ip-address.ts';
import { type DecisionDiff, loadReplay } from '../../src/lifecycle/index.ts';
import { POLICIES } from '../../src/policies/index.ts';
import { LiveState } from '../../src/state/index.ts';
import { filesFrom } from '../fixtures/config.ts';
import { type Document, freePort, type Gateway, startGateway } from '../fixtures/gateway.ts';
import { Program } from '../fixtures/process.ts';
import { RawClient } from '../fixtures/raw-client.ts';
import { RawUpstream, send } from '../fixtures/raw-upstream.ts';
import { all } from '../fixtures/recording/stage.ts';
import { Dice } from '../fuzz/generate.ts';

/** A gateway records what it decides, and the same document decides the same of the recording, limits and bans included. */

const SEED = 20_261_126;
const REQUESTS = 1200;
const KEYS = { ANN_KEY: 'ann-key-0123456789abcdef', BEN_KEY: 'ben-key-0123456789abcdef' } as const;

const limit = (config: object) => ({ 'rate-limit': config });
/** However slow the run is, some requests are too many; however fast, some are not. */
const SEVERAL = [
  { limit: 5, window: '80ms' },
  { limit: 10, window: '2s', burst: 10, algorithm: 'token-bucket' },
  { limit: 12, window: '1d', algorithm: 'fixed-window' },
  { limit: 12, window: '2d', algorithm: 'sliding-window' },
];
const NO = { acl: { allow: 'everyone', deny: { paths: ['/*/no'] } } };

const POLICIES_BY_ROUTE: Readonly<Record<string, readonly unknown[]>> = {
  gcra: [limit({ limit: 2, window: '1s', burst: 1, by: 'address' })],
  fixed: [limit({ limit: 2, window: '1s', algorithm: 'fixed-window', by: 'address' })],
  sliding: [limit({ limit: 2, window: '1s', algorithm: 'sliding-window', by: 'address' })],
  several: [limit({ limits: SEVERAL, by: { header: 'x-tenant' } })],
  consumer: [{ 'api-key': {} }, limit({ limits: SEVERAL, by: 'consumer' })],
  staff: [{ 'api-key': {} }, { acl: { allow: { groups: ['staff'] } } }],
  quota: [{ quota: { limit: 20, per: 'day', by: 'address' } }],
  answers: [
    limit({ limit: 3, window: '1d', algorithm: 'fixed-window', by: 'address', count: { status: [401] } }),
  ],
  places: [{ concurrency: { limit: 1, by: 'address' } }],
  banned: [
    { 'auto-ban': { after: 6, window: '1h', ban: '1d', for: ['forbidden'], by: { header: 'x-tenant' } } },
    NO,
  ],
};

function documentOf(port: number, upstream: string): Document {
  const key = (name: string) => ({ 'api-key': { secret: `env:${name}` } });
  return {
    sallyport: 1,
    overload: 'off',
    recording: { requests: 10_000 },
    groups: ['staff'],
    listeners: [{ name: 'public', address: `127.0.0.1:${port}`, trustedProxies: ['127.0.0.1'] }],
    upstreams: { origin: { targets: [upstream] } },
    consumers: [
      { name: 'ann', groups: ['staff'], credentials: [key('ANN_KEY')] },
      { name: 'ben', credentials: [key('BEN_KEY')] },
    ],
    routes: Object.entries(POLICIES_BY_ROUTE).map(([name, policies]) => ({
      name,
      match: { path: `/${name}/**` },
      upstream: 'origin',
      policies,
    })),
  };
}

/** None of this machine's, which no policy bans. */
const CLIENTS = ['198.51.100.1', '198.51.100.2', '::ffff:198.51.100.2', '2001:db8::1', '2001:db8::2'];

function heads(): readonly string[] {
  const dice = new Dice(SEED);
  const routes = [...Object.keys(POLICIES_BY_ROUTE), 'nowhere'];
  return Array.from({ length: REQUESTS }, (_, i) =>
    [
      `GET /${dice.pick(routes)}/${dice.pick(['a', 'bb', 'no', 'wrong'])} HTTP/1.1`,
      'Host: api.test',
      `X-Request-Id: request-${i}`,
      `X-Forwarded-For: ${dice.pick(CLIENTS)}`,
      ...(dice.oneIn(5) ? [] : [`X-Tenant: ${dice.pick(['a', 'b'])}`]),
      ...(dice.oneIn(4) ? [] : [`X-API-Key: ${dice.pick([KEYS.ANN_KEY, KEYS.BEN_KEY])}`]),
      '',
      '',
    ].join('\r\n'),
  );
}

/** Records tell the time in whole milliseconds: of two in the same one, which came first nobody knows. */
async function nextMillisecond(): Promise<void> {
  const nowMs = Date.now();
  while (Date.now() === nowMs) await new Promise(setImmediate);
}

async function compile(document: Document): Promise<Snapshot> {
  const files = filesFrom({});
  const parsed = parseDocument(JSON.stringify(document), 'gateway.json');
  const deps = { catalog: new PolicyCatalog(POLICIES), cache: new PolicyCache(), files };
  const { snapshot } = await createBundle(parsed, { ...deps, secrets: secretsOf(KEYS, files) });
  return snapshot;
}

describe(`${REQUESTS} recorded requests`, () => {
  let gateway: Gateway;
  let document: Document;
  let upstream: RawUpstream;
  let records: RecordedRequest[];

  before(async () => {
    const [right, wrong] = ['200 OK', '401 Unauthorized'].map((line) =>
      send(`HTTP/1.1 ${line}\r\nContent-Length: 0\r\n\r\n`),
    );
    upstream = await RawUpstream.start({
      keep: false,
      answer: (socket, request, index) =>
        (request.startLine.includes('/wrong ') ? wrong : right)(socket, request, index),
    });
    document = documentOf(await freePort(), upstream.url);
    gateway = await startGateway(document, { env: KEYS, admin: true });
    await gateway.admin('GET', '/api/recordings');
    const client = await RawClient.connect(gateway.port);
    for (const head of heads()) {
      await nextMillisecond();
      client.forget();
      client.send(head);
      const response = await client.response();
      assert.ok(response?.complete, gateway.output);
    }
    client.close();
    gateway.process.kill('SIGTERM');
    await once(gateway.process, 'exit');
    const source = { references: [], dataDir: join(gateway.folder, 'data'), environment: {}, randomBytes };
    records = await all((await openRecordingIn(source)).read());
  });
  after(async () => {
    await upstream.stop();
    await gateway.stop();
  });

  async function replayed(draft: Document): Promise<DecisionDiff> {
    const { replay } = await loadReplay();
    const snapshot = await compile(draft);
    const diff = await replay(snapshot, records);
    await snapshot.dispose();
    return diff;
  }

  it('are decided as they were, one by one', async () => {
    const diff = await replayed(document);
    assert.deepEqual(diff.flips, [], 'decided otherwise');
    assert.deepEqual(diff.undecided, []);
    assert.deepEqual([diff.records, diff.totals.same], [REQUESTS, REQUESTS]);
  });

  it('were let on and refused, by every route', () => {
    for (const route of Object.keys(POLICIES_BY_ROUTE).filter((name) => name !== 'places')) {
      const kinds = new Set(
        records.flatMap(({ outcome }) => (outcome?.route === route ? [outcome.kind] : [])),
      );
      assert.deepEqual([...kinds].sort(), ['forward', 'reject'], route);
    }
  });

  it('hold no credential', () => {
    assert.doesNotMatch(JSON.stringify(records), /-key-0123456789abcdef/);
  });

  it('show what a draft changes, and that alone', async () => {
    const routes = [document.routes].flat().map((route) => {
      assert.ok(typeof route === 'object' && route !== null && 'name' in route);
      return route.name === 'staff' ? { ...route, policies: [{ 'api-key': {} }] } : route;
    });
    const diff = await replayed({ ...document, routes });
    const wanted = records.filter(
      ({ outcome }) => outcome?.route === 'staff' && outcome.code === 'forbidden',
    );
    assert.ok(wanted.length > 0);
    assert.deepEqual(
      diff.flips.map(({ flip, before, consumer, count }) => [flip, before.code, consumer, count]),
      [['denied-to-allowed', 'forbidden', 'ben', wanted.length]],
    );
  });

  it('are replayed by the command, against the revision that was served', async () => {
    const run = async (draft: Document, ...more: readonly string[]) => {
      const file = join(gateway.folder, 'draft.json');
      writeFileSync(file, JSON.stringify(draft));
      const args = ['replay', file, '--data', join(gateway.folder, 'data'), ...more];
      const program = new Program(args, { env: KEYS, patienceMs: 60_000 });
      const code = await program.exit();
      return { code, text: program.stdout || program.stderr };
    };
    const same = await run(document);
    assert.equal(same.code, 0, same.text);
    const tighter = JSON.parse(JSON.stringify(document).replace('"limit":20', '"limit":10'));
    const flipped = await run(tighter, '--format', 'json');
    assert.equal(flipped.code, 1, flipped.text);
    const { totals, flips, baseline } = JSON.parse(flipped.text);
    assert.equal(baseline, 'revision');
    assert.ok(totals.allowedToDenied > 0);
    assert.deepEqual(
      new Set(flips.map(({ after }: { after: { policy: string } }) => after.policy)),
      new Set(['quota']),
    );
    const [id] = flips[0].examples;
    const example = await run(tighter, '--example', id);
    assert.match(
      example.text,
      new RegExp(`${id} .*\\n[\\s\\S]*route:quota/quota +continue.* +reject \\(quota-exceeded`),
    );
    assert.equal((await run(tighter, '--max-flips', '50%')).code, 0);
  });
});

it('a replay asks nobody, bans nobody, and counts nothing that anybody sees', async () => {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    response.end('{}');
  });
  server.listen(0, '127.0.0.1').unref();
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const url = `http://127.0.0.1:${(address satisfies AddressInfo).port}`;
  const live = new LiveState(undefined, 'empty');
  const deny = { acl: { allow: 'everyone', deny: { paths: ['/**'] } } };
  const route = (name: string, policies: readonly unknown[]) => ({
    name,
    match: { path: `/${name}/**` },
    upstream: 'origin',
    policies,
  });
  const document = {
    sallyport: 1,
    listeners: [{ name: 'public', address: '127.0.0.1:8080' }],
    upstreams: { origin: { targets: [url] } },
    routes: [
      route('external', [{ 'external-auth': { url } }]),
      route('jwt', [{ jwt: { audience: 'a', issuers: [{ issuer: url, jwks: `${url}/jwks` }] } }]),
      route('introspection', [
        {
          'oauth2-introspection': {
            endpoint: `${url}/introspect`,
            clientId: 'gateway',
            clientSecret: 'env:ANN_KEY',
            audience: 'a',
          },
        },
      ]),
      route('banned', [
        { 'auto-ban': { after: 1, window: '1m', ban: '1h', for: ['forbidden'], by: 'address' } },
        deny,
      ]),
    ],
  };
  const files = filesFrom({});
  const { snapshot } = await createBundle(parseDocument(JSON.stringify(document), 'gateway.json'), {
    catalog: new PolicyCatalog(POLICIES),
    cache: new PolicyCache(),
    files,
    live,
    secrets: secretsOf(KEYS, files),
  });
  const { replay } = await loadReplay();
  const records = ['external', 'jwt', 'introspection', 'banned', 'banned'].map((name, i) =>
    recordOf(`/${name}/a`, i, url),
  );
  const diff = await replay(snapshot, records);
  await snapshot.dispose();
  server.close();
  assert.equal(asked, 0);
  assert.ok(
    diff.flips.some(({ after }) => after.code === 'address-banned'),
    'the replay itself bans',
  );
  const peer = parseIpAddress('192.0.2.1');
  assert.ok(peer);
  assert.equal(live.bans.find(peer, records[4].atMs), undefined);
  assert.deepEqual(diff.undecided.map(({ policy }) => policy).sort(), [
    'external-auth',
    'jwt',
    'oauth2-introspection',
  ]);
});

/** One whose keys would have to be asked for. */
function tokenOf(issuer: string): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: issuer, aud: 'a', sub: 'ann', exp: Date.UTC(2030, 0) / 1000 };
  return `${part({ alg: 'RS256', kid: 'k', typ: 'JWT' })}.${part(claims)}.${'A'.repeat(342)}`;
}

function recordOf(target: string, i: number, issuer: string): RecordedRequest {
  return {
    requestId: `r-${i}`,
    atMs: Date.UTC(2026, 10, 23) + i * 100,
    durationMs: 1,
    revision: '',
    listener: 'public',
    scheme: 'http',
    peer: '192.0.2.1',
    method: 'GET',
    target,
    httpVersion: '1.1',
    headers: ['Host', 'a', 'Authorization', `Bearer ${tokenOf(issuer)}`],
    withheld: { headers: [], query: [] },
    body: { kind: 'none' },
    certificate: undefined,
    identity: undefined,
    outcome: {
      kind: 'forward',
      status: 0,
      route: target.split('/')[1],
      by: undefined,
      policy: undefined,
      code: undefined,
      rule: undefined,
    },
    decisions: [],
    upstream: { status: 200, ms: 1 },
    weight: 1,
  };
}
