import type { Command } from 'commander';
import { orNull, type Static, Type } from '../lib/schema.ts';
import {
  type AdminApi,
  AdminError,
  type AdminOptions,
  type AdminResult,
  addAdminOptions,
  askAdmin,
  expectAnswer,
} from './admin-client.ts';
import { columns } from './columns.ts';
import { parseCount } from './options.ts';
import { printable, processTerminal, type Terminal } from './terminal.ts';

const List = Type.Object({
  name: Type.String(),
  source: orNull(Type.String()),
  entries: orNull(Type.Integer()),
  inline: Type.Integer(),
  version: orNull(Type.String()),
  pinned: Type.Boolean(),
  stale: Type.Boolean(),
  dropped: Type.Boolean(),
  refreshedAt: orNull(Type.String()),
  nextRefreshAt: orNull(Type.String()),
  held: orNull(
    Type.Object({ version: Type.String(), at: Type.String(), reasons: Type.Array(Type.String()) }),
  ),
  lastAttempt: orNull(Type.Object({ at: Type.String(), outcome: Type.String(), detail: Type.String() })),
});
type List = Static<typeof List>;
const Lists = Type.Object({ lists: Type.Array(List) });
const Refresh = Type.Object({ outcome: Type.String(), detail: Type.String(), list: List });
const Versions = Type.Object({
  versions: Type.Array(
    Type.Object({
      id: Type.String(),
      entries: Type.Integer(),
      source: Type.String(),
      createdAt: Type.String(),
    }),
  ),
});
const Side = Type.Object({ count: Type.Integer(), networks: Type.Array(Type.String()) });
const Diff = Type.Object({ from: Type.String(), to: Type.String(), added: Side, removed: Side });

/** So much of a version is shown, and is enough to name it. */
const SHOWN = 12;
const shown = (version: string): string => version.slice(0, SHOWN);
const pathOf = (name: string): string => `/api/lists/${encodeURIComponent(name)}`;

interface DiffOptions extends AdminOptions {
  readonly from?: string;
  readonly to?: string;
  readonly limit: number;
}

/** `sallyport lists` and the commands below it. */
export function addListCommands(program: Command, terminal: Terminal = processTerminal()): void {
  const lists = program
    .command('lists')
    .summary('address lists: look, refresh, approve, roll back')
    .description(
      'Looks at the address lists of a running gateway, and decides about what waits for a person.',
    );
  // Options belong to the commands below: one that stood on both would be taken from the wrong one.
  const show = lists
    .command('show', { isDefault: true })
    .summary('show all lists, or one of them (the default)')
    .description('Shows all address lists, or one of them and what waits for a person.')
    .argument('[name]', 'name of a list');
  addAdminOptions(show).action((name: string | undefined, options: AdminOptions) =>
    run(options, (api) => (name === undefined ? showLists(api) : showList(api, name))),
  );
  const add = (what: string, summary: string, ...names: readonly string[]): Command => {
    const description = `${summary[0].toUpperCase()}${summary.slice(1)}.`;
    const command = lists.command(what).summary(summary).description(description);
    for (const name of names) command.argument(`<${name}>`);
    return addAdminOptions(command);
  };
  const run = async (options: AdminOptions, ask: (api: AdminApi) => Promise<AdminResult>): Promise<void> => {
    process.exitCode = await askAdmin(options, terminal, ask);
  };
  add('versions', 'list the versions of a list that are kept', 'name').action(
    (name: string, options: AdminOptions) => run(options, (api) => showVersions(api, name)),
  );
  add('diff', 'show what a version would change; by default the one that waits', 'name')
    .option('--from <VERSION>', 'in place of the one in service')
    .option('--to <VERSION>', 'in place of the one that waits')
    .option('--limit <N>', 'so many networks of each side', parseCount, 20)
    .action((name: string, options: DiffOptions) => run(options, (api) => diffList(api, name, options)));
  add('refresh', 'ask the source of a list now', 'name').action((name: string, options: AdminOptions) =>
    run(options, (api) => refreshList(api, name, 'refresh')),
  );
  add('approve', 'take the version that waits', 'name', 'version').action(
    (name: string, version: string, options: AdminOptions) =>
      run(options, (api) => decideList(api, name, version, 'approve')),
  );
  add('reject', 'turn the version down that waits; it is not offered again', 'name', 'version').action(
    (name: string, version: string, options: AdminOptions) =>
      run(options, (api) => decideList(api, name, version, 'reject')),
  );
  add('rollback', 'go to a version, and stay there until the list is released', 'name', 'version')
    .option('--reason <TEXT>', 'why, for the audit', '')
    .action((name: string, version: string, options: AdminOptions & { readonly reason: string }) =>
      run(options, (api) => rollBackList(api, name, version, options.reason)),
    );
  add('release', 'follow the source of a list again', 'name').action((name: string, options: AdminOptions) =>
    run(options, (api) => refreshList(api, name, 'release')),
  );
}

async function showLists(api: AdminApi): Promise<AdminResult> {
  const data = await api.get('/api/lists');
  const { lists } = expectAnswer(Lists, data);
  if (lists.length === 0) return { data, text: 'The document in service has no lists.\n' };
  const head = ['list', 'entries', 'state', 'refreshed', 'source'];
  const rows = lists.map((list) => [
    list.name,
    String((list.entries ?? 0) + list.inline),
    stateOf(list),
    list.refreshedAt ?? '-',
    list.source ?? 'the document',
  ]);
  return { data, text: columns([head, ...rows]) };
}

/** The one thing to know of a list. */
function stateOf({ source, entries, held, pinned, dropped, stale, lastAttempt }: List): string {
  if (source === null) return 'kept by hand';
  if (held !== null) return 'held';
  if (entries === null) return 'never loaded';
  if (pinned) return 'pinned';
  if (dropped) return 'dropped';
  if (stale) return 'stale';
  return lastAttempt?.outcome === 'failed' ? 'refresh failed' : 'fresh';
}

async function showList(api: AdminApi, name: string): Promise<AdminResult> {
  const data = await api.get(pathOf(name));
  return { data, text: listText(expectAnswer(List, data)) };
}

function listText(list: List): string {
  const { name, held, lastAttempt } = list;
  const facts: [string, string][] = [
    ['list', name],
    ['source', list.source ?? 'the document'],
    ['state', stateOf(list)],
    ['entries', list.entries === null ? '-' : String(list.entries)],
    ['in document', String(list.inline)],
    ['version', list.version === null ? '-' : shown(list.version)],
    ['refreshed', list.refreshedAt ?? '-'],
    ['next refresh', list.nextRefreshAt ?? '-'],
  ];
  if (lastAttempt !== null) {
    facts.push(['last attempt', `${lastAttempt.at} ${lastAttempt.outcome}: ${lastAttempt.detail}`]);
  }
  if (held === null) return columns(facts);
  const version = shown(held.version);
  const told = [`version ${version} waits since ${held.at}:`, ...held.reasons.map((reason) => `  ${reason}`)];
  const next = [`diff ${name}`, `approve ${name} ${version}`, `reject ${name} ${version}`];
  return `${columns(facts)}\n${printable(told.join('\n'))}\n\n${printable(next.map((n) => `  sallyport lists ${n}`).join('\n'))}\n`;
}

async function showVersions(api: AdminApi, name: string): Promise<AdminResult> {
  const data = await api.get(`${pathOf(name)}/versions`);
  const { versions } = expectAnswer(Versions, data);
  if (versions.length === 0) return { data, text: 'No version of it is kept.\n' };
  const rows = versions.map(({ id, entries, createdAt, source }) => [
    shown(id),
    String(entries),
    createdAt,
    source,
  ]);
  return { data, text: columns([['version', 'entries', 'since', 'source'], ...rows]) };
}

async function diffList(
  api: AdminApi,
  name: string,
  { from, to, limit }: Pick<DiffOptions, 'from' | 'to' | 'limit'>,
): Promise<AdminResult> {
  const query = new URLSearchParams({ limit: String(limit) });
  if (from !== undefined) query.set('from', await wholeVersion(api, name, from));
  if (to !== undefined) query.set('to', await wholeVersion(api, name, to));
  const data = await api.get(`${pathOf(name)}/diff?${query}`);
  const diff = expectAnswer(Diff, data);
  const { added, removed } = diff;
  const lines = [
    `${shown(diff.from)} to ${shown(diff.to)}: ${added.count} added, ${removed.count} removed`,
    ...sideLines('+', added),
    ...sideLines('-', removed),
  ];
  return { data, text: `${printable(lines.join('\n'))}\n` };
}

function sideLines(sign: string, { count, networks }: Static<typeof Side>): string[] {
  const rest = count - networks.length;
  return [...networks.map((network) => `${sign} ${network}`), ...(rest > 0 ? [`${sign} ${rest} more`] : [])];
}

async function refreshList(api: AdminApi, name: string, how: 'refresh' | 'release'): Promise<AdminResult> {
  const data = await api.post(`${pathOf(name)}/${how}`);
  const { outcome, detail, list } = expectAnswer(Refresh, data);
  const text = `${outcome}: ${detail}\n`;
  return { data, text: outcome === 'held' ? `${printable(text)}\n${listText(list)}` : printable(text) };
}

async function decideList(
  api: AdminApi,
  name: string,
  version: string,
  what: 'approve' | 'reject',
): Promise<AdminResult> {
  const data = await api.post(`${pathOf(name)}/${what}`, { version: await wholeVersion(api, name, version) });
  return { data, text: listText(expectAnswer(List, data)) };
}

async function rollBackList(
  api: AdminApi,
  name: string,
  version: string,
  reason: string,
): Promise<AdminResult> {
  const whole = await wholeVersion(api, name, version);
  const data = await api.post(`${pathOf(name)}/rollback`, { version: whole, reason });
  return { data, text: listText(expectAnswer(List, data)) };
}

const LENGTH = 64;

/** A version that a person named by its beginning. */
async function wholeVersion(api: AdminApi, name: string, beginning: string): Promise<string> {
  if (beginning.length === LENGTH) return beginning;
  const [{ versions }, { version, held }] = await Promise.all([
    api.get(`${pathOf(name)}/versions`).then((answer) => expectAnswer(Versions, answer)),
    api.get(pathOf(name)).then((answer) => expectAnswer(List, answer)),
  ]);
  const known = new Set([...versions.map(({ id }) => id), version ?? '', held?.version ?? '']);
  const found = [...known].filter((id) => id !== '' && beginning !== '' && id.startsWith(beginning));
  if (found.length === 1) return found[0];
  const fault = found.length === 0 ? 'is no version of' : 'is the beginning of several versions of';
  throw new AdminError(`"${beginning}" ${fault} the list "${name}": see "sallyport lists versions ${name}"`);
}
