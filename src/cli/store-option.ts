import { readFileSync } from 'node:fs';
import { ConfigError } from '../errors.ts';
import { parseStoreAddress, type StoreSettings } from '../state/index.ts';
import { readNamedFile } from './named-file.ts';

/** What the command line says of the store of counters. */
export interface StoreOptions {
  /** URL of the store, or `env:NAME` of it; undefined for counters of this node alone. */
  readonly state: string | undefined;
  /** `env:NAME` or `file:PATH` of its password. */
  readonly statePassword: string | undefined;
  /** File of the certificates that the store's is to be signed by. */
  readonly stateCa: string | undefined;
  /** No request waits longer for the store, in milliseconds; undefined for the default. */
  readonly stateTimeout: number | undefined;
}

/** How long a request waits for the store in all where nobody says otherwise. */
const DEFAULT_TIMEOUT_MS = 20;
const LONGEST_TIMEOUT_MS = 1000;

/**
 * Where counters are shared, or undefined. `node` is new for each start of the process. Throws ConfigError, which never
 * holds what might be a password.
 */
export function storeSettings(
  { state, statePassword, stateCa, stateTimeout }: StoreOptions,
  environment: Readonly<Record<string, string | undefined>>,
  node: string,
): StoreSettings | undefined {
  if (state === undefined) {
    if ((statePassword ?? stateCa ?? stateTimeout) === undefined) return undefined;
    throw ConfigError.at('--state', 'is missing', 'name the store that the other options are for');
  }
  const isReference = state.startsWith('env:');
  const address = parseStoreAddress(isReference ? readEnvironment('--state', state, environment) : state);
  if (address.password !== undefined && !isReference) {
    throw ConfigError.at(
      '--state',
      'has a password in it, which everybody on this machine can read in the list of processes',
      'write --state-password env:NAME or file:PATH, or give the whole URL as --state env:NAME',
    );
  }
  if (address.password !== undefined && statePassword !== undefined) {
    throw ConfigError.at('--state-password', 'is given twice', 'leave it out of the URL');
  }
  if (stateCa !== undefined && !address.isTls) {
    throw ConfigError.at('--state-ca', 'means nothing without TLS', 'write rediss:// in --state');
  }
  const timeoutMs = stateTimeout ?? DEFAULT_TIMEOUT_MS;
  if (timeoutMs < 1 || timeoutMs > LONGEST_TIMEOUT_MS) {
    throw ConfigError.at('--state-timeout', 'is not from 1ms to 1s', 'requests wait so long for the store');
  }
  return {
    ...address,
    password: statePassword === undefined ? address.password : readPassword(statePassword, environment),
    ca: stateCa === undefined ? undefined : readNamedFile(stateCa),
    timeoutMs,
    node,
  };
}

function readPassword(reference: string, environment: Readonly<Record<string, string | undefined>>): string {
  if (reference.startsWith('env:')) return readEnvironment('--state-password', reference, environment);
  if (!reference.startsWith('file:')) {
    throw ConfigError.at('--state-password', 'takes env:NAME or file:PATH, never the password itself');
  }
  const text = readSecretFile(reference.slice('file:'.length));
  if (text !== '') return text;
  throw ConfigError.at('--state-password', 'is an empty file');
}

function readSecretFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw ConfigError.at('--state-password', `cannot be read: ${reason}`);
  }
}

function readEnvironment(
  option: string,
  reference: string,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const name = reference.slice('env:'.length);
  const text = environment[name]?.trim();
  if (text !== undefined && text !== '') return text;
  throw ConfigError.at(option, `the environment has no ${name}`);
}
