/**
 * Live credentials: time to load a million from the store, memory, and nanoseconds of a look-up by their number, in one
 * thread. Run by hand: node --expose-gc bench/micro/credentials.ts [NUMBER]
 */
import { hash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { LiveConsumers } from '../../src/contract/index.ts';
import { openMasterKeys } from '../../src/control/callers/index.ts';
import { loadCallers } from '../../src/control/callers/load-callers.ts';
import { attachCredentials, CredentialTable } from '../../src/state/index.ts';
import { openSqliteStore } from '../../src/store/index.ts';

const MOST = Number(process.argv[2] ?? 1_000_000);
const LOOKUPS = 200_000;
const ROUNDS = 15;

const keyOf = (n: number): string => hash('sha256', `key ${n}`, 'base64url');
const idOf = (n: number): string => `cr-${n.toString(16).padStart(16, '0')}`;

/** Written as the store would have, in one transaction: a commit for each would take an hour. */
async function fill(path: string, credentials: number, perConsumer: number): Promise<void> {
  await openSqliteStore(path).close();
  const database = new DatabaseSync(path);
  database.exec('PRAGMA synchronous = OFF; BEGIN');
  const consumer = database.prepare('INSERT INTO consumers VALUES (?, NULL, ?, 1, ?, NULL)');
  const credential = database.prepare(
    `INSERT INTO credentials (id, consumer, kind, lookup, shown, created_at, created_by) VALUES (?, ?, ?, ?, ?, 1, ?)`,
  );
  for (let n = 0; n < credentials; n++) {
    const name = `consumer-${Math.floor(n / perConsumer)}`;
    if (n % perConsumer === 0) consumer.run(name, '["partners","eu"]', 'admin');
    credential.run(idOf(n), name, 'api-key', keyOf(n), 'spk_012345', 'admin');
  }
  database.exec('COMMIT');
  database.close();
}

const rssMb = (): number => {
  globalThis.gc?.();
  return process.memoryUsage.rss() / 1e6;
};

async function load(folder: string, credentials: number, perConsumer: number) {
  const path = join(folder, `${credentials}-${perConsumer}.db`);
  await fill(path, credentials, perConsumer);
  const store = openSqliteStore(path);
  const table = new CredentialTable();
  const keys = openMasterKeys({ references: [], dataDir: folder, environment: {}, randomBytes });
  const before = rssMb();
  const from = performance.now();
  await loadCallers({ store: store.consumers, table, keys, log: { info() {}, warn() {}, error() {} } });
  const loadMs = performance.now() - from;
  const after = rssMb();
  await store.close();
  const { bytes, consumers } = table.stats;
  return {
    table,
    row: {
      credentials,
      consumers,
      loadMs: Math.round(loadMs),
      tableMb: Math.round(bytes / 1e6),
      rssMb: Math.round(after - before),
      'bytes each': Math.round(bytes / credentials),
    },
  };
}

/** The best of some rounds, since others use the machine too. */
function nanoseconds(live: LiveConsumers, keys: readonly string[]): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const from = performance.now();
    for (let i = 0; i < LOOKUPS; i++) live.find('api-key', keys[i % keys.length]);
    best = Math.min(best, ((performance.now() - from) * 1e6) / LOOKUPS);
  }
  return Math.round(best);
}

/** Keys as a request brings them: texts that were just made, not those that are remembered. */
const fresh = (numbers: readonly number[]): string[] =>
  numbers.map((n) => Buffer.from(keyOf(n)).toString('latin1'));
const spread = (count: number, among: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.floor((i * 2_654_435_761) % among));

const folder = mkdtempSync(join(tmpdir(), 'sallyport-credentials-'));
try {
  const loads = [];
  const lookups = [];
  for (const credentials of [1000, 100_000, MOST]) {
    const { table, row } = await load(folder, credentials, 10);
    loads.push(row);
    const measure = (numbers: readonly number[]) =>
      nanoseconds(attachCredentials(table.buffers), fresh(numbers));
    lookups.push({
      credentials,
      'one again and again, ns': measure([7]),
      '1,000 in turn, ns': measure(spread(1000, credentials)),
      '200,000 in turn, ns': credentials < LOOKUPS ? '' : measure(spread(LOOKUPS, credentials)),
      'not there, ns': measure(spread(1000, credentials).map((n) => n + 10_000_000)),
    });
  }
  loads.push((await load(folder, MOST, 1)).row);
  console.table(loads);
  console.table(lookups);
} finally {
  rmSync(folder, { recursive: true });
}
