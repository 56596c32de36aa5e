import { availableParallelism } from 'node:os';
import { type Command, Option } from 'commander';
import { DEFAULT_COUNTER_KEYS } from '../state/index.ts';
import {
  addReference,
  type HostPort,
  parseAdmin,
  parseAdminName,
  parseCounterKeys,
  parseDurationMs,
  parseHostPort,
  parseNodeName,
  parseWorkers,
} from './options.ts';
import type { PostgresOptions } from './postgres-option.ts';
import type { StoreOptions } from './store-option.ts';

export interface RunOptions extends StoreOptions, PostgresOptions {
  /** The document, or a folder of documents. */
  readonly config: string;
  /** Folder of what the program keeps: last good revision, store, admin token. */
  readonly data: string;
  readonly admin: HostPort | 'off';
  /** Host names under which the admin side may be reached, beside loopback's and, beyond it, IP addresses. */
  readonly adminName: readonly string[];
  readonly workers: number;
  /** Keys that counters in memory have places for, rounded up to a power of two. */
  readonly counterKeys: number;
  /** `stdout`, `none` or the path of a file. */
  readonly records: string;
  /** `env:NAME` or `file:PATH` of the keys that secrets in the store are encrypted with, the current one first. */
  readonly masterKey: readonly string[];
  /** Milliseconds that requests have to end in when the program ends. */
  readonly drain: number;
  /** Name of this node among those that have one store; undefined for the machine's. */
  readonly nodeName: string | undefined;
  /** Where the built-in demo upstream listens; undefined for no demo. */
  readonly demo: HostPort | undefined;
}

/** Adds `run`; `start` does it and resolves when the gateway serves, or sets the exit code. */
export function addRunCommand(program: Command, start: (options: RunOptions) => Promise<void>): void {
  program
    .command('run')
    .summary('serve a document')
    .description(
      'Serves a document. It is loaded again when it changes, on SIGHUP and by the admin API; one that ' +
        'cannot be served is refused, and the revision before it stays in service.',
    )
    .option('-c, --config <FILE|DIR>', 'the document', 'gateway.yaml')
    .option('-d, --data <DIR>', 'folder for the store, the last good revision and the admin token', '.data')
    .addOption(
      new Option('-a, --admin <HOST:PORT|off>', 'where the admin side listens')
        .argParser(parseAdmin)
        .default({ host: '127.0.0.1', port: 8090 }, '127.0.0.1:8090'),
    )
    .addOption(
      new Option(
        '--admin-name <NAME>',
        'host name under which the admin side may be reached, without port; repeat it for more',
      )
        .argParser(parseAdminName)
        .default([], 'IP addresses and localhost'),
    )
    .addOption(
      new Option('-w, --workers <N>', 'threads that serve')
        .argParser(parseWorkers)
        .default(availableParallelism(), 'one per core'),
    )
    .addOption(
      new Option(
        '--counter-keys <N>',
        'keys (callers, by limit) that counters in memory can hold at one time; over it new ones are refused. ' +
          'Rounded up to a power of two; each takes 44 bytes once it is used',
      )
        .argParser(parseCounterKeys)
        .default(DEFAULT_COUNTER_KEYS, '1048576, which takes 46 MB when all are used'),
    )
    .option('-r, --records <stdout|FILE|none>', 'where one JSON line per request goes', 'stdout')
    .addOption(
      new Option(
        '--master-key <env:NAME|file:PATH>',
        'key that secrets in the store are encrypted with; repeat it for those that earlier ones were',
      )
        .argParser(addReference)
        .default([], 'DIR/master-key, made when needed'),
    )
    .option(
      '--store <URL|env:NAME|file:PATH>',
      'Postgres that several nodes have their store in: postgres://USER@HOST:5432/DATABASE (default: a file in DIR)',
    )
    .option('--store-password <env:NAME|file:PATH>', 'password of the store')
    .option('--store-ca <FILE>', 'certificates (PEM) that the store must be signed by')
    .addOption(
      new Option(
        '--node-name <NAME>',
        'name of this node among those that have one store (default: name of the machine)',
      ).argParser(parseNodeName),
    )
    .option(
      '--state <URL|env:NAME>',
      'Valkey or Redis that counts for all nodes: redis://, redis+sentinel:// or redis+cluster://, rediss for TLS',
    )
    .option('--state-password <env:NAME|file:PATH>', 'password of the store of counters')
    .option('--state-ca <FILE>', 'certificates (PEM) that the store of counters must be signed by')
    .addOption(
      new Option(
        '--state-timeout <DURATION>',
        'how long a request waits for the store of counters at most, in all (default: 20ms)',
      ).argParser(parseDurationMs),
    )
    .addOption(
      new Option('--drain <DURATION>', 'how long requests may take to end after SIGTERM')
        .argParser(parseDurationMs)
        .default(30_000, '30s'),
    )
    .addOption(
      new Option(
        '--demo [HOST:PORT]',
        'also serve a demo upstream (127.0.0.1:8099), and make demo.key beside a document that names it',
      )
        .preset('127.0.0.1:8099')
        .argParser(parseHostPort),
    )
    .addHelpText(
      'after',
      '\nSignals:\n' +
        '  SIGTERM, SIGINT  finish the requests under way, then exit; a second one exits at once\n' +
        '  SIGHUP           load the document again, with its files and secrets, and reopen the record file\n' +
        '\nExit codes:\n  0  ended as asked\n  1  could not start, or failed\n  2  wrong usage\n',
    )
    .action(async (options: RunOptions) => start(options));
}
