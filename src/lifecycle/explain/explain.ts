import type { Attachment, DecisionEntry, RecordedRequest, Snapshot } from '../../contract/index.ts';
import { RecordedHead, vouchFor } from '../../evaluator/index.ts';
import { shownTarget } from '../replay/example.ts';
import { KnownCallers, type KnownCallersOptions } from '../replay/known-callers.ts';
import { type Judged, type ProofBy, Side } from '../replay/side.ts';
import { VirtualTime } from '../replay/virtual-time.ts';
import type { ExplainedAttachment, ExplainedChange, ExplainedDecision, Explanation } from './explanation.ts';
import { Trace } from './trace.ts';
import { AS_IT_IS, type Departure, tracedSnapshot } from './traced-snapshot.ts';
import { watchedProof } from './watched-proof.ts';

/** A judgement alone says little of what it costs: code is slow at first. */
const JUDGEMENTS = 31;

export interface ExplainOptions {
  /** Who callers are to this revision; undefined: who they were when it came. */
  readonly callers?: KnownCallersOptions | undefined;
  /** Whether who calls is taken as proved: policies that authenticate are not asked. */
  readonly isProved?: boolean;
}

/**
 * Says why a request is decided as it is by a revision, and what would change that. Nobody is asked, nobody is banned, and
 * no counter moves but its own, which begin empty: of a limit it tells what it goes by, not where it stood.
 */
export async function explain(
  snapshot: Snapshot,
  record: RecordedRequest,
  options: ExplainOptions = {},
): Promise<Explanation> {
  const judgeAs = (departure: Departure): Promise<Told> => judgeOnce(snapshot, record, departure, options);
  const rounds: Told[] = [];
  for (let n = 0; n < JUDGEMENTS; n++) rounds.push(await judgeAs(AS_IT_IS));
  const told = rounds[JUDGEMENTS - 1];
  const { judged } = told;
  const { outcome, decisions, durationMs, revision, requestId, atMs, method, target, listener } = record;
  return {
    requestId,
    atMs,
    method,
    target: shownTarget(target),
    listener,
    revision: snapshot.revision,
    consumer: judged.consumer,
    outcome: judged.outcome,
    undecided: judged.undecided?.reason,
    recorded: outcome && { revision, outcome, decisions, durationMs },
    attachments: askedOf(snapshot, told).map((a) => explained(a, told, rounds)),
    changes: await changesOf(judged, judgeAs),
  };
}

interface Told {
  readonly judged: Judged;
  readonly trace: Trace;
}

async function judgeOnce(
  snapshot: Snapshot,
  record: RecordedRequest,
  departure: Departure,
  { callers, isProved = false }: ExplainOptions,
): Promise<Told> {
  const trace = new Trace();
  const time = new VirtualTime();
  time.start(record.atMs);
  const known = callers && new KnownCallers(callers);
  const side = new Side(tracedSnapshot(snapshot, trace, departure), time, record.atMs, known);
  const { identity } = record;
  const vouched = isProved && identity !== undefined ? vouchFor(identity) : undefined;
  const proofBy: ProofBy = (recorded) => watchedProof(vouched ?? recorded, trace);
  return { judged: await side.judge(new RecordedHead(record), proofBy), trace };
}

/** The attachments of where the request went, in the order in which they are asked. */
function askedOf(snapshot: Snapshot, { judged }: Told): readonly Attachment[] {
  const ids = new Set(judged.entries.map(({ attachment }) => attachment));
  const { route } = judged.outcome;
  const isOf = ({ id }: Attachment): boolean =>
    ids.has(id) || (route !== '' && id.startsWith(`route:${route}/`));
  const there = snapshot.attachments.filter(isOf);
  const order = [...ids];
  const place = ({ id }: Attachment): number => (ids.has(id) ? order.indexOf(id) : order.length);
  return there.toSorted((a, b) => place(a) - place(b));
}

function explained(a: Attachment, { judged, trace }: Told, rounds: readonly Told[]): ExplainedAttachment {
  const part = trace.find(a.id);
  const decisions = judged.entries.filter(({ attachment }) => attachment === a.id).map(decisionOf);
  const spent = rounds.map((round) => round.trace.find(a.id)?.spentMs ?? 0).sort((x, y) => x - y);
  const takenAsProved = part?.isProved === true;
  const wasAsked = decisions.length > 0 && !takenAsProved;
  return {
    attachment: a.id,
    policy: a.policy,
    mode: a.mode,
    decisions,
    inputs: part?.inputs ?? [],
    counters: part?.counters ?? [],
    costUs: wasAsked ? Math.round(spent[spent.length >> 1] * 10_000) / 10 : undefined,
    takenAsProved,
  };
}

const decisionOf = ({ phase, outcome, code, rule, reason }: DecisionEntry): ExplainedDecision => ({
  phase,
  outcome,
  code,
  rule,
  reason,
});

/** What would have to be otherwise. Each departure alone; an attachment in shadow that would not decide is left out. */
async function changesOf(
  { outcome: { by }, entries }: Judged,
  judgeAs: (departure: Departure) => Promise<Told>,
): Promise<readonly ExplainedChange[]> {
  const changes: ExplainedChange[] = [];
  if (by !== undefined) {
    const { judged } = await judgeAs((a) => (a.id === by ? undefined : a));
    changes.push({ kind: 'without', attachment: by, outcome: judged.outcome });
  }
  for (const id of inShadow(entries)) {
    const { judged } = await judgeAs((a) => (a.id === id ? { ...a, mode: 'enforce' } : a));
    if (judged.outcome.by === id) changes.push({ kind: 'enforced', attachment: id, outcome: judged.outcome });
  }
  return changes;
}

/** Those in shadow that would have stopped it. */
const inShadow = (entries: readonly DecisionEntry[]): readonly string[] => [
  ...new Set(
    entries
      .filter(({ mode, outcome }) => mode === 'shadow' && outcome !== 'continue' && outcome !== 'skipped')
      .map(({ attachment }) => attachment),
  ),
];
