import { type Command, Option } from 'commander';
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
import { parseCount } from './options.ts';
import { printable, processTerminal, type Terminal } from './terminal.ts';

const Consumer = Type.Object({
  name: Type.String(),
  id: orNull(Type.String()),
  groups: Type.Array(Type.String()),
  origin: Type.String(),
  disabled: Type.Boolean(),
});
type Consumer = Static<typeof Consumer>;
const Page = Type.Object({ consumers: Type.Array(Consumer), next: orNull(Type.String()) });

interface ListOptions extends AdminOptions {
  readonly limit: number;
  readonly after?: string;
}

interface ConsumerOptions extends AdminOptions {
  readonly id?: string;
  readonly group: readonly string[];
}

interface ReasonOptions extends AdminOptions {
  readonly reason?: string;
}

const pathOf = (name: string): string => `/api/consumers/${encodeURIComponent(name)}`;
const groupOption = (): Option =>
  new Option('-g, --group <NAME>', 'a group it belongs to; repeat it for more')
    .argParser(oneMore)
    .default([], 'none is named');
const oneMore = (text: string, before: readonly string[]): readonly string[] => [...before, text];

/** `sallyport consumers` and the commands below it. */
export function addConsumerCommands(program: Command, terminal: Terminal = processTerminal()): void {
  const consumers = program
    .command('consumers')
    .summary('who may call: list, create, update, disable, enable, delete')
    .description(
      'Looks after the consumers of a running gateway: those that are kept live, and whether those of the document ' +
        'may call. What a command does is in force in every worker when it returns.',
    );
  const run = async (options: AdminOptions, ask: (api: AdminApi) => Promise<AdminResult>): Promise<void> => {
    process.exitCode = await askAdmin(options, terminal, ask);
  };
  const list = consumers
    .command('list', { isDefault: true })
    .summary('list consumers (the default)')
    .description('Lists the consumers of the document and the live ones, by name.')
    .option('--limit <N>', 'at most so many, up to 1000', parseCount, 100)
    .option('--after <NAME>', 'only those after this one');
  addAdminOptions(list).action((options: ListOptions) => run(options, (api) => listConsumers(api, options)));
  addCreate(consumers, run);
  addSwitches(consumers, run);
}

type Run = (options: AdminOptions, ask: (api: AdminApi) => Promise<AdminResult>) => Promise<void>;

function addCreate(consumers: Command, run: Run): void {
  const create = consumers
    .command('create')
    .summary('create a live consumer')
    .description(
      'Creates a consumer that is kept live. It cannot call before it has a credential: "sallyport credentials create".',
    )
    .argument('<name>', 'its name, unique among those of the document too')
    .addOption(groupOption())
    .option('--id <ID>', 'its id in another system, for upstreams');
  addAdminOptions(create).action((name: string, options: ConsumerOptions) =>
    run(options, async (api) => {
      const { id, group: groups } = options;
      const data = await api.post('/api/consumers', { name, groups, ...(id === undefined ? {} : { id }) });
      return { data, text: printable(`${expectAnswer(Consumer, data).name} is created\n`) };
    }),
  );
  const update = consumers
    .command('update')
    .summary('change groups or id of a live consumer')
    .description('Changes what is named of a live consumer; groups that are named replace those it had.')
    .argument('<name>', 'its name')
    .addOption(groupOption())
    .option('--no-groups', 'it belongs to none')
    .option('--id <ID>', 'its id in another system')
    .option('--no-id', 'it has none');
  addAdminOptions(update).action((name: string, options: UpdateOptions) => {
    const change = changeOf(options);
    if (Object.keys(change).length === 0) update.error(NOTHING_NAMED);
    return run(options, async (api) => {
      const data = await api.patch(pathOf(name), change);
      const { groups } = expectAnswer(Consumer, data);
      return {
        data,
        text: printable(`${name} is in ${groups.length === 0 ? 'no group' : groups.join(', ')}\n`),
      };
    });
  });
}

const NOTHING_NAMED = 'error: no change is named: give --group, --no-groups, --id or --no-id';

interface UpdateOptions extends AdminOptions {
  readonly group: readonly string[];
  /** False: none. */
  readonly groups: boolean;
  readonly id?: string | false;
}

const changeOf = ({ group, groups, id }: UpdateOptions) => ({
  ...(groups ? (group.length === 0 ? {} : { groups: group }) : { groups: [] }),
  ...(id === undefined ? {} : { id: id === false ? null : id }),
});

function addSwitches(consumers: Command, run: Run): void {
  const disable = consumers
    .command('disable')
    .summary('refuse a consumer, with whatever credential')
    .description(
      'Refuses a consumer, live or of the document, with whatever credential, until it is enabled.',
    )
    .argument('<name>', 'its name')
    .option('--reason <TEXT>', 'why, for the audit');
  addAdminOptions(disable).action((name: string, options: ReasonOptions) =>
    run(options, async (api) => {
      const data = await api.post(`${pathOf(name)}/disable`, { reason: options.reason });
      return { data, text: printable(`${name} is disabled\n`) };
    }),
  );
  const enable = consumers
    .command('enable')
    .summary('let a disabled consumer call again')
    .description('Lets a disabled consumer call again, with the credentials it had.')
    .argument('<name>', 'its name');
  addAdminOptions(enable).action((name: string, options: AdminOptions) =>
    run(options, async (api) => {
      const data = await api.post(`${pathOf(name)}/enable`, {});
      return { data, text: printable(`${name} is enabled\n`) };
    }),
  );
  const remove = consumers
    .command('delete')
    .summary('delete a live consumer with all its credentials')
    .description('Deletes a live consumer with all its credentials. It cannot be undone; "disable" can.')
    .argument('<name>', 'its name');
  addAdminOptions(remove).action((name: string, options: AdminOptions) =>
    run(options, async (api) => {
      await api.delete(pathOf(name));
      return { data: { deleted: name }, text: printable(`${name} is deleted\n`) };
    }),
  );
}

async function listConsumers(api: AdminApi, { limit, after = '' }: ListOptions): Promise<AdminResult> {
  const data = await api.get(`/api/consumers?limit=${limit}&after=${encodeURIComponent(after)}`);
  const { consumers, next } = expectAnswer(Page, data);
  if (consumers.length === 0)
    return { data, text: after === '' ? 'There are no consumers.\n' : 'There are no more.\n' };
  const more = next === null ? '' : printable(`More: sallyport consumers list --after ${next}\n`);
  return { data, text: columns([HEAD, ...consumers.map(rowOf)]) + more };
}

const HEAD = ['name', 'from', 'state', 'groups', 'id'];
const rowOf = ({ name, origin, disabled, groups, id }: Consumer): string[] => [
  name,
  origin,
  disabled ? 'disabled' : 'enabled',
  groups.join(' '),
  id ?? '',
];
