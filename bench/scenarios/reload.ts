import {
  type Document,
  freePort,
  type Gateway,
  proxyDocument,
  startGateway,
} from '../../test/fixtures/gateway.ts';
import { CheckedLoad } from '../lib/checked-load.ts';
import { residentBytes } from '../lib/proc.ts';
import type { Outcome, RunOptions, Scenario } from '../lib/scenario.ts';
import { onStage } from '../lib/stage.ts';
import { median, percentile } from '../lib/statistics.ts';
import { ANSWER } from '../peers/origin.ts';

const ROUTES = 200;
const WARM_UP_RELOADS = 50;
const RELOADS = 1000;
const CONNECTIONS = 8;
const WORKERS = 2;
const BYTES_PER_MB = 1e6;

/** 200 routes with five policies each; the marker differs in every revision and shows in every answer. */
function document(port: number, upstream: string, marker: number): Document {
  const policies = [
    { 'ip-list': { deny: ['203.0.113.0/24', `198.51.100.${marker % 256}`] } },
    { 'rate-limit': { limit: 1_000_000_000, window: '1m', by: 'address' } },
    { cors: { origins: ['https://app.example.com'] } },
    { 'security-headers': {} },
    { headers: { response: { set: { 'x-marker': String(marker) } } } },
  ];
  const routes = Array.from({ length: ROUTES }, (_, i) => ({
    name: `route-${i}`,
    match: { path: `/r${i}/**` },
    upstream: 'origin',
    policies,
  }));
  return proxyDocument({ port, upstream, routes, listener: { revisionHeader: true } });
}

/** Publishes a document; returns its revision and how long it took until every worker enforced it. */
async function publish(gateway: Gateway, next: Document): Promise<{ revision: string; tookMs: number }> {
  const startedAt = performance.now();
  const response = await gateway.admin('POST', '/api/revisions', next);
  const answer = await response.json();
  const tookMs = performance.now() - startedAt;
  const revision: unknown =
    answer !== null && typeof answer === 'object' && 'revision' in answer ? answer.revision : undefined;
  if (!response.ok || typeof revision !== 'string')
    throw new Error(`publish refused: ${JSON.stringify(answer)}`);
  return { revision, tookMs };
}

/** Answers whose revision is not the one their marker was published under. */
function mixed(load: CheckedLoad, published: ReadonlyMap<number, string>): number {
  let wrong = 0;
  for (const [marker, revisions] of load.revisions) {
    const expected = published.get(marker);
    for (const revision of revisions)
      if (expected === undefined || !sameRevision(revision, expected)) wrong++;
  }
  return wrong;
}

/** A header may carry a shortened hash. */
const sameRevision = (shown: string, whole: string): boolean => shown.length >= 8 && whole.startsWith(shown);

async function measure(gateway: Gateway, upstream: string, options: RunOptions): Promise<Outcome> {
  const load = new CheckedLoad(gateway.port, ANSWER);
  const published = new Map<number, string>();
  const times: number[] = [];
  const reload = async (marker: number) => {
    const { revision, tookMs } = await publish(gateway, document(gateway.port, upstream, marker));
    published.set(marker, revision);
    load.floor = marker;
    return tookMs;
  };
  await reload(1);
  load.start(CONNECTIONS);
  for (let marker = 2; marker <= WARM_UP_RELOADS; marker++) await reload(marker);
  const before = residentBytes(gateway.pid);
  for (let marker = WARM_UP_RELOADS + 1; marker <= WARM_UP_RELOADS + RELOADS; marker++) {
    times.push(await reload(marker));
    if (marker % 100 === 0)
      options.log(
        `${marker} reloads, ${load.answers} answers, RSS ${megabytes(residentBytes(gateway.pid))} MB`,
      );
  }
  const after = residentBytes(gateway.pid);
  await load.stop();
  for (const failure of load.failures.slice(0, 5)) options.log(`failed: ${failure}`);
  const p99 = percentile(times, 0.99);
  return {
    rows: [
      {
        reloads: RELOADS,
        answers: load.answers,
        'publish median ms': median(times).toFixed(1),
        'p99 ms': p99.toFixed(1),
        'RSS before MB': megabytes(before),
        'RSS after MB': megabytes(after),
      },
    ],
    bars: [
      { name: 'reload/failed-requests', value: load.failures.length, limit: 0 },
      { name: 'reload/wrong-revisions', value: mixed(load, published), limit: 0 },
      { name: 'reload/enforced-p99-ms', value: p99, limit: 150 },
      { name: 'reload/rss-growth', value: after / before, limit: 1.15 },
    ],
  };
}

const megabytes = (bytes: number): string => (bytes / BYTES_PER_MB).toFixed(1);

/** Policy updates while traffic flows: nothing fails, nothing is mixed, memory stays flat. */
const scenario: Scenario = {
  title: `${RELOADS} reloads of ${ROUTES} routes × 5 policies in ${WORKERS} workers under load`,
  run: (options: RunOptions) =>
    onStage(async ({ originPort }) => {
      const upstream = `http://127.0.0.1:${originPort}`;
      const gateway = await startGateway(document(await freePort(), upstream, 0), {
        admin: true,
        workers: WORKERS,
      });
      try {
        return await measure(gateway, upstream, options);
      } finally {
        await gateway.stop();
      }
    }),
};

export default scenario;
