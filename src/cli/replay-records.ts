import { createReadStream, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { DeclaredConsumer } from '../config/index.ts';
import type { Identity, ListenerPlan, RecordedRequest } from '../contract/index.ts';
import { openRecordingIn } from '../control/index.ts';
import { ConfigError } from '../errors.ts';
import { createSystemRandom } from '../lib/system.ts';
import type { loadReplay } from '../lifecycle/index.ts';
import type { ReplayOptions } from './replay-options.ts';

/** Where requests come from, and what could not be read of it, known once all of it was. */
export interface ReplayRecords {
  readonly records: AsyncIterable<RecordedRequest> | Iterable<RecordedRequest>;
  /** What it is called. */
  readonly source: string;
  readonly faults: () => readonly string[];
}

/** What imports are read by. */
export interface ImportWorld {
  readonly replay: Awaited<ReturnType<typeof loadReplay>>;
  readonly listeners: readonly ListenerPlan[];
  /** Consumers as any of the documents at hand declares them. */
  readonly consumers: readonly DeclaredConsumer[];
}

/** Opens what is to be replayed. Rejects with ConfigError for what cannot be read. */
export function openRecords(
  options: ReplayOptions,
  nowMs: number,
  world: ImportWorld,
): Promise<ReplayRecords> | ReplayRecords {
  const { har, log } = options;
  if (har !== undefined) return archive(har, options, world);
  if (log !== undefined) return accessLog(log, options, world);
  return recording(options, nowMs);
}

async function recording(
  { data: dataDir, masterKey: references, records: agoMs, from, to }: ReplayOptions,
  nowMs: number,
): Promise<ReplayRecords> {
  // Asked for first: without a recording no master key is to be made.
  if (!existsSync(join(dataDir, 'recordings'))) {
    const fix = 'name the data folder of the gateway with --data, or a file with --har or --log';
    throw ConfigError.at('', `${dataDir} holds no recording`, fix);
  }
  const randomBytes = (size: number) => Buffer.from(createSystemRandom().hex(size), 'hex');
  const recorded = await openRecordingIn({ references, dataDir, environment: process.env, randomBytes });
  const fromMs = from ?? (to ?? nowMs) - agoMs;
  return {
    records: recorded.read({ fromMs, ...(to === undefined ? {} : { toMs: to }) }),
    source: `the recording in ${dataDir}`,
    faults: () => {
      const { torn, tampered, foreign } = recorded.faults;
      return [
        ...told(torn, 'pieces of the recording were not finished when their process ended'),
        ...told(tampered, 'pieces of the recording were changed or are missing, and are not read'),
        ...told(foreign, 'pieces of the recording need a master key that is not given (--master-key)'),
      ];
    },
  };
}

const told = (count: number, what: string): readonly string[] => (count === 0 ? [] : [`${count} ${what}`]);

function archive(file: string, options: ReplayOptions, world: ImportWorld): ReplayRecords {
  const { ImportFaults, importHar } = world.replay;
  const faults = new ImportFaults();
  try {
    const records = importHar(textOf(file), importOptions(options, world), faults);
    return { records, source: file, faults: () => faultsOf(faults, file) };
  } catch (cause) {
    if (cause instanceof SyntaxError) throw ConfigError.at('', `${file}: ${cause.message}`);
    throw cause;
  }
}

function accessLog(file: string, options: ReplayOptions, world: ImportWorld): ReplayRecords {
  const { ImportFaults, importLog } = world.replay;
  const faults = new ImportFaults();
  return {
    records: importLog(linesOf(file), importOptions(options, world), faults),
    source: file,
    faults: () => faultsOf(faults, file),
  };
}

async function* linesOf(file: string): AsyncGenerator<string> {
  const input = createReadStream(file, 'utf8');
  try {
    yield* createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

const unreadable = (file: string, cause: unknown): ConfigError =>
  ConfigError.at('', `${file} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`);

function faultsOf(
  { unreadable, entries, told: first }: { unreadable: number; entries: number; told: string[] },
  file: string,
) {
  if (unreadable === 0) return [];
  return [`${unreadable} of ${entries} entries of ${file} cannot be read: ${first.join('; ')}`];
}

function importOptions({ listener, host, client }: ReplayOptions, { listeners, consumers }: ImportWorld) {
  const found = listener === undefined ? listeners[0] : listeners.find(({ name }) => name === listener);
  if (found === undefined) throw ConfigError.at('', `the document has no listener "${listener}"`);
  return {
    listener: found.name,
    scheme: found.tls === undefined ? 'http' : 'https',
    host,
    peer: client,
    identityOf: (consumer: string, credential: string | undefined) =>
      identityOf(consumers, consumer, credential),
  } as const;
}

/** Of a consumer that a document declares, the document says all there is to know. */
function identityOf(
  consumers: readonly DeclaredConsumer[],
  name: string,
  credentialId: string | undefined,
): Identity | undefined {
  const consumer = consumers.find((one) => one.name === name);
  const credential = consumer?.credentials.find(({ id }) => id === credentialId);
  if (consumer === undefined || credential === undefined) return undefined;
  const { groups, id } = consumer;
  const more = id === undefined ? {} : { consumerId: id };
  return {
    consumer: name,
    ...more,
    groups,
    scopes: [],
    claims: {},
    credential: { id: credential.id, kind: credential.kind },
  };
}
