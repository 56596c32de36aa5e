import type { SQLOutputValue } from 'node:sqlite';
import { type AuditLink, GENESIS, nextLink, verifyChain } from './audit-chain.ts';
import type { BanStore } from './ban-store.ts';
import type { ConsumerStore } from './consumer-store.ts';
import type { StoreHealth } from './health.ts';
import { ROLLOUT_LEASE } from './lease-table.ts';
import type { ListStore } from './list-store.ts';
import { MemoryLeases } from './memory-leases.ts';
import { MemoryNodes } from './memory-nodes.ts';
import type { QuotaUsageStore } from './quota-usage-store.ts';
import type { RolloutStore } from './rollout-store.ts';
import { parseActivation, parseAudit, parseRevision, parseSummary, textOf, wholeOf } from './rows.ts';
import { SqliteBans } from './sqlite-bans.ts';
import { SqliteConnection } from './sqlite-connection.ts';
import { SqliteConsumers } from './sqlite-consumers.ts';
import { openDatabase } from './sqlite-database.ts';
import { SqliteLists } from './sqlite-lists.ts';
import { SqliteQuotas } from './sqlite-quotas.ts';
import { SqliteRollouts } from './sqlite-rollouts.ts';
import type {
  ActivationHow,
  ActiveRevision,
  AuditEntry,
  AuditHead,
  AuditVerification,
  Page,
  RevisionEntry,
  RevisionSummary,
  Store,
  StoredActivation,
  StoredAuditEntry,
  StoredRevision,
  StoreListener,
} from './store.ts';
import { StoreError } from './store.ts';

type Row = Record<string, SQLOutputValue>;

const MAX_PAGE = 1000;

/** Revisions to forget: an activation counts until the next one. So many at a time as take no time. */
const DOOMED = `SELECT id FROM revisions
  WHERE number <= (SELECT number FROM revisions ORDER BY number DESC LIMIT 1 OFFSET ?)
    AND id NOT IN (SELECT revision FROM
      (SELECT revision, LEAD(at) OVER (ORDER BY number) AS ended FROM activations)
      WHERE ended IS NULL OR ended >= ?)
    AND id NOT IN (SELECT revision FROM rollouts WHERE is_open = 1)
    AND id NOT IN (SELECT base FROM rollouts WHERE is_open = 1)
  ORDER BY number LIMIT 1000`;

/**
 * Opens the embedded store. `path` is a file (made with mode 0600) or `:memory:`. The write-ahead log and a
 * sync per commit keep an acknowledged audit entry through a power cut. With `health`, one that cannot be opened now is
 * waited for: the store is given all the same, and refuses what is asked meanwhile.
 * @throws StoreError
 */
export function openSqliteStore(path: string, health?: StoreHealth): Store {
  const connection = new SqliteConnection(() => openDatabase(path), health);
  try {
    connection.open();
  } catch (error) {
    const canWait = error instanceof StoreError && error.code !== 'schema-too-new';
    if (!canWait || health === undefined) throw error;
    health.notOpened(error);
    return new SqliteStore(connection, health);
  }
  return new SqliteStore(connection, undefined);
}

class SqliteStore implements Store {
  readonly consumers: ConsumerStore;
  readonly lists: ListStore;
  readonly bans: BanStore;
  readonly quotas: QuotaUsageStore;
  readonly rollouts: RolloutStore;
  readonly nodes = new MemoryNodes();
  readonly leases = new MemoryLeases();
  readonly #connection: SqliteConnection;
  /** Of a store that could not be opened at first. */
  readonly #lateHealth: StoreHealth | undefined;

  constructor(connection: SqliteConnection, lateHealth: StoreHealth | undefined) {
    this.#connection = connection;
    this.#lateHealth = lateHealth;
    this.consumers = new SqliteConsumers(this.#connection);
    this.lists = new SqliteLists(this.#connection);
    this.bans = new SqliteBans(this.#connection);
    this.quotas = new SqliteQuotas(this.#connection);
    this.rollouts = new SqliteRollouts(this.#connection, this.leases);
  }

  putRevision(revision: RevisionEntry): Promise<void> {
    return this.#connection.run(() => {
      const { id, document, files, createdAt, author, reason } = revision;
      this.#connection
        .prepare(
          `INSERT INTO revisions (id, document, files, created_at, author, reason) VALUES (?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO NOTHING`,
        )
        .run(id, document, JSON.stringify(files), createdAt, author, reason);
    });
  }

  getRevision(id: string): Promise<StoredRevision | undefined> {
    return this.#connection.run(() => {
      const row = this.#connection.prepare('SELECT * FROM revisions WHERE id = ?').get(id);
      return row === undefined ? undefined : parseRevision(row);
    });
  }

  listRevisions(page: Page): Promise<readonly RevisionSummary[]> {
    return this.#connection.run(() =>
      this.#page('number, id, created_at, author, reason', 'revisions', page).map(parseSummary),
    );
  }

  setActive(id: string, at: number, how: ActivationHow = 'publish', fence?: number): Promise<void> {
    return this.#connection.run(() => {
      if (!this.leases.isCurrent(ROLLOUT_LEASE, fence))
        throw new StoreError('conflict', 'another node drives the rollout by now');
      const known = this.#connection.prepare('SELECT 1 FROM revisions WHERE id = ?').get(id);
      if (known === undefined) throw new StoreError('not-found', `revision ${id} is not in the store`);
      this.#connection
        .prepare('INSERT INTO activations (revision, at, how) VALUES (?, ?, ?)')
        .run(id, at, how);
    });
  }

  listActivations(page: Page): Promise<readonly StoredActivation[]> {
    return this.#connection.run(() =>
      this.#page('number, revision, at, how', 'activations', page).map(parseActivation),
    );
  }

  pruneRevisions(keep: number, activeSince: number): Promise<number> {
    return this.#connection.run(() =>
      this.#connection.transaction('BEGIN IMMEDIATE', () => {
        const doomed = this.#connection.prepare(DOOMED).all(keep, activeSince);
        for (const { id } of doomed) {
          this.#connection.prepare('DELETE FROM activations WHERE revision = ?').run(id);
          this.#connection.prepare('DELETE FROM revisions WHERE id = ?').run(id);
        }
        return doomed.length;
      }),
    );
  }

  active(): Promise<ActiveRevision | undefined> {
    return this.#connection.run(() => {
      const row = this.#connection
        .prepare('SELECT revision, at FROM activations ORDER BY number DESC LIMIT 1')
        .get();
      return row === undefined ? undefined : { id: textOf(row.revision), at: wholeOf(row.at) };
    });
  }

  appendAudit(entry: AuditEntry): Promise<AuditHead> {
    return this.#connection.run(() =>
      this.#connection.transaction('BEGIN IMMEDIATE', () => {
        const link = nextLink(this.#head(), entry);
        const { number, hash } = link;
        this.#connection
          .prepare('INSERT INTO audit (number, entry, hash) VALUES (?, ?, ?)')
          .run(number, link.entry, hash);
        this.#connection
          .prepare('INSERT OR REPLACE INTO audit_head (only, number, hash) VALUES (1, ?, ?)')
          .run(number, hash);
        return { number, hash };
      }),
    );
  }

  listAudit(page: Page): Promise<readonly StoredAuditEntry[]> {
    return this.#connection.run(() => this.#page('number, entry, hash', 'audit', page).map(parseAudit));
  }

  verifyAudit(known?: AuditHead): Promise<AuditVerification> {
    return this.#connection.run(() =>
      this.#connection.transaction('BEGIN', () => verifyChain(this.#links(), this.#head(), known)),
    );
  }

  /** One program has it at a time: nobody else changes anything. What one holds that opens late is news. */
  async watch(listener: StoreListener): Promise<() => void> {
    return this.#lateHealth?.onceBack(() => listener('unknown')) ?? (() => {});
  }

  close(): Promise<void> {
    this.nodes.close();
    return this.#connection.close();
  }

  *#links(): IterableIterator<AuditLink> {
    for (const row of this.#connection
      .prepare('SELECT number, entry, hash FROM audit ORDER BY number')
      .iterate()) {
      yield { number: wholeOf(row.number), entry: textOf(row.entry), hash: textOf(row.hash) };
    }
  }

  #head(): AuditHead {
    const row = this.#connection.prepare('SELECT number, hash FROM audit_head').get();
    return row === undefined ? GENESIS : { number: wholeOf(row.number), hash: textOf(row.hash) };
  }

  #page(columns: string, table: 'revisions' | 'audit' | 'activations', { limit, before }: Page): Row[] {
    const rows = Math.min(Math.max(Math.trunc(limit), 1), MAX_PAGE);
    return this.#connection
      .prepare(`SELECT ${columns} FROM ${table} WHERE number < ? ORDER BY number DESC LIMIT ?`)
      .all(before ?? Number.MAX_SAFE_INTEGER, rows);
  }
}
