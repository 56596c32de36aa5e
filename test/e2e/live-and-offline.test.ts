import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import type { AccessRecord, DecisionEntry, Snapshot } from '../../src/contract/index.ts';
import { POLICIES } from '../../src/policies/index.ts';
import { BRIEF } from './live-and-offline/document.ts';
import { askLive, type LiveRun, outcomeOf } from './live-and-offline/live.ts';
import { compileDocument, OfflineJudge } from './live-and-offline/offline.ts';
import { FORWARDED, type Outcome } from './live-and-offline/outcome.ts';
import { type GeneratedRequest, generateRequests } from './live-and-offline/requests.ts';

const SEED = 20_260_201;
const REQUESTS = 2500;
/** What happens less often than this was hardly tried. */
const A_FEW = 5;

/** Policies that refuse nothing here: they edit, say who nobody is, or limit what comes at the same time. */
const EDITING: readonly string[] = [
  'anonymous',
  'concurrency',
  'headers',
  'identity-headers',
  'security-headers',
  'upstream-auth',
];

/** Policies that ask others, of whom nobody is there: what they do where nobody has to be asked is in OUTCOMES. */
const ASKING: readonly string[] = ['external-auth', 'oauth2-introspection'];

/** Policies that count alone: how soon all workers know of a ban hangs on how fast the run is. */
const COUNTING: readonly string[] = ['auto-ban'];

/** Policies of what the requests, which are not sent over TLS, cannot have. */
const WANTING: readonly string[] = ['mtls'];

/** What else there must be of decisions: mode, policy, outcome. */
const OUTCOMES: readonly string[] = [
  'enforce cors respond',
  'enforce headers skipped',
  'enforce headers error',
  'enforce acl error',
  'enforce acl skipped',
  'enforce validate skipped',
  'enforce security-headers skipped',
  'shadow rate-limit error',
  'shadow rate-limit reject',
  'shadow api-key reject',
  'shadow acl reject',
  'shadow ip-list reject',
  'shadow validate reject',
  'shadow cors respond',
  'shadow cors reject',
  'enforce external-auth skipped',
  'shadow oauth2-introspection reject',
  'shadow mtls reject',
];

const VERDICTS: readonly string[] = [
  FORWARDED,
  'answered 204',
  'refused 400 bad-path',
  'refused 400 bad-host',
  'refused 400 malformed-request',
  'refused 400 header-underscore',
  'refused 400 invalid-request',
  'refused 401 unauthenticated',
  'refused 401 invalid-credential',
  'refused 403 address-denied',
  'refused 403 forbidden',
  'refused 403 origin-denied',
  'refused 404 no-route',
  'refused 405 method-not-allowed',
  'refused 415 unsupported-media-type',
  'refused 417 expectation-failed',
  'refused 429 rate-limited',
  'refused 500 policy-failed',
];

/** One request, what became of it in the running program, and what the evaluator alone says of it. */
interface Pair {
  readonly request: GeneratedRequest;
  readonly record: AccessRecord;
  readonly live: Outcome;
  readonly offline: Outcome;
}

describe(`${REQUESTS} generated requests, live and offline`, () => {
  let run: LiveRun;
  let snapshot: Snapshot;
  let pairs: readonly Pair[];

  before(async () => {
    const requests = generateRequests(SEED, REQUESTS);
    run = await askLive(requests);
    snapshot = await compileDocument(run.document);
    pairs = await pairUp(requests, run, new OfflineJudge(snapshot));
    await snapshot.dispose();
  });

  it('are judged by one revision and recorded once each', () => {
    assert.equal(run.records.length, REQUESTS);
    const revisions = new Set(pairs.map(({ record }) => record.revision));
    assert.deepEqual([...revisions], [snapshot.revision]);
  });

  it('find the same decisions, entry by entry, and the same verdicts', () => {
    for (const { request, live, offline } of pairs)
      assert.deepEqual({ request, ...offline }, { request, ...live });
  });

  it('reach the upstream where offline says forwarded, and nowhere else', () => {
    const forwarded = pairs.filter(({ offline }) => offline.verdict === FORWARDED);
    assert.deepEqual(new Set(forwarded.map(({ request }) => request.id)), run.arrived);
  });

  it('are answered with the status that was recorded', () => {
    const others = pairs.filter(({ request, record }) => run.statuses.get(request.id) !== record.status);
    assert.deepEqual(others, []);
  });

  it('ask every policy of the project, and every attachment', () => {
    const attached = new Set(snapshot.attachments.map(({ policy }) => policy));
    const missing = POLICIES.filter(({ name }) => !attached.has(name)).map(({ name }) => name);
    assert.deepEqual(missing, [], 'attach them in live-and-offline/document.ts');
    const asked = new Set(decisionsOf(pairs).map(({ attachment }) => attachment));
    assert.deepEqual(
      snapshot.attachments.filter(({ id }) => !asked.has(id)),
      [],
    );
  });

  it('are let on and refused by every policy, and by every limit', () => {
    const refusing = POLICIES.map(({ name }) => name).filter(
      (name) => ![...EDITING, ...COUNTING, ...ASKING, ...WANTING].includes(name),
    );
    const limits = snapshot.attachments.filter(({ policy, id }) => policy === 'rate-limit' && !isBrief(id));
    const wanted = [
      ...[...EDITING, ...COUNTING].map((name) => `enforce ${name} continue`),
      ...refusing.flatMap((name) => [`enforce ${name} continue`, `enforce ${name} reject`]),
      ...limits.flatMap(({ id }) => [`${id} continue`, `${id} reject`]),
      ...OUTCOMES,
    ];
    const met = decisionsOf(pairs).flatMap(({ mode, policy, attachment, outcome }) => [
      `${mode} ${policy} ${outcome}`,
      `${attachment} ${outcome}`,
    ]);
    assert.deepEqual(rare(wanted, met), []);
  });

  it('are forwarded, answered and refused in all the ways they were made for', () => {
    const met = pairs.map(({ live }) => live.verdict);
    assert.deepEqual(rare(VERDICTS, met), []);
  });
});

async function pairUp(
  requests: readonly GeneratedRequest[],
  { records }: LiveRun,
  judge: OfflineJudge,
): Promise<readonly Pair[]> {
  const byId = new Map(records.map((record) => [record.requestId, record]));
  const pairs: Pair[] = [];
  for (const request of requests) {
    const record = byId.get(request.id);
    assert.ok(record, `${request.id} has no record`);
    const offline = await judge.judge(request, Date.parse(record.time));
    pairs.push({ request, record, live: outcomeOf(record), offline });
  }
  return pairs;
}

const decisionsOf = (pairs: readonly Pair[]): readonly DecisionEntry[] =>
  pairs.flatMap(({ live }) => live.decisions);

/** Compared like all others, but how often it refuses nobody can say. */
const isBrief = (id: string): boolean => id.endsWith(`@${BRIEF}`);

/** Those of `wanted` that were met less than a few times, with how often. */
function rare(wanted: readonly string[], met: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const name of met) counts.set(name, (counts.get(name) ?? 0) + 1);
  return wanted
    .filter((name) => (counts.get(name) ?? 0) < A_FEW)
    .map((name) => `${name}: ${counts.get(name) ?? 0}`);
}
