/** What a trial costs each request: nanoseconds in one thread. Run by hand: node bench/micro/trial.ts */
import {
  createBundle,
  PolicyCache,
  PolicyCatalog,
  parseDocument,
  secretsOf,
} from '../../src/config/index.ts';
import { type EvaluationDeps, NEVER_BUSY, NOBODY_TOLD, type Snapshot } from '../../src/contract/index.ts';
import { RequestError } from '../../src/errors.ts';
import { Evaluation, type RequestSource, viewOf } from '../../src/evaluator/index.ts';
import type { EndedExchange } from '../../src/gateway/recorder.ts';
import { Serving } from '../../src/gateway/serving.ts';
import { ShadowBans } from '../../src/gateway/shadow/bans.ts';
import { ShadowScopes } from '../../src/gateway/shadow/counters.ts';
import { SecondJudge } from '../../src/gateway/shadow/second-judge.ts';
import type { SeenRequest } from '../../src/gateway/shadow/seen.ts';
import { CurrentTrial } from '../../src/gateway/trial/current-trial.ts';
import { Deadlines } from '../../src/lib/deadlines.ts';
import { HeaderList } from '../../src/lib/header-list.ts';
import { parseIpAddress } from '../../src/lib/ip-address.ts';
import { createSharedIo } from '../../src/lib/shared-io.ts';
import { createSystemRandom, systemClock } from '../../src/lib/system.ts';
import { createLogger, createMeter } from '../../src/observability/index.ts';
import { OFFLINE } from '../../src/outbound/index.ts';
import { POLICIES } from '../../src/policies/index.ts';
import { attachSharedCounters, CurrentBans, createSharedCounters } from '../../src/state/index.ts';
import { UpstreamRegistry } from '../../src/upstream/index.ts';
import { filesFrom } from '../../test/fixtures/config.ts';

const TIMES = 100_000;
const ROUNDS = 20;
const KEY = 'ann-key-0123456789abcdef';

/** Nanoseconds of the best of several rounds. */
function measure(what: string, work: () => unknown): Record<string, string | number> {
  let best = Number.POSITIVE_INFINITY;
  let last: unknown;
  for (let round = 0; round < ROUNDS; round++) {
    const from = performance.now();
    for (let i = 0; i < TIMES; i++) last = work();
    best = Math.min(best, ((performance.now() - from) * 1e6) / TIMES);
  }
  return { what, 'ns/request': Math.round(best), last: typeof last };
}

async function compile(note: string): Promise<Snapshot> {
  const policies = [
    { 'ip-list': { deny: ['203.0.113.0/24'] } },
    { 'api-key': {} },
    { acl: { allow: [{ consumers: ['ann'] }] } },
    { 'rate-limit': { limit: 1_000_000_000, window: '1h', by: 'consumer' } },
    { headers: { request: { set: { 'x-note': note } } } },
  ];
  const document = {
    sallyport: 1,
    listeners: [{ name: 'public', address: '127.0.0.1:8080' }],
    upstreams: { origin: { targets: ['http://127.0.0.1:1'] } },
    consumers: [{ name: 'ann', credentials: [{ 'api-key': { secret: 'env:KEY' } }] }],
    routes: [{ name: 'all', match: { path: '/**' }, upstream: 'origin', policies }],
  };
  const files = filesFrom({});
  const deps = { catalog: new PolicyCatalog(POLICIES), cache: new PolicyCache(), files };
  const parsed = parseDocument(JSON.stringify(document), 'bench');
  return (await createBundle(parsed, { ...deps, secrets: secretsOf({ KEY }, files) })).snapshot;
}

const [active, candidate] = await Promise.all([compile('old'), compile('new')]);
const [plan] = active.listeners;
const random = createSystemRandom();
const log = createLogger({ write: () => {}, clock: systemClock });
const deadlines = new Deadlines(systemClock.monotonic, () => {});
const registry = new UpstreamRegistry({ clock: systemClock, deadlines, io: createSharedIo(), log });
const meter = createMeter();
const servingOf = (snapshot: Snapshot) => new Serving(snapshot, registry, meter, () => {});
const count = meter.counter('sallyport_trial_requests_total', { arm: 'canary' });
const state = attachSharedCounters(createSharedCounters({ random, maxKeys: 4096, threads: 1 }).memory);
const bans = new CurrentBans();
const deps: EvaluationDeps = {
  clock: systemClock,
  random,
  state,
  network: OFFLINE,
  bans,
  load: NEVER_BUSY,
  notices: NOBODY_TOLD,
};

const peer = parseIpAddress('192.0.2.1');
if (peer === undefined) throw new Error('no address');
const FIELDS = ['Host', 'a.test', 'User-Agent', 'bench/1.0', 'Accept', '*/*', 'Accept-Encoding', 'gzip'];
const sourceWith = (...fields: string[]): RequestSource => ({
  id: 'request-1',
  method: 'GET',
  scheme: 'http',
  authority: 'a.test',
  target: '/orders/1',
  headers: new HeaderList([...FIELDS, ...fields]),
  httpVersion: '1.1',
  peer,
  certificate: undefined,
});
function evaluationOf(source: RequestSource): Evaluation {
  const view = viewOf(source, plan);
  if (view instanceof RequestError) throw view;
  return new Evaluation(plan, view, deps);
}

const canary = { share: 0.5, consumers: [], routes: [], addresses: [] };
const trial = { rollout: 'bench', revision: candidate.revision, shadow: undefined, canary };
const counters = { baseline: count, canary: count };
const current = new CurrentTrial(trial, servingOf(active), servingOf(candidate), counters);

/** As an exchange ends that went well. */
const ENDED: EndedExchange = Object.assign(Object.create(null), {
  status: 200,
  startedAtMs: 1,
  dispatch: { headAtMs: 2 },
});
function chosen(source: RequestSource): () => unknown {
  const evaluation = evaluationOf(source);
  return () => {
    const part = current.partOf(evaluation);
    part?.ended(ENDED);
    return part;
  };
}

const withKey = sourceWith('X-Api-Key', KEY);
const withToken = sourceWith('X-Api-Key', 't'.repeat(1000));
const scopes = new ShadowScopes(state, 'bench', candidate.revision);
const judge = new SecondJudge(candidate, {
  clock: systemClock,
  random,
  load: NEVER_BUSY,
  scopes,
  bans: new ShadowBans(new CurrentBans(), bans),
  onDefect: () => {},
});
const outcome = { kind: 'forward', status: 0, route: 'all' } as const;
const nobody = { by: undefined, policy: undefined, code: undefined, rule: undefined };
const seen: SeenRequest = Object.assign(Object.create(null), {
  source: withKey,
  expect: '',
  home: { seenBy: (own: unknown) => own },
  plan,
  atMs: Date.now(),
  durationMs: 1,
  bodyBytes: 0,
  hasOpenBody: false,
  outcome: { ...outcome, ...nobody },
  end: { status: 200, code: undefined, upstreamMs: 1 },
});
const none: { readonly current: CurrentTrial | undefined } = { current: undefined };

console.table([
  measure('without a trial: whether there is one', () => none.current !== undefined),
  measure('canary: chosen and counted, by address', chosen(sourceWith())),
  measure('canary: chosen and counted, by a key', chosen(withKey)),
  measure('canary: chosen and counted, by 1000 characters', chosen(withToken)),
  measure('canary: seen by the rules of the other revision', () => evaluationOf(withKey)),
  measure('shadow: ip-list, api-key, acl, rate-limit and headers again', () => judge.judge(seen)),
  measure('the same, as live traffic has it', () => evaluationOf(withKey).runRequest()),
]);
await Promise.all([active.dispose(), candidate.dispose()]);
deadlines.stop();
