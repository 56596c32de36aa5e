import type { Command } from 'commander';
import { ConfigError } from '../errors.ts';
import { orNull, type Static, Type } from '../lib/schema.ts';
import { parseStrictJson } from '../lib/strict-json.ts';
import {
  type AdminApi,
  type AdminOptions,
  type AdminResult,
  addAdminOptions,
  askAdmin,
  expectAnswer,
} from './admin-client.ts';
import { readNamedFile } from './named-file.ts';
import { type Colour, paint, printable, processTerminal, type Terminal } from './terminal.ts';

const Outcome = Type.Object({
  kind: Type.String(),
  status: Type.Number(),
  by: orNull(Type.String()),
  code: orNull(Type.String()),
  rule: orNull(Type.String()),
  route: Type.String(),
});
type Outcome = Static<typeof Outcome>;
const decision = {
  phase: Type.String(),
  outcome: Type.String(),
  code: orNull(Type.String()),
  rule: orNull(Type.String()),
  reason: orNull(Type.String()),
};
const Decision = Type.Object(decision);
const Part = Type.Object({
  attachment: Type.String(),
  mode: Type.String(),
  decisions: Type.Array(Decision),
  inputs: Type.Array(Type.Object({ name: Type.String(), value: Type.String() })),
  counters: Type.Array(
    Type.Object({
      kind: Type.String(),
      key: Type.String(),
      limit: orNull(Type.Number()),
      remaining: Type.Number(),
    }),
  ),
  costUs: orNull(Type.Number()),
  takenAsProved: Type.Optional(Type.Boolean()),
});
type Part = Static<typeof Part>;
const Explanation = Type.Object({
  requestId: Type.String(),
  at: Type.String(),
  method: Type.String(),
  target: Type.String(),
  listener: Type.String(),
  revision: Type.String(),
  consumer: orNull(Type.String()),
  outcome: Outcome,
  undecided: orNull(Type.String()),
  recorded: orNull(
    Type.Object({
      revision: Type.String(),
      outcome: Outcome,
      decisions: Type.Array(Type.Object({ attachment: Type.String(), ...decision })),
    }),
  ),
  attachments: Type.Array(Part),
  changes: Type.Array(Type.Object({ kind: Type.String(), attachment: Type.String(), outcome: Outcome })),
});
type Explanation = Static<typeof Explanation>;

interface ExplainOptions extends AdminOptions {
  readonly try?: string;
}

const MAX_DEPTH = 32;

const HELP = `
A request that has not happened is written as in the tests of a document:
  {"method": "GET", "path": "/orders/1", "headers": {"host": "api.example.com"},
   "identity": {"consumer": "mobile-app", "groups": ["partners"]}}

Counters begin empty: of a limit this tells what it goes by, not where it stood.
What is secret is not shown.
`;

/** `sallyport explain`. */
export function addExplainCommand(program: Command, terminal: Terminal = processTerminal()): void {
  const command = program
    .command('explain')
    .summary('why a request is decided as it is')
    .description(
      'Tells of every policy, in order, what it looked at, what it said and what that cost, and what would change the ' +
        'outcome: of a request that was recorded, by its id (X-Request-Id of the answer), or of one that has not happened.',
    )
    .argument('[request-id]', 'id of a request that was recorded')
    .option('--try <FILE>', 'a request that has not happened, as JSON; - for stdin');
  addAdminOptions(command)
    .addHelpText('after', HELP)
    .action(async (id: string | undefined, options: ExplainOptions) => {
      const ask = asked(id, options.try);
      process.exitCode = await askAdmin(options, terminal, async (api) => told(await ask(api), terminal));
    });
}

/** @throws ConfigError for neither, both, or a file without such a request */
function asked(id: string | undefined, file: string | undefined): (api: AdminApi) => Promise<unknown> {
  if ((id === undefined) === (file === undefined)) {
    throw ConfigError.at('', 'give the id of a request, or --try with a file that holds one');
  }
  if (id !== undefined) return (api) => api.get(`/api/requests/${encodeURIComponent(id)}/explanation`);
  const parsed = parseStrictJson(readNamedFile(file ?? ''), MAX_DEPTH);
  if (!('value' in parsed))
    throw ConfigError.at('', `${file} holds no JSON that can be read (${parsed.fault})`);
  return (api) => api.post('/api/explanations', parsed.value);
}

function told(answer: unknown, terminal: Terminal): AdminResult {
  const explanation = expectAnswer(Explanation, answer);
  return { data: answer, text: explanationText(explanation, terminal) };
}

/** For people: what became of it first, then who said what, then what would change it. */
export function explanationText(told: Explanation, terminal: Terminal): string {
  const { method, target, outcome, undecided } = told;
  const head = `${printable(method)} ${printable(target)}  ${outcomeText(outcome, terminal)}\n`;
  const doubt =
    undecided === null ? '' : `  ${paint(terminal, 'yellow', `a guess: ${whyUnsure(undecided)}`)}\n`;
  const parts = told.attachments.map((part, i) => partText(part, told.recorded, i + 1, terminal)).join('');
  return `${head}${doubt}${factsText(told, terminal)}\n${parts}${changesText(told, terminal)}`;
}

function factsText(
  { at, listener, outcome, consumer, revision, recorded, requestId }: Explanation,
  terminal: Terminal,
): string {
  const facts: [string, string][] = [
    ['request', `${requestId} at ${at}`],
    ['where', `listener ${listener}, ${outcome.route === '' ? 'no route' : `route ${outcome.route}`}`],
    ['caller', consumer ?? 'a stranger'],
    ['revision', revision.slice(0, 12)],
  ];
  if (recorded !== null) {
    const isSame =
      recorded.revision === revision ? 'by the same revision' : `by ${recorded.revision.slice(0, 12)}`;
    facts.push(['then', `${outcomeText(recorded.outcome, terminal)}, ${isSame}`]);
  }
  return facts
    .map(([name, value]) => `  ${name.padEnd(9)} ${name === 'then' ? value : printable(value)}\n`)
    .join('');
}

function partText(
  { attachment, mode, decisions, inputs, counters, costUs, takenAsProved }: Part,
  recorded: Explanation['recorded'],
  n: number,
  terminal: Terminal,
): string {
  const spent = costUs === null ? '' : paint(terminal, 'dim', `  ${costUs} µs`);
  const cost = takenAsProved === true ? paint(terminal, 'dim', '  taken as proved') : spent;
  const said =
    decisions.length === 0
      ? paint(terminal, 'dim', 'not asked')
      : decisions.map((d) => decisionText(d, terminal)).join(', ');
  const shadow = mode === 'shadow' ? paint(terminal, 'cyan', ' (in shadow)') : '';
  const lines = [`${String(n).padStart(3)}  ${printable(attachment)}${shadow}  ${said}${cost}`];
  for (const { reason } of decisions) if (reason !== null) lines.push(`       why: ${printable(reason)}`);
  for (const { name, value } of inputs.filter((input) => input.value !== ''))
    lines.push(paint(terminal, 'dim', `       ${printable(name)} = ${oneLine(value)}`));
  for (const { kind, key, limit, remaining } of counters) {
    const of = limit === null ? `${remaining} so far` : `${remaining} left of ${limit}`;
    lines.push(paint(terminal, 'dim', `       counts ${oneLine(key)} (${kind}): ${of}`));
  }
  const then = (recorded?.decisions ?? []).filter((d) => d.attachment === attachment);
  for (const d of then.filter((d) => !decisions.some((now) => isSame(d, now)))) {
    const why = d.reason === null ? '' : `: ${printable(d.reason)}`;
    lines.push(`       then: ${decisionText(d, terminal)}${why}`);
  }
  return `${lines.join('\n')}\n`;
}

type Said = Static<typeof Decision>;

/** What an attachment said then is told where it says something else now: a limit stood elsewhere. */
const isSame = (then: Said, now: Said): boolean =>
  then.phase === now.phase &&
  then.outcome === now.outcome &&
  then.code === now.code &&
  then.rule === now.rule &&
  then.reason === now.reason;

const oneLine = (text: string): string => printable(text).replaceAll('\n', '\ufffd');

const SAID: Readonly<Record<string, Colour>> = {
  continue: 'green',
  skipped: 'dim',
  reject: 'red',
  error: 'red',
};

function decisionText({ outcome, code, rule }: Static<typeof Decision>, terminal: Terminal): string {
  const more = [code, rule === null ? null : `rule ${rule}`].filter((part) => part !== null);
  const text = more.length === 0 ? outcome : `${outcome} (${more.join(', ')})`;
  return paint(terminal, SAID[outcome] ?? 'yellow', printable(text));
}

function changesText({ changes }: Explanation, terminal: Terminal): string {
  if (changes.length === 0) return '';
  const lines = changes.map(({ kind, attachment, outcome }) => {
    const what = kind === 'enforced' ? `with ${attachment} in force` : `without ${attachment}`;
    return `  ${printable(what)}: ${outcomeText(outcome, terminal)}\n`;
  });
  return `\nWhat would change it\n${lines.join('')}`;
}

function outcomeText({ kind, status, by, code, rule }: Outcome, terminal: Terminal): string {
  if (kind === 'forward') return paint(terminal, 'green', 'goes on to the upstream');
  if (kind === 'respond')
    return paint(terminal, 'yellow', printable(`answered ${status} by ${by ?? 'the gateway'}`));
  const who = by ?? (kind === 'refused' ? 'the listener' : 'the gateway itself');
  const why = [code, rule === null ? null : `rule ${rule}`].filter((part) => part !== null).join(', ');
  return paint(terminal, 'red', printable(`refused with ${status} by ${who} (${why})`));
}

const UNSURE: Readonly<Record<string, string>> = {
  credential: 'it hangs on a credential, and none is kept',
  body: 'it hangs on the body, which is not kept',
  network: 'somebody outside would have to be asked',
  upstream: 'it hangs on the answer of the upstream',
  failed: 'a policy failed in it',
};

const whyUnsure = (reason: string): string => UNSURE[reason] ?? reason;
