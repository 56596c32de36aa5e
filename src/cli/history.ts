import type { Command } from 'commander';
import { orNull, type Static, Type } from '../lib/schema.ts';
import {
  type AdminApi,
  type AdminOptions,
  type AdminResult,
  addAdminOptions,
  askAdmin,
  expectAnswer,
} from './admin-client.ts';
import { columns } from './columns.ts';
import { short } from './diff-side.ts';
import { parsePlace, parseSome } from './options.ts';
import { processTerminal, type Terminal } from './terminal.ts';

const Entry = Type.Object({
  number: Type.Integer(),
  at: Type.String(),
  actor: Type.String(),
  action: Type.String(),
  subject: Type.String(),
  detail: Type.Record(Type.String(), Type.Unknown()),
});
type Entry = Static<typeof Entry>;
const Audit = Type.Object({ entries: Type.Array(Entry), next: orNull(Type.Integer()) });
const Active = Type.Object({ active: orNull(Type.String()) });

interface HistoryOptions extends AdminOptions {
  readonly limit: number;
  readonly before?: number;
}

const DEFAULT_LIMIT = 20;
const HELP = `
The list ends with what goes before it, if there is more: --before shows that.
"sallyport diff REVISION active" tells what changed since.`;

/** `sallyport history`. */
export function addHistoryCommand(program: Command, terminal: Terminal = processTerminal()): void {
  const command = program
    .command('history')
    .summary('what became active, or was refused, when, by whom and why')
    .description('Shows what became of revisions: when, by whom and why, newest first.')
    .option('--limit <N>', 'at most so many', parseSome, DEFAULT_LIMIT)
    .option('--before <NUMBER>', 'only what went before this entry', parsePlace)
    .addHelpText('after', HELP);
  addAdminOptions(command).action(async (options: HistoryOptions) => {
    process.exitCode = await askAdmin(options, terminal, (api) => history(api, options));
  });
}

/** One thing that became of a revision. */
interface Event {
  readonly number: number;
  readonly at: string;
  /** Id of the revision; '' where the document had none yet. */
  readonly revision: string;
  /** Stable word of the audit. */
  readonly action: string;
  readonly actor: string;
  readonly origin: string;
  readonly reason: string;
  /** Why it was refused or rolled back; '' for others. */
  readonly cause: string;
  /** Where a rollout was when that happened; '' for what was none. */
  readonly phase: string;
  /** Index of its canary step; 0 elsewhere. */
  readonly step: number;
  /** Whether that revision is in service now. */
  readonly active: boolean;
}

async function history(api: AdminApi, { limit, before }: HistoryOptions): Promise<AdminResult> {
  const { active } = expectAnswer(Active, await api.get('/api/revisions?limit=1'));
  const { events, next } = await collect(api, limit, before);
  const entries = events.map((entry) => eventOf(entry, active));
  const more = next === null ? '' : `more: sallyport history --before ${next}\n`;
  const text =
    entries.length === 0 ? 'No revision has a history here.\n' : columns([HEAD, ...rowsOf(entries)]);
  return { data: { entries, next }, text: `${text}${more}` };
}

const PAGE = 1000;
/** So many pages of the audit are read for one list: it tells of much else. */
const MAX_PAGES = 20;
/** A rollout begins with its check and its tests, and ends with what became active: both are told already. */
const OF_REVISIONS = /^(?:revision\.|rollout\.(?!checked$|tested$|activated$))/;

/** The entries about revisions, and the number before which there may be more. */
async function collect(
  api: AdminApi,
  limit: number,
  from: number | undefined,
): Promise<{ readonly events: readonly Entry[]; readonly next: number | null }> {
  const events: Entry[] = [];
  let before = from;
  for (let page = 0; page < MAX_PAGES; page++) {
    const place = before === undefined ? '' : `&before=${before}`;
    const audit = expectAnswer(Audit, await api.get(`/api/audit?limit=${PAGE}${place}`));
    for (const entry of audit.entries) {
      if (!OF_REVISIONS.test(entry.action)) continue;
      const last = events.at(-1);
      if (events.length === limit) return { events, next: last?.number ?? null };
      events.push(entry);
    }
    if (audit.next === null) return { events, next: null };
    before = audit.next;
  }
  return { events, next: before ?? null };
}

function eventOf({ number, at, actor, action, subject, detail }: Entry, active: string | null): Event {
  const word = (key: string): string => {
    const value = detail[key];
    return typeof value === 'string' ? value : '';
  };
  const revision = word('revision') || subject;
  return {
    number,
    at,
    revision,
    action,
    actor,
    origin: word('origin'),
    reason: word('reason'),
    cause: word('cause'),
    phase: word('phase'),
    step: typeof detail.step === 'number' ? detail.step : 0,
    active: revision !== '' && revision === active,
  };
}

const HEAD = ['number', 'when', 'revision', 'what', 'by', 'from', 'why'];

const WORDS: Readonly<Record<string, string>> = Object.freeze({
  'revision.activate': 'activated',
  'revision.refuse': 'refused',
});

function rowsOf(events: readonly Event[]): string[][] {
  const latest = events.find(({ action, active }) => action === 'revision.activate' && active);
  return events.map((event) => [
    String(event.number),
    event.at.replace(/\.\d+Z$/, 'Z'),
    event.revision === '' ? '-' : short(event.revision),
    `${whatOf(event)}${event === latest ? ' (in service)' : ''}`,
    event.actor,
    event.origin,
    event.cause || event.reason,
  ]);
}

/** Where there are several, also which step was passed, broken or left. */
function whatOf({ action, phase, step }: Event): string {
  const word = WORDS[action] ?? action.replace('.', ' ');
  if (phase === '' || action === `rollout.${phase}ed` || action === 'rollout.started') return word;
  return `${word}, ${phase === 'canary' ? `canary ${step + 1}` : phase}`;
}
