import { readFileSync } from 'node:fs';
import { ConfigError } from '../errors.ts';
import { type PostgresSettings, parsePostgresAddress } from '../store/index.ts';
import { readNamedFile } from './named-file.ts';

/** What the command line says of the store that several nodes share. */
export interface PostgresOptions {
  /** URL of the store, or `env:NAME` or `file:PATH` of it; undefined for the one in the data folder. */
  readonly store: string | undefined;
  /** `env:NAME` or `file:PATH` of its password. */
  readonly storePassword: string | undefined;
  /** File of the certificates that the store's is to be signed by. */
  readonly storeCa: string | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Where the store is, or undefined for the one in the data folder. Passwords in files are read again for each connection,
 * so that they may change. Throws ConfigError, which never holds what might be a password.
 */
export function postgresSettings(
  { store, storePassword, storeCa }: PostgresOptions,
  environment: Environment,
): PostgresSettings | undefined {
  if (store === undefined) {
    if ((storePassword ?? storeCa) === undefined) return undefined;
    throw ConfigError.at('--store', 'is missing', 'name the store that the other options are for');
  }
  const readUrl = (): string => (isReference(store) ? readReference('--store', store, environment) : store);
  const { password, ...address } = parsePostgresAddress(readUrl());
  if (password !== undefined && !isReference(store)) {
    throw ConfigError.at(
      '--store',
      'has a password in it, which everybody on this machine can read in the list of processes',
      'write --store-password env:NAME or file:PATH, or give the whole URL as --store env:NAME or file:PATH',
    );
  }
  if (password !== undefined && storePassword !== undefined) {
    throw ConfigError.at('--store-password', 'is given twice', 'leave it out of the URL');
  }
  if (storeCa !== undefined && !address.tls.startsWith('verify-')) {
    const suggestion = 'add ?sslmode=verify-full to --store';
    throw ConfigError.at('--store-ca', `means nothing with sslmode=${address.tls}`, suggestion);
  }
  const readPassword =
    storePassword === undefined
      ? () => parsePostgresAddress(readUrl()).password
      : () => readPasswordReference(storePassword, environment);
  // What cannot be read is told of now.
  readPassword();
  return { ...address, readPassword, ca: storeCa === undefined ? undefined : readNamedFile(storeCa) };
}

const isReference = (text: string): boolean => text.startsWith('env:') || text.startsWith('file:');

function readPasswordReference(reference: string, environment: Environment): string {
  if (isReference(reference)) return readReference('--store-password', reference, environment);
  throw ConfigError.at('--store-password', 'takes env:NAME or file:PATH, never the password itself');
}

function readReference(option: string, reference: string, environment: Environment): string {
  const name = reference.slice(reference.indexOf(':') + 1);
  const isFile = reference.startsWith('file:');
  const text = isFile ? readSecretFile(option, name) : environment[name]?.trim();
  if (text !== undefined && text !== '') return text;
  throw ConfigError.at(option, isFile ? `the file ${name} is empty` : `the environment has no ${name}`);
}

function readSecretFile(option: string, path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw ConfigError.at(option, `cannot be read: ${reason}`);
  }
}
