import { type DeclaredConsumer, Pacer } from '../../config/index.ts';
import type { Awaitable, RecordedRequest, Snapshot } from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';
import { RecordedHead } from '../../evaluator/index.ts';
import type { DecisionDiff, ReplayExample } from './decision-diff.ts';
import { DiffTally } from './diff-tally.ts';
import { exampleOf } from './example.ts';
import { KnownCallers, type KnownCallersOptions } from './known-callers.ts';
import type { Provers } from './provers.ts';
import { type Judged, Side, type Undecided } from './side.ts';
import { VirtualTime } from './virtual-time.ts';

/** How far a replay has come. */
export interface ReplayProgress {
  readonly records: number;
  /** Time of the last record, in milliseconds since the epoch. */
  readonly atMs: number;
}

/** What revisions say of callers, so that who proved something then is to the draft who it would be now. */
export interface ReplayCallers {
  readonly draft: readonly DeclaredConsumer[];
  /** Of the revision that it is compared with; undefined where it is not known. */
  readonly against: readonly DeclaredConsumer[] | undefined;
  /** Ids of credentials that are kept beside all revisions; undefined where nobody can tell. */
  readonly live: readonly string[] | undefined;
  /** What each takes for proof; undefined where that is not known. */
  readonly provers?: { readonly draft: Provers; readonly against: Provers } | undefined;
}

export interface ReplayDeps {
  /** Judges the same records, for the comparison; without it they are compared with what was decided then. */
  readonly against?: Snapshot | undefined;
  /** Without it, callers are taken for who they were. */
  readonly callers?: ReplayCallers | undefined;
  /** Only these are compared. All count. */
  readonly only?: { readonly route?: string | undefined; readonly consumer?: string | undefined } | undefined;
  /** Id of a request that is to be looked at. */
  readonly example?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Told about every second. */
  readonly onProgress?: ((progress: ReplayProgress) => void) | undefined;
  /** Gives the event loop its turns; default every 5 ms. */
  readonly pacer?: Pacer | undefined;
}

/**
 * Judges recorded requests, which come in the order of their time, by a revision, in their own time: counters are empty
 * at the start, requests end when they did. Nobody is asked, nothing outlives it, and neither snapshot is disposed; each
 * is of its own, fresh from being compiled, since policies keep some of what they see to themselves.
 * Rejects with the reason of `signal`, and with what reading the records rejects with.
 */
export async function replay(
  snapshot: Snapshot,
  records: AsyncIterable<RecordedRequest> | Iterable<RecordedRequest>,
  deps: ReplayDeps = {},
): Promise<DecisionDiff> {
  const { signal, pacer = new Pacer() } = deps;
  const run = new ReplayRun(snapshot, deps);
  const progress = new Progress(deps.onProgress);
  for await (const record of records) {
    const judged = run.take(record);
    if (judged instanceof Promise) await judged;
    if (!pacer.isDue) continue;
    await pacer.breathe();
    signal?.throwIfAborted();
    progress.tell(run);
  }
  signal?.throwIfAborted();
  return run.diff();
}

const PROGRESS_MS = 1000;

class Progress {
  readonly #tell: ReplayDeps['onProgress'];
  #toldAtMs = performance.now();

  constructor(tell: ReplayDeps['onProgress']) {
    this.#tell = tell;
  }

  tell({ records, lastMs }: ReplayRun): void {
    if (this.#tell === undefined || performance.now() - this.#toldAtMs < PROGRESS_MS) return;
    this.#toldAtMs = performance.now();
    this.#tell({ records, atMs: lastMs });
  }
}

/** Refusals of the gateway itself that any revision gives to the same head. Others are of the moment. */
const REPEATABLE: ReadonlySet<string> = new Set([
  'bad-host',
  'bad-path',
  'header-underscore',
  'method-override',
  'method-not-allowed',
  'expectation-failed',
  'no-route',
  'payload-too-large',
]);
/** What was refused for these was judged by no policy. */
const UNJUDGED: ReadonlySet<string> = new Set(['address-banned', 'overloaded', 'draining']);
/** Refusals by what was counted before. */
const COUNTED: ReadonlySet<string> = new Set([
  'rate-limited',
  'quota-exceeded',
  'concurrency-limited',
  'too-many-failures',
  'caller-banned',
  'overloaded',
]);

class ReplayRun {
  readonly #snapshot: Snapshot;
  readonly #deps: ReplayDeps;
  readonly #time = new VirtualTime();
  readonly #tally = new DiffTally();
  #draft: Side | undefined = undefined;
  #against: Side | undefined = undefined;
  #example: ReplayExample | undefined = undefined;
  /** Whether any record tells what was decided then. */
  #isToldThen = false;
  #firstMs = 0;
  records = 0;
  lastMs = 0;

  constructor(snapshot: Snapshot, deps: ReplayDeps) {
    this.#snapshot = snapshot;
    this.#deps = deps;
  }

  /** Synchronous as long as policies are. */
  take(record: RecordedRequest): Awaitable<void> {
    this.#begin(record.atMs);
    this.records++;
    this.lastMs = record.atMs;
    const caughtUp = this.#catchUp(record.atMs);
    return caughtUp instanceof Promise ? caughtUp.then(() => this.#judge(record)) : this.#judge(record);
  }

  diff(): DecisionDiff {
    const { against } = this.#deps;
    const tally = this.#tally;
    const baseline = against !== undefined ? 'revision' : this.#isToldThen ? 'recorded' : 'nothing';
    return {
      revision: this.#snapshot.revision,
      baseline,
      against: against?.revision,
      records: this.records,
      fromMs: this.#firstMs,
      toMs: this.lastMs,
      totals: tally.totals,
      flips: tally.flips,
      otherFlips: tally.otherFlips,
      undecided: tally.undecidedCounts,
      outside: tally.outsideCounts,
      decided: tally.decidedCounts,
      example: this.#example,
    };
  }

  #begin(atMs: number): void {
    if (this.#draft !== undefined) return;
    const { against, callers } = this.#deps;
    this.#firstMs = atMs;
    this.#time.start(atMs);
    const provers = callers?.provers && { own: callers.provers.draft, before: callers.provers.against };
    this.#draft = new Side(this.#snapshot, this.#time, atMs, knownTo(callers?.draft, callers, provers));
    if (against === undefined) return;
    mustBeApart(this.#snapshot, against);
    this.#against = new Side(against, this.#time, atMs, knownTo(callers?.against, callers));
  }

  /** Does what is due before the next record. */
  #catchUp(atMs: number): Awaitable<void> {
    while (this.#time.nextMs <= atMs) {
      const done = this.#time.doNext();
      if (done instanceof Promise) return done.then(() => this.#catchUp(atMs));
    }
    this.#time.goOnTo(atMs);
  }

  #judge(record: RecordedRequest): Awaitable<void> {
    const head = new RecordedHead(record);
    const code = ownRefusal(record);
    if (record.outcome !== undefined) this.#isToldThen = true;
    if (code !== undefined && UNJUDGED.has(code) && !this.#isOwnBan(code, head)) {
      if (this.#isWanted(record, undefined, undefined)) this.#tally.outside(record, code);
      return;
    }
    const before = this.#against?.judge(head);
    const after = this.#draft?.judge(head);
    if (before instanceof Promise || after instanceof Promise)
      return Promise.all([before, after]).then((both) => this.#compare(record, ...both));
    this.#compare(record, before, after);
  }

  /** A ban that is a document's own doing comes again in its replay; any other is somebody else's. */
  #isOwnBan(code: string, head: RecordedHead): boolean {
    return code === 'address-banned' && (this.#against ?? this.#draft)?.bans(head) === true;
  }

  #compare(record: RecordedRequest, before: Judged | undefined, after: Judged | undefined): void {
    if (after === undefined) return;
    if (record.requestId === this.#deps.example) this.#example = exampleOf(record, before, after);
    if (!this.#isWanted(record, before, after)) return;
    const code = ownRefusal(record);
    const isOfTheMoment = code !== undefined && !REPEATABLE.has(code);
    if (isOfTheMoment && (before ?? after).outcome.code !== code) return this.#tally.outside(record, code);
    const then = before?.outcome ?? record.outcome;
    const undecided = after.undecided ?? before?.undecided ?? pastOf(record, before, after);
    if (undecided !== undefined) return this.#tally.undecided(record, undecided);
    const consumer = consumerOf(record, after);
    if (then === undefined) this.#tally.decided(record, after.outcome, consumer);
    else this.#tally.compared(record, then, after.outcome, consumer);
  }

  #isWanted(record: RecordedRequest, before: Judged | undefined, after: Judged | undefined): boolean {
    const { route, consumer } = this.#deps.only ?? {};
    if (consumer !== undefined && consumerOf(record, after) !== consumer) return false;
    if (route === undefined) return true;
    return [record.outcome, before?.outcome, after?.outcome].some((outcome) => outcome?.route === route);
  }
}

/** Policies keep some of what they have seen to themselves: one that both have would mix the two up. */
function mustBeApart(draft: Snapshot, against: Snapshot): void {
  const instances = new Set(draft.attachments.map(({ instance }) => instance));
  if (against.attachments.some(({ instance }) => instances.has(instance)))
    throw new InternalError('revisions that are compared are compiled each with a cache of its own');
}

const consumerOf = ({ identity }: RecordedRequest, after: Judged | undefined): string | undefined =>
  identity?.consumer ?? after?.consumer;

function knownTo(
  declared: readonly DeclaredConsumer[] | undefined,
  callers: ReplayCallers | undefined,
  provers?: KnownCallersOptions['provers'],
): KnownCallers | undefined {
  if (declared === undefined || callers === undefined) return undefined;
  return new KnownCallers({ declared, declaredBefore: callers.against, live: callers.live, provers });
}

/** Why the gateway itself refused it then. */
function ownRefusal({ outcome }: RecordedRequest): string | undefined {
  if (outcome === undefined || outcome.by !== undefined) return undefined;
  return outcome.kind === 'refused' || outcome.kind === 'reject' ? outcome.code : undefined;
}

/** It was refused for what was counted before the recording begins, which nobody knows. */
function pastOf(
  { outcome }: RecordedRequest,
  before: Judged | undefined,
  after: Judged,
): Undecided | undefined {
  if (before !== undefined || outcome?.code === undefined || !after.isShort) return undefined;
  if (!COUNTED.has(outcome.code)) return undefined;
  return { reason: 'sampled', by: outcome.by, policy: outcome.policy };
}
