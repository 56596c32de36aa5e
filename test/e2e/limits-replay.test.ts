import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { before, describe, it } from 'node:test';
import {
  createBundle,
  PolicyCache,
  PolicyCatalog,
  parseDocument,
  secretsOf,
} from '../../src/config/index.ts';
import type { AccessRecord, DecisionEntry, Snapshot } from '../../src/contract/index.ts';
import { evaluate } from '../../src/evaluator/index.ts';
import { parseIpAddress } from '../../src/lib/ip-address.ts';
import { POLICIES } from '../../src/policies/index.ts';
import { createLocalCounters } from '../../src/state/index.ts';
import { filesFrom } from '../fixtures/config.ts';
import { type Document, freePort, startGateway } from '../fixtures/gateway.ts';
import { NOBODY_THERE } from '../fixtures/nobody-there.ts';
import { temporaryFolder } from '../fixtures/process.ts';
import { RawClient, statusOf } from '../fixtures/raw-client.ts';
import { RawUpstream, send } from '../fixtures/raw-upstream.ts';
import { Dice } from '../fuzz/generate.ts';

const SEED = 20_261_125;
const REQUESTS = 1500;
const KEYS = { ANN_KEY: 'ann-key-0123456789abcdef', BEN_KEY: 'ben-key-0123456789abcdef' } as const;

const limit = (config: object) => ({ 'rate-limit': config });
const ALGORITHMS = {
  gcra: limit({ limit: 5, window: '80ms', burst: 3, by: 'address' }),
  'token-bucket': limit({ limit: 5, window: '90ms', burst: 9, algorithm: 'token-bucket', by: 'address' }),
  'fixed-window': limit({ limit: 4, window: '70ms', algorithm: 'fixed-window', by: 'address' }),
  'sliding-window': limit({ limit: 4, window: '60ms', algorithm: 'sliding-window', by: 'address' }),
};

/** However slow the run is, some requests are too many; however fast, some are not. */
const SEVERAL = [
  { limit: 5, window: '80ms' },
  { limit: 10, window: '2s', burst: 10, algorithm: 'token-bucket' },
  { limit: 12, window: '1d', algorithm: 'fixed-window' },
  { limit: 12, window: '2d', algorithm: 'sliding-window' },
];
const WRONG = { status: [401], codes: ['forbidden'] };

const POLICIES_BY_ROUTE: Readonly<Record<string, readonly unknown[]>> = {
  ...Object.fromEntries(Object.entries(ALGORITHMS).map(([name, policy]) => [name, [policy]])),
  several: [limit({ limits: SEVERAL, by: 'address' })],
  header: [limit({ limits: SEVERAL, by: { header: 'x-tenant' } })],
  consumer: [{ 'api-key': {} }, limit({ limits: SEVERAL, by: 'consumer' })],
  cost: [limit({ limits: SEVERAL, by: 'route', cost: { expression: 'size(request.path) - 6', max: 5 } })],
  // By windows: what is given back is the same whenever it comes within one.
  'count-fixed': [
    limit({ limit: 12, window: '1d', algorithm: 'fixed-window', by: 'address', count: WRONG }),
    { acl: { allow: 'everyone', deny: { paths: ['/count-fixed/no'] } } },
  ],
  'count-sliding': [
    limit({ limit: 12, window: '1d', algorithm: 'sliding-window', by: 'address', count: WRONG }),
    { acl: { allow: 'everyone', deny: { paths: ['/count-sliding/no'] } } },
  ],
};

function documentOf(port: number, upstream: string): Document {
  const key = (name: string) => ({ 'api-key': { secret: `env:${name}` } });
  return {
    sallyport: 1,
    // Offline nobody is ever too busy.
    overload: 'off',
    listeners: [{ name: 'public', address: `127.0.0.1:${port}`, trustedProxies: ['127.0.0.1'] }],
    upstreams: { origin: { targets: [upstream] } },
    consumers: [
      { name: 'ann', credentials: [key('ANN_KEY')] },
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

/** What the records do not have: they never hold header values. */
interface Sent {
  readonly id: string;
  readonly path: string;
  readonly fields: readonly string[];
}

const CLIENTS = ['192.0.2.1', '192.0.2.2', '::ffff:192.0.2.2', '2001:db8::1', '2001:db8::2'];
const LEAVES = ['a', 'bb', 'ccc', 'no', 'wrong', 'a-longer-one'];

function generate(): readonly Sent[] {
  const dice = new Dice(SEED);
  const routes = Object.keys(POLICIES_BY_ROUTE);
  return Array.from({ length: REQUESTS }, (_, i) => ({
    id: `request-${i}`,
    path: `/${dice.pick(routes)}/${dice.pick(LEAVES)}`,
    fields: [
      `X-Request-Id: request-${i}`,
      `X-Forwarded-For: ${dice.pick(CLIENTS)}`,
      ...(dice.oneIn(5) ? [] : [`X-Tenant: ${dice.pick(['a', 'b'])}`]),
      ...(dice.oneIn(4) ? [] : [`X-API-Key: ${dice.pick([KEYS.ANN_KEY, KEYS.BEN_KEY])}`]),
    ],
  }));
}

const headOf = ({ path: target, fields }: Sent): string =>
  `GET ${target} HTTP/1.1\r\nHost: api.test\r\n${fields.join('\r\n')}\r\n\r\n`;

/** Where it should be wrong, the upstream says so. */
async function startUpstream(): Promise<RawUpstream> {
  const [right, wrong] = ['200 OK', '401 Unauthorized'].map((line) =>
    send(`HTTP/1.1 ${line}\r\nContent-Length: 0\r\n\r\n`),
  );
  return await RawUpstream.start({
    keep: false,
    answer: (socket, request, index) => {
      const answer = request.startLine.includes('/wrong ') ? wrong : right;
      answer(socket, request, index);
    },
  });
}

interface Run {
  readonly document: Document;
  readonly records: readonly AccessRecord[];
}

/** One after the other: what a record says of the time is the order as well. */
async function runLive(requests: readonly Sent[]): Promise<Run> {
  const folder = await temporaryFolder();
  const upstream = await startUpstream();
  const records = path.join(folder.path, 'records.jsonl');
  try {
    const document = documentOf(await freePort(), upstream.url);
    const gateway = await startGateway(document, { env: KEYS, records });
    try {
      const client = await RawClient.connect(gateway.port);
      for (const request of requests) {
        client.forget();
        client.send(headOf(request));
        const response = await client.response();
        assert.ok(response?.complete, `${request.id} was not answered\n${gateway.output}`);
        assert.ok(statusOf(response) < 500, `${request.id}: ${response.startLine}`);
      }
      client.close();
    } finally {
      await gateway.stop();
    }
    const lines = (await readFile(records, 'utf8')).trimEnd().split('\n');
    return { document, records: lines.map((line) => JSON.parse(line)) };
  } finally {
    await upstream.stop();
    await folder.remove();
  }
}

async function compile(document: Document): Promise<Snapshot> {
  const files = filesFrom({});
  const parsed = parseDocument(JSON.stringify(document), 'gateway.json');
  const deps = { catalog: new PolicyCatalog(POLICIES), cache: new PolicyCache(), files };
  const { snapshot } = await createBundle(parsed, { ...deps, secrets: secretsOf(KEYS, files) });
  return snapshot;
}

describe(`${REQUESTS} requests against limits, replayed from their records`, () => {
  const sent = new Map(generate().map((request) => [request.id, request]));
  let run: Run;
  let snapshot: Snapshot;
  before(async () => {
    run = await runLive([...sent.values()]);
    snapshot = await compile(run.document);
  });

  it('are decided as they were live, one by one', async () => {
    const state = createLocalCounters();
    for (const record of run.records) assert.deepEqual(await replayed(record, state), record.decisions);
    await snapshot.dispose();
  });

  it('were let on and refused by every limit', () => {
    for (const route of Object.keys(POLICIES_BY_ROUTE)) {
      const outcomes = new Set(
        run.records
          .filter((record) => record.route === route)
          .flatMap(({ decisions }) => decisions)
          .filter(({ policy }) => policy === 'rate-limit')
          .map(({ outcome }) => outcome),
      );
      assert.deepEqual([...outcomes].sort(), ['continue', 'reject'], route);
    }
  });

  it('were refused by one limit of several, and by more at a time', () => {
    const rules = run.records.flatMap(({ decisions }) => decisions.map(({ rule = '' }) => rule));
    for (const form of [/^rate-limit-\w+$/, /rate-limit-1d, rate-limit-2d$/])
      assert.ok(
        rules.some((rule) => form.test(rule)),
        String(form),
      );
  });

  async function replayed(
    record: AccessRecord,
    state: ReturnType<typeof createLocalCounters>,
  ): Promise<readonly DecisionEntry[]> {
    const request = sent.get(record.requestId);
    const peer = parseIpAddress('127.0.0.1');
    assert.ok(request !== undefined && peer !== undefined);
    assert.equal(record.path, request.path);
    const timeMs = Date.parse(record.time);
    const judgement = await evaluate(
      snapshot.listeners[0],
      {
        id: record.requestId,
        scheme: 'http',
        peer,
        head: Buffer.from(headOf(request), 'latin1'),
        body: new Uint8Array(),
        upstreamStatus: record.upstream === undefined ? undefined : record.status,
      },
      {
        clock: { now: () => timeMs, monotonic: () => timeMs },
        random: { hex: () => assert.fail('no policy here draws lots') },
        ...NOBODY_THERE,
        state,
      },
    );
    assert.ok(judgement.kind === 'judged');
    assert.equal(judgement.evaluation.request.client.text, record.client);
    return judgement.evaluation.entries;
  }
});
