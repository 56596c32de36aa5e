import { formatDuration } from '../lib/duration.ts';
import { columns } from './columns.ts';
import { counted } from './options.ts';
import type { Arm, Cohort, Finding, Flip, Replay, RolloutAnswer, Trial } from './rollout-answer.ts';
import { hasEnded } from './rollout-answer.ts';
import { type Colour, paint, printable, type Terminal } from './terminal.ts';

const MAX_FLIPS = 5;
const ORDER = ['check', 'tests', 'replay', 'approval', 'shadow', 'canary', 'activating', 'active'];

/** A rollout as a person reads it: where it is, what it has shown, what it waits for. `nowMs`: since the epoch. */
export function rolloutText(rollout: RolloutAnswer, nowMs: number, terminal: Terminal): string {
  const marked = stepsOf(rollout, nowMs).map(({ mark, name, detail }) => {
    const [sign, colour] = MARKS[mark];
    return { sign: paint(terminal, colour, sign), name, detail };
  });
  const width = Math.max(...marked.map(({ name }) => name.length));
  const lines = marked.map(({ sign, name, detail }) =>
    `  ${sign} ${name.padEnd(width)}  ${detail}`.trimEnd(),
  );
  const parts = [headOf(rollout), ...lines, ...shownOf(rollout), ...endOf(rollout, terminal)];
  if (rollout.waitsFor !== null) parts.push(`  waits for ${oneLine(rollout.waitsFor)}`);
  return `${parts.join('\n')}\n`;
}

/** Which it is, by whom and why; one line. */
export function headOf({ id, revision, base, actor, reason }: RolloutAnswer): string {
  const why = reason === '' ? '' : `: ${oneLine(reason)}`;
  return `Rollout ${id}  ${base.slice(0, 12)} → ${revision.slice(0, 12)}  by ${oneLine(actor)}${why}`;
}

/** Where it is and what comes next; one line. */
export function placeOf(rollout: RolloutAnswer, nowMs: number): string {
  const { phase, pausedBy, deadline, waitsFor, evidence } = rollout;
  const now = stepsOf(rollout, nowMs).find(({ mark }) => mark === 'now');
  const name = phase === 'activating' || now === undefined ? phase : now.name;
  if (pausedBy === null && deadline !== null && Date.parse(deadline) > nowMs)
    return `${name}, ${leftOf(rollout, nowMs)}`;
  const agree = evidence === null ? '' : `: ${approveCommand(evidence)}`;
  return waitsFor === null ? name : `${name}, waits for ${oneLine(waitsFor)}${agree}`;
}

type Mark = 'done' | 'now' | 'due' | 'failed';
const MARKS: Readonly<Record<Mark, readonly [string, Colour]>> = {
  done: ['✓', 'green'],
  now: ['●', 'cyan'],
  due: ['○', 'dim'],
  failed: ['✗', 'red'],
};

interface ShownStep {
  readonly mark: Mark;
  readonly name: string;
  readonly detail: string;
}

/** All steps of its way, with what is known of each. */
function stepsOf(rollout: RolloutAnswer, nowMs: number): readonly ShownStep[] {
  const { plan, replay, replaying, approvals, approvalsNeeded } = rollout;
  const steps: ShownStep[] = [];
  const add = (phase: string, step: number, name: string, detail: string): void => {
    const mark = markOf(rollout, phase, step);
    steps.push({ mark, name, detail: mark === 'now' && detail === '' ? leftOf(rollout, nowMs) : detail });
  };
  add('check', 0, 'check', findingsText(rollout));
  add('tests', 0, 'tests', '');
  if (plan.replay !== undefined) add('replay', 0, 'replay', replayText(replay, replaying));
  if (approvalsNeeded > 0) {
    const by = approvals.map(({ actor }) => oneLine(actor)).join(', ');
    const detail = by === '' ? '' : `by ${by}`;
    add('approval', 0, `approval${approvalsNeeded > 1 ? ` by ${approvalsNeeded}` : ''}`, detail);
  }
  const timed = (phase: string, step: number, name: string, forMs: number): void => {
    const isNow = markOf(rollout, phase, step) === 'now';
    add(phase, step, name, isNow ? leftOf(rollout, nowMs) : formatDuration(forMs));
  };
  if (plan.shadow !== undefined)
    timed('shadow', 0, `shadow ${percent(plan.shadow.share)}`, plan.shadow.forMs);
  for (const [i, { cohort, forMs }] of plan.steps.entries())
    timed('canary', i, `canary ${cohortText(cohort)}`, forMs);
  add('active', 0, 'active', '');
  return steps;
}

/** Of one that has ended otherwise than live, what it was in then has failed. */
function markOf(rollout: RolloutAnswer, phase: string, step: number): Mark {
  if (rollout.phase === 'active') return 'done';
  const last = rollout.history.at(-1);
  const isOver = hasEnded(rollout);
  const place = isOver && last !== undefined ? last : rollout;
  const at = ORDER.indexOf(place.phase === 'activating' ? 'active' : place.phase);
  const own = ORDER.indexOf(phase === 'activating' ? 'active' : phase);
  if (own < at || (own === at && step < place.step)) return 'done';
  if (own > at || step > place.step) return 'due';
  return isOver ? 'failed' : 'now';
}

/** What the lint has said when it was checked. */
function findingsText({ history }: RolloutAnswer): string {
  const findings = history.find(({ act }) => act === 'checked')?.evidence?.findings ?? [];
  return (['error', 'warning', 'note'] as const)
    .map(
      (severity) => [findings.filter((finding) => finding.severity === severity).length, severity] as const,
    )
    .filter(([count]) => count > 0)
    .map(([count, severity]) => counted(count, severity))
    .join(', ');
}

function leftOf({ deadline, pausedBy }: RolloutAnswer, nowMs: number): string {
  if (pausedBy !== null) return 'paused';
  if (deadline === null) return '';
  const leftMs = Date.parse(deadline) - nowMs;
  return leftMs <= 0 ? 'time is over' : `${shortTime(leftMs)} left`;
}

function shortTime(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 60) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes}m ${seconds % 60}s` : `${Math.floor(minutes / 60)}h ${minutes % 60}m`;
}

function replayText(replay: Replay | null, replaying: RolloutAnswer['replaying']): string {
  if (replay === null) return replaying === null ? '' : `${replaying.records} records so far`;
  const undecided = Object.values(replay.undecided).reduce((a, b) => a + b, 0);
  if (replay.judged + undecided === 0) return 'nothing is recorded of that time';
  const open = undecided === 0 ? '' : `, ${undecided} undecided`;
  return `${counted(replay.judged, 'request')}, ${flipsText(replay)}${open}`;
}

function flipsText({ judged, flips, otherFlips }: Pick<Replay, 'judged' | 'flips' | 'otherFlips'>): string {
  const count = flips.reduce((sum, flip) => sum + flip.count, otherFlips);
  const share = judged === 0 ? '' : ` (${percent(count / judged)})`;
  return `${count} judged otherwise${count === 0 ? '' : share}`;
}

/** What live requests have shown in this step, or replay while somebody is to look at it. */
function shownOf({ live, replay, phase, evidence }: RolloutAnswer): readonly string[] {
  if (phase === 'approval') {
    const agree = evidence === null ? [] : [`    agree with  ${approveCommand(evidence)}`];
    return [...(replay === null ? [] : flipLines(replay)), ...agree];
  }
  return live === null || (phase !== 'canary' && phase !== 'shadow') ? [] : trialLines(live);
}

/** Agrees to what is shown here, and to nothing that it may show later. */
const approveCommand = (evidence: string): string =>
  `sallyport rollout approve --evidence ${oneLine(evidence)}`;

/** Why it ended, where it did not go live. */
export function endOf(rollout: RolloutAnswer, terminal: Terminal): readonly string[] {
  if (!hasEnded(rollout)) return [];
  const { phase, history } = rollout;
  const last = history.at(-1);
  const colour = phase === 'active' ? 'green' : 'red';
  const by = last === undefined || last.actor === 'system' ? '' : ` by ${oneLine(last.actor)}`;
  const why =
    last === undefined || last.reason === '' || phase === 'active' ? '' : `: ${oneLine(last.reason)}`;
  const lines = [paint(terminal, colour, `  ${phase}${by}${why}`)];
  const { evidence } = last ?? { evidence: null };
  if (evidence === null) return lines;
  if (evidence.message !== undefined) lines.push(`  ${oneLine(evidence.message)}`);
  for (const { path, message } of evidence.issues ?? [])
    lines.push(`  ${oneLine(path === '' ? message : `${path}: ${message}`)}`);
  if (evidence.trial !== undefined) lines.push(...trialLines(evidence.trial));
  return lines;
}

function trialLines(trial: Trial): readonly string[] {
  const { baseline, canary, findings } = trial;
  const arms = columns([
    ['', 'requests', 'denied', 'gateway errors', 'upstream errors', 'p99'],
    armRow('in service', baseline),
    armRow('candidate', canary),
  ]);
  const gates = columns(findings.map(gateRow));
  return [...indented(arms), ...indented(gates), ...flipLines(trial)];
}

const indented = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => `    ${line}`);

function armRow(name: string, { requests, denied, gatewayErrors, upstreamErrors, p99Ms }: Arm): string[] {
  const share = (n: number): string => (requests === 0 ? '-' : percent(n / requests));
  const p99 = p99Ms === undefined ? '-' : `${round(p99Ms)} ms`;
  return [name, `${requests}`, share(denied), share(gatewayErrors), share(upstreamErrors), p99];
}

function gateRow({ gate, state, baseline, canary, allowed, sureness }: Finding): string[] {
  const unit = (n: number): string => (gate === 'p99' ? `${round(n)} ms` : percent(n));
  const sure = sureness === 0 ? '' : `${percent(sureness)} sure`;
  return [
    `gate ${gate}`,
    state === 'unseen' ? 'too little seen' : state,
    unit(canary),
    `at most ${unit(allowed)}`,
    `in service ${unit(baseline)}`,
    sure,
  ];
}

function flipLines(shown: Pick<Trial, 'flips' | 'judged' | 'otherFlips'>): readonly string[] {
  const { flips, judged } = shown;
  if (judged === 0 && flips.length === 0) return [];
  const most = flips.slice(0, MAX_FLIPS).map((flip) => `      ${flipText(flip)}`);
  const rest = flips.length > MAX_FLIPS ? ['      …'] : [];
  return [`    judged twice ${judged}, ${flipsText(shown)}`, ...most, ...rest];
}

function flipText({ flip, before, after, consumer, count, examples }: Flip): string {
  const who = consumer === undefined ? '' : ` of ${consumer}`;
  const example = examples[0] === undefined ? '' : `, such as ${examples[0]}`;
  return oneLine(
    `${count} × ${flip.replaceAll('-', ' ')}${who}: ${outcomeText(before)} → ${outcomeText(after)}${example}`,
  );
}

function outcomeText({ kind, status, route, by, code, rule }: Flip['before']): string {
  if (kind === 'forward') return `forwarded by ${route}`;
  const what = [`${status}`, code, rule].filter((word) => word !== undefined).join(' ');
  return by === undefined ? what : `${what} by ${by}`;
}

function cohortText({ share, consumers, routes, addresses }: Cohort): string {
  const whom = [...consumers, ...routes, ...addresses].map(oneLine);
  const shown = whom.length > 3 ? [...whom.slice(0, 3), '…'] : whom;
  return [percent(share), ...(shown.length === 0 ? [] : [`of ${shown.join(', ')}`])].join(' ');
}

/** With as many digits as tell something. */
function percent(share: number): string {
  const value = share * 100;
  return `${value !== 0 && value < 1 ? Number(value.toPrecision(2)) : round(value)}%`;
}

const round = (n: number): number => Math.round(n * 100) / 100;

const oneLine = (text: string): string => printable(text).replaceAll('\n', '\ufffd');
