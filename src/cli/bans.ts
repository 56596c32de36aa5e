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
import { type AskedOptions, addAskedOptions, addNameOption } from './asking-as.ts';
import { columns } from './columns.ts';
import { parseDurationText } from './options.ts';
import { printable, processTerminal, type Terminal } from './terminal.ts';

const Ban = Type.Object({
  id: Type.String(),
  network: orNull(Type.String()),
  caller: orNull(Type.String()),
  until: Type.String(),
  reason: Type.String(),
  by: Type.String(),
  shadow: Type.Boolean(),
});
const BanMade = Type.Object({
  network: Type.String(),
  until: Type.String(),
  id: Type.String(),
  stored: Type.Boolean(),
});
const BanList = Type.Object({ bans: Type.Array(Ban) });

interface BanOptions extends AdminOptions, AskedOptions {
  readonly for: string;
  readonly force: boolean;
}

/** `sallyport ban`, `unban` and `bans`. */
export function addBanCommands(program: Command, terminal: Terminal = processTerminal()): void {
  const ban = program
    .command('ban')
    .summary('refuse an address at once, for a time')
    .description(
      'Refuses an address or a network in every worker of a running gateway, whatever its document says. It is in ' +
        'force when the command returns. Of a bare IPv6 address its /64 is banned.',
    )
    .argument('<address>', 'address or CIDR network')
    .option('--for <DURATION>', 'how long', parseDurationText, '1h')
    .option('--force', 'also loopback, private and your own networks, and very wide ones', false);
  addAskedOptions(ban);
  addAdminOptions(ban).action(async (address: string, options: BanOptions) => {
    process.exitCode = await askAdmin(options, terminal, (api) => banAddress(api, address, options));
  });
  const unban = program
    .command('unban')
    .summary('end a ban')
    .description(
      'Ends a ban, named by its id, its network, an address of it or its caller, in every worker. What a policy counted ' +
        'towards it counts no more.',
    )
    .argument('<banned|id>', 'what "sallyport bans" lists');
  addNameOption(unban);
  addAdminOptions(unban).action(async (which: string, options: AdminOptions & Pick<AskedOptions, 'as'>) => {
    process.exitCode = await askAdmin(options, terminal, (api) => unbanAddress(api, which, options.as));
  });
  const bans = program.command('bans').summary('list the bans').description('Lists the bans that stand.');
  addAdminOptions(bans).action(async (options: AdminOptions) => {
    process.exitCode = await askAdmin(options, terminal, listBans);
  });
}

async function banAddress(
  api: AdminApi,
  address: string,
  { for: time, reason, force, as }: Pick<BanOptions, 'for' | 'reason' | 'force' | 'as'>,
): Promise<AdminResult> {
  const data = await api.post('/api/bans', { address, for: time, reason, force, as });
  const { network, until, id, stored } = expectAnswer(BanMade, data);
  const caveat = stored ? '' : 'The store did not take it: it ends with the process.\n';
  return { data, text: printable(`${network} is banned until ${until} (${id})\n${caveat}`) };
}

async function unbanAddress(api: AdminApi, which: string, as: string): Promise<AdminResult> {
  const data = await api.delete(`/api/bans/${encodeURIComponent(which)}?${new URLSearchParams({ as })}`);
  return { data, text: printable(`${bannedText(expectAnswer(Ban, data))} is no longer banned\n`) };
}

async function listBans(api: AdminApi): Promise<AdminResult> {
  const data = await api.get('/api/bans');
  const { bans } = expectAnswer(BanList, data);
  const text = bans.length === 0 ? 'Nobody is banned.\n' : columns([HEAD, ...bans.map(rowOf)]);
  return { data, text };
}

const HEAD = ['id', 'banned', 'until', 'by', 'reason'];
const rowOf = (ban: Static<typeof Ban>): string[] => [
  ban.id,
  bannedText(ban),
  ban.until,
  ban.shadow ? `${ban.by} (shadow)` : ban.by,
  ban.reason,
];
const bannedText = ({ network, caller }: Static<typeof Ban>): string => network ?? caller ?? '';
