import { type Command, InvalidArgumentError } from 'commander';
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

const Usage = Type.Object({
  id: Type.String(),
  attachment: Type.String(),
  quota: Type.String(),
  by: Type.String(),
  key: Type.String(),
  shadow: Type.Boolean(),
  limit: Type.Number(),
  extra: Type.Number(),
  used: Type.Number(),
  remaining: Type.Number(),
  renewsAt: Type.String(),
});
type Usage = Static<typeof Usage>;
const Page = Type.Object({
  quotas: Type.Array(Usage),
  next: orNull(Type.String()),
  /** Whether several nodes count together: then this one knows those callers that it has seen. */
  shared: Type.Boolean(),
});

interface ListOptions extends AdminOptions {
  readonly attachment?: string;
  readonly by?: string;
  readonly key?: string;
  readonly limit: number;
  readonly after?: string;
}

interface ReasonOptions extends AdminOptions {
  readonly reason?: string;
}

/** `sallyport quotas` and the commands below it. */
export function addQuotaCommands(program: Command, terminal: Terminal = processTerminal()): void {
  const quotas = program
    .command('quotas')
    .summary('what callers have used of their quotas: list, show, reset, grant')
    .description(
      'Looks after what callers have used of their quotas in a running gateway. What a command does is in force in ' +
        'every worker when it returns, and with a shared store (--state) in every node.',
    );
  const run = async (options: AdminOptions, ask: (api: AdminApi) => Promise<AdminResult>): Promise<void> => {
    process.exitCode = await askAdmin(options, terminal, ask);
  };
  const list = quotas
    .command('list', { isDefault: true })
    .summary('list what is used (the default)')
    .description(
      'Lists what is used in windows that have not ended, by attachment and caller. With a shared store (--state) that ' +
        'is what all nodes together have admitted, to those callers that this node has seen.',
    )
    .option('--attachment <ID>', 'only of one attachment, such as route:orders/quota')
    .option('--by <KIND>', 'only of one kind of caller, such as consumer or "header x-tenant"')
    .option('--key <KEY>', 'only of one caller: a consumer, an address, or the value of a header')
    .option('--limit <N>', 'at most so many, up to 1000', parseCount, 100)
    .option('--after <ID>', 'only those after this one');
  addAdminOptions(list).action((options: ListOptions) => run(options, (api) => listQuotas(api, options)));
  const show = quotas
    .command('show')
    .summary('show one')
    .description('Shows what one caller has used of one quota.')
    .argument('<id>', 'what the list says');
  addAdminOptions(show).action((id: string, options: AdminOptions) =>
    run(options, async (api) => told(await api.get(pathOf(id)))),
  );
  addChanges(quotas, run);
}

type Run = (options: AdminOptions, ask: (api: AdminApi) => Promise<AdminResult>) => Promise<void>;

function addChanges(quotas: Command, run: Run): void {
  const reset = quotas
    .command('reset')
    .summary('give back all that was used')
    .description('Gives a caller back all that it has used in the window.')
    .argument('<id>', 'what the list says')
    .option('--reason <TEXT>', 'why, for the audit');
  addAdminOptions(reset).action((id: string, options: ReasonOptions) =>
    run(options, async (api) => told(await api.post(`${pathOf(id)}/reset`, reasonOf(options)))),
  );
  const grant = quotas
    .command('grant')
    .summary('add to a limit until its window ends')
    .description('Lets a caller have so much more than the limit, until the window ends.')
    .argument('<id>', 'what the list says')
    .argument('<amount>', 'how much more', parseAmount)
    .option('--reason <TEXT>', 'why, for the audit');
  addAdminOptions(grant).action((id: string, amount: number, options: ReasonOptions) =>
    run(options, async (api) =>
      told(await api.post(`${pathOf(id)}/grant`, { amount, ...reasonOf(options) })),
    ),
  );
}

const pathOf = (id: string): string => `/api/quotas/${encodeURIComponent(id)}`;
const reasonOf = ({ reason }: ReasonOptions) => (reason === undefined ? {} : { reason });

function parseAmount(text: string): number {
  if (/^[1-9][0-9]{0,11}$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`"${text}" is no whole number of at least 1.`);
}

function told(data: unknown): AdminResult {
  const { quota, by, key, used, limit, extra, renewsAt } = expectAnswer(Usage, data);
  const more = extra === 0 ? '' : ` and ${extra} more`;
  const text = oneLine(`${by} ${key} has used ${used} of ${limit}${more} (${quota}), until ${renewsAt}`);
  return { data, text: `${text}\n` };
}

/** Keys may be what a caller named itself. */
const oneLine = (text: string): string => printable(text).replaceAll('\n', '\ufffd');

async function listQuotas(api: AdminApi, options: ListOptions): Promise<AdminResult> {
  const { attachment, by, key, limit, after } = options;
  const asked = Object.entries({ attachment, by, key, after, limit: `${limit}` });
  const named = asked.filter((entry): entry is [string, string] => entry[1] !== undefined);
  const data = await api.get(`/api/quotas?${new URLSearchParams(named)}`);
  const { quotas, next, shared } = expectAnswer(Page, data);
  const note = shared && next === null ? UNSEEN : '';
  if (quotas.length === 0) {
    const none = after === undefined ? 'Nothing is used of any quota.\n' : 'There are no more.\n';
    return { data, text: none + note };
  }
  const more = next === null ? '' : printable(`More: --after ${next}\n`);
  return { data, text: columns([HEAD, ...quotas.map(rowOf)]) + more + note };
}

const UNSEEN = 'Callers that this node has not seen in their window are not listed: ask the others too.\n';

const HEAD = ['id', 'attachment', 'quota', 'by', 'caller', 'used', 'of', 'left', 'renews'];
const rowOf = ({
  id,
  attachment,
  quota,
  by,
  key,
  shadow,
  used,
  limit,
  extra,
  remaining,
  renewsAt,
}: Usage) => [
  id,
  shadow ? `${attachment} (shadow)` : attachment,
  quota,
  by,
  key,
  `${used}`,
  extra === 0 ? `${limit}` : `${limit} + ${extra}`,
  `${remaining}`,
  renewsAt,
];
