import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { ConfigError } from '../errors.ts';
import {
  backUpStore,
  ensureDataDirectory,
  lockDirectory,
  postgresText,
  restoreStore,
  StoreError,
  type StorePlace,
} from '../store/index.ts';
import { type PostgresOptions, postgresSettings } from './postgres-option.ts';
import { processTerminal, type Terminal } from './terminal.ts';

interface PlaceOptions extends PostgresOptions {
  readonly data: string;
}

interface RestoreCommandOptions extends PlaceOptions {
  readonly replace: boolean;
}

/** `sallyport backup` and `sallyport restore`. */
export function addBackupCommands(program: Command, terminal: Terminal = processTerminal()): void {
  const backup = program
    .command('backup')
    .argument('<FILE>', 'file to make')
    .summary('copy the store into a file, while it is served from')
    .description(
      'Copies all that the store holds at one moment into a new file: revisions, audit, consumers, credentials, ' +
        'revocations, lists, bans, usage of quotas and rollouts. Gateways go on using it. Secrets stay as the store has ' +
        'them, hashed or encrypted: keep the master key elsewhere. One made of a store on disk is good for Postgres, and ' +
        'the other way round.',
    );
  addPlaceOptions(backup).action(async (file: string, options: PlaceOptions) => {
    await backUp(file, options, terminal);
  });
  const restore = program
    .command('restore')
    .argument('<FILE>', 'what backup made')
    .summary('put a backup into a store that no gateway uses')
    .description(
      'Puts a backup into a store, all of it or nothing, once its checksum and its audit are found to be whole. Refused ' +
        'while a gateway uses the store, and where it holds anything, unless --replace is given. What was changed since ' +
        'the backup was made, a ban or a revocation, is undone by it.',
    )
    .option('--replace', 'put it in the place of what the store holds', false);
  addPlaceOptions(restore).action(async (file: string, options: RestoreCommandOptions) => {
    await putBack(file, options, terminal);
  });
}

function addPlaceOptions(command: Command): Command {
  return command
    .option('-d, --data <DIR>', 'folder of the store', '.data')
    .option(
      '--store <URL|env:NAME|file:PATH>',
      'the store in Postgres, as `run` has it, in place of the one in DIR',
    )
    .option('--store-password <env:NAME|file:PATH>', 'password of the store')
    .option('--store-ca <FILE>', 'certificates (PEM) that the store must be signed by');
}

async function backUp(file: string, options: PlaceOptions, terminal: Terminal): Promise<void> {
  const place = placeOf(options);
  const { rows, sha256 } = await told(place, file, () => backUpStore(place, file, Date.now()));
  terminal.out(`Backed up ${nameOf(place)} into ${file}.\n`);
  terminal.out(`  rows    ${rows}\n  bytes   ${statSync(file).size}\n  sha256  ${sha256}\n`);
}

async function putBack(file: string, options: RestoreCommandOptions, terminal: Terminal): Promise<void> {
  const place = placeOf(options);
  const release = place.postgres === undefined ? lock(options.data) : () => {};
  try {
    const { replace } = options;
    const asked = { replace, nowMs: Date.now(), actor: 'cli' };
    const { rows, sha256, createdAt } = await told(place, file, () => restoreStore(place, file, asked));
    terminal.out(`Restored ${nameOf(place)} from ${file}, made at ${new Date(createdAt).toISOString()}.\n`);
    terminal.out(`  rows    ${rows}\n  sha256  ${sha256}\n`);
  } finally {
    release();
  }
}

/** A gateway that uses the folder holds its lock. */
function lock(data: string): () => void {
  ensureDataDirectory(data);
  const held = lockDirectory(data);
  return () => held.release();
}

function placeOf({ data, ...options }: PlaceOptions): StorePlace {
  return { path: join(data, 'sallyport.db'), postgres: postgresSettings(options, process.env) };
}

const nameOf = ({ path, postgres }: StorePlace): string =>
  postgres === undefined ? path : postgresText(postgres);

/** In words, and with what to do. */
async function told<T>(place: StorePlace, file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw ConfigError.at('', error.message, suggestionFor(error, place, file));
  }
}

function suggestionFor({ code, message }: StoreError, place: StorePlace, file: string): string | undefined {
  if (code === 'not-found') return 'name the folder of the gateway: --data DIR';
  if (code !== 'conflict') return undefined;
  if (message.includes('not empty'))
    return `to put the backup in the place of what ${nameOf(place)} holds: --replace`;
  if (message.includes('gateways use')) return 'end the gateways that use it, then restore again';
  return existsSync(file) ? 'name another file, or remove that one' : undefined;
}
