import { type Command, InvalidArgumentError } from 'commander';
import { orNull, Type } from '../lib/schema.ts';
import {
  type AdminApi,
  type AdminOptions,
  type AdminResult,
  addAdminOptions,
  askAdmin,
  expectAnswer,
} from './admin-client.ts';
import { type AskedOptions, addAskedOptions, askedOf } from './asking-as.ts';
import { resolvePrefix, short } from './diff-side.ts';
import { printable, processTerminal, type Terminal } from './terminal.ts';

const RolledBack = Type.Object({
  outcome: Type.String(),
  revision: orNull(Type.String()),
  aborted: orNull(Type.String()),
});

type RollbackOptions = AdminOptions & AskedOptions;

/** `sallyport rollback [REVISION]`. */
export function addRollbackCommand(program: Command, terminal: Terminal = processTerminal()): void {
  const rollback = program
    .command('rollback')
    .summary('go back at once')
    .description(
      'Ends the rollout under way. Where there is none, or a revision is named, that one is live at once in every ' +
        'worker: by default the one before, and when asked again the one before that. Its certificates are today’s.',
    )
    .argument('[revision]', 'its first digits, at least 4', parsePrefix);
  addAskedOptions(rollback);
  addAdminOptions(rollback).action(async (prefix: string | undefined, options: RollbackOptions) => {
    process.exitCode = await askAdmin(options, terminal, (api) => goBack(api, prefix, askedOf(options)));
  });
}

function parsePrefix(text: string): string {
  if (/^[0-9a-f]{4,64}$/.test(text)) return text;
  throw new InvalidArgumentError('It takes the first digits of a revision, at least 4.');
}

async function goBack(api: AdminApi, prefix: string | undefined, asked: AskedOptions): Promise<AdminResult> {
  const which = prefix === undefined ? {} : { revision: await resolvePrefix(api, prefix) };
  const data = await api.post('/api/rollback', { ...asked, ...which });
  const { outcome, revision, aborted } = expectAnswer(RolledBack, data);
  const ended = aborted === null ? '' : `Rollout ${aborted} is ended.\n`;
  const live = outcome === 'aborted' ? '' : `Revision ${short(revision ?? '')} is live.\n`;
  return { data, text: printable(`${ended}${live}`) };
}
