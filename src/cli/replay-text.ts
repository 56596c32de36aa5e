import type { DecisionEntry, FlipCount, JudgedOutcome, Undecidable } from '../contract/index.ts';
import type { DecisionDiff, JudgedDetail, ReplayExample } from '../lifecycle/index.ts';
import { columns } from './columns.ts';
import { counted } from './options.ts';
import { type Colour, paint, printable, type Terminal } from './terminal.ts';

/** So many rows of each table; `--format json` has all there are. */
const MOST_ROWS = 12;

const UNDECIDED: Readonly<Record<Undecidable, string>> = {
  credential: 'a credential is not kept',
  body: 'the body is not kept',
  network: 'somebody outside would be asked',
  sampled: 'a limit counted, and not all requests are kept',
  upstream: 'it goes by an answer that nobody gave',
  failed: 'a policy cannot be asked here',
  unknown: 'the import does not tell',
};

/** What a replay has found, for people: the worst first. */
export function renderDiff(diff: DecisionDiff, terminal: Terminal): string {
  const parts = [
    header(diff),
    totals(diff, terminal),
    flipTable(diff, 'allowed-to-denied', 'Allowed before, denied by the draft', 'red', terminal),
    flipTable(diff, 'denied-to-allowed', 'Denied before, allowed by the draft', 'yellow', terminal),
    flipTable(diff, 'moved', 'Goes to another route', 'yellow', terminal),
    flipTable(diff, 'other-reason', 'Denied for another reason', 'cyan', terminal),
    decidedTable(diff, terminal),
    undecidedTable(diff, terminal),
    outsideTable(diff, terminal),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function header({
  records,
  totals: { requests },
  fromMs,
  toMs,
  revision,
  baseline,
  against,
}: DecisionDiff): string {
  const kept = records === requests ? '' : ` (${counted(records, 'record')})`;
  const time = records === 0 ? '' : `, ${timeText(fromMs)} to ${timeText(toMs)}`;
  const other = {
    recorded: 'what was decided then',
    revision: `revision ${(against ?? '').slice(0, 12)} on the same requests`,
    nothing: 'nothing: the import does not tell what was decided',
  }[baseline];
  return `${counted(requests, 'request')}${kept}${time}\ndraft ${revision.slice(0, 12)}, compared with ${other}\n`;
}

const timeText = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`;

function totals({ totals: t, baseline }: DecisionDiff, terminal: Terminal): string {
  const rows: readonly (readonly [
    count: number,
    what: string,
    colour: Colour | undefined,
    isAlways: boolean,
  ])[] = [
    [t.allowedToDenied, 'allowed → denied', 'red', baseline !== 'nothing'],
    [t.deniedToAllowed, 'denied → allowed', 'yellow', baseline !== 'nothing'],
    [t.moved, 'to another route', 'yellow', false],
    [t.otherReason, 'denied for another reason', 'cyan', false],
    [t.same, 'the same', undefined, baseline !== 'nothing'],
    [t.allowed, 'allowed by the draft', undefined, false],
    [t.denied, 'denied by the draft', undefined, false],
    [t.undecided, 'cannot be decided from what is kept', undefined, false],
    [t.outside, 'decided by no document (overload, bans by operators…)', undefined, false],
  ];
  const width = Math.max(...rows.map(([count]) => String(count).length), 5);
  return rows
    .filter(([count, , , isAlways]) => isAlways || count > 0)
    .map(([count, what, colour]) => {
      const line = `${String(count).padStart(width)}  ${what}`;
      return `${colour === undefined || count === 0 ? line : paint(terminal, colour, line)}\n`;
    })
    .join('');
}

function flipTable(
  { flips }: DecisionDiff,
  flip: FlipCount['flip'],
  title: string,
  colour: Colour,
  terminal: Terminal,
): string {
  const rows = flips
    .filter((one) => one.flip === flip)
    .map(({ count, before, after, consumer, examples }) => [
      String(count),
      outcomeText(before),
      outcomeText(after),
      (after.route === '' ? before.route : after.route) || '-',
      consumer ?? '-',
      examples.slice(0, 2).join(' '),
    ]);
  return table(
    paint(terminal, colour, title),
    ['requests', 'before', 'draft', 'route', 'consumer', 'examples'],
    rows,
  );
}

function table(title: string, heads: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  const more = rows.length > MOST_ROWS ? `and ${rows.length - MOST_ROWS} more kinds (--format json)\n` : '';
  return `${title}\n${columns([heads, ...rows.slice(0, MOST_ROWS)])}${more}`;
}

/** `allowed`, `204 by route:all/cors`, or `forbidden by route:all/acl (deny[0])`. */
function outcomeText({ kind, status, by, code, rule }: JudgedOutcome): string {
  if (kind === 'forward') return 'allowed';
  const what = kind === 'respond' ? `answered ${status}` : (code ?? String(status));
  return `${what}${by === undefined ? '' : ` by ${by}`}${rule === undefined ? '' : ` (${rule})`}`;
}

function decidedTable({ decided }: DecisionDiff, terminal: Terminal): string {
  const rows = decided.map(({ count, outcome, consumer, examples }) => [
    String(count),
    outcomeText(outcome),
    outcome.route || '-',
    consumer ?? '-',
    examples.slice(0, 2).join(' '),
  ]);
  const title = paint(terminal, 'bold', 'What the draft decides');
  return table(title, ['requests', 'draft', 'route', 'consumer', 'examples'], rows);
}

function undecidedTable({ undecided }: DecisionDiff, terminal: Terminal): string {
  const rows = undecided.map(({ count, reason, by, examples }) => [
    String(count),
    UNDECIDED[reason],
    by ?? 'the gateway',
    examples.slice(0, 2).join(' '),
  ]);
  return table(
    paint(terminal, 'bold', 'Cannot be decided'),
    ['requests', 'since', 'needed by', 'examples'],
    rows,
  );
}

function outsideTable({ outside }: DecisionDiff, terminal: Terminal): string {
  const rows = outside.map(({ count, code }) => [String(count), code]);
  return table(paint(terminal, 'bold', 'Decided by no document'), ['requests', 'since'], rows);
}

/** One request, and what both said of it, attachment by attachment. */
export function renderExample(example: ReplayExample, terminal: Terminal): string {
  const {
    requestId,
    atMs,
    method,
    target,
    headers,
    withheld,
    peer,
    consumer,
    bodyBytes,
    weight,
    before,
    after,
  } = example;
  const fields = headers.flatMap((name, i) =>
    i % 2 === 0 ? [`  ${name}: ${shown(name, headers[i + 1], withheld)}`] : [],
  );
  const facts = [
    `from ${peer || 'an unknown address'}${consumer === undefined ? '' : `, consumer ${consumer}`}`,
    `at ${new Date(atMs).toISOString()}, ${counted(bodyBytes, 'byte')} of body${weight > 1 ? `, stands for ${weight} requests` : ''}`,
  ];
  const title = paint(terminal, 'bold', printable(`${requestId}  ${method} ${target}`));
  const rows = decisionRows(before, after);
  return `${title}\n${printable([...facts, ...fields].join('\n'))}\n\n${columns(rows)}`;
}

const shown = (name: string, value: string, withheld: readonly string[]): string =>
  withheld.includes(name.toLowerCase()) ? '(not kept)' : value;

function decisionRows(before: JudgedDetail | undefined, after: JudgedDetail): string[][] {
  const ids = [...(before?.decisions ?? []), ...after.decisions].map(keyOf);
  const rows = [...new Set(ids)].map((key) => [key, entryText(before, key), entryText(after, key)]);
  const verdict = (detail: JudgedDetail | undefined): string =>
    detail === undefined ? 'not known' : `${outcomeText(detail.outcome)}${guessText(detail)}`;
  return [['', 'before', 'draft'], ...rows, ['outcome', verdict(before), verdict(after)]];
}

const keyOf = ({ attachment, phase }: DecisionEntry): string =>
  phase === 'request' ? attachment : `${attachment} ${phase}`;

function entryText(detail: JudgedDetail | undefined, key: string): string {
  const entry = detail?.decisions.find((one) => keyOf(one) === key);
  if (entry === undefined) return '-';
  const { outcome, code, rule, reason, mode } = entry;
  const why = [code, rule, reason].filter((part) => part !== undefined).join(', ');
  return `${outcome}${why === '' ? '' : ` (${why})`}${mode === 'shadow' ? ', in shadow' : ''}`;
}

const guessText = ({ undecided }: JudgedDetail): string =>
  undecided === undefined ? '' : `; a guess: ${UNDECIDED[undecided]}`;
