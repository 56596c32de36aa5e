import { randomBytes } from 'node:crypto';
import { ChainCheck, GENESIS, nextLink } from '../audit-chain.ts';
import type { BanStore } from '../ban-store.ts';
import type { ConsumerStore } from '../consumer-store.ts';
import type { StoreHealth } from '../health.ts';
import { type LeaseTable, ROLLOUT_LEASE } from '../lease-table.ts';
import type { ListStore } from '../list-store.ts';
import type { NodeTable } from '../node-table.ts';
import type { QuotaUsageStore } from '../quota-usage-store.ts';
import type { RolloutStore } from '../rollout-store.ts';
import { parseActivation, parseAudit, parseRevision, parseSummary, textOf, wholeOf } from '../rows.ts';
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
} from '../store.ts';
import { StoreError } from '../store.ts';
import { PostgresBans } from './bans.ts';
import { ChangeLog } from './changes.ts';
import { PostgresConnection } from './connection.ts';
import { PostgresConsumers } from './consumers.ts';
import { PostgresLeases } from './leases.ts';
import { PostgresLists } from './lists.ts';
import { PostgresNodes } from './nodes.ts';
import { pageOf } from './page.ts';
import { PostgresPool, type Session } from './pool.ts';
import { PostgresQuotas } from './quotas.ts';
import { PostgresRollouts } from './rollouts.ts';
import type { PostgresSettings } from './settings.ts';
import { ChangeWatch } from './watch.ts';

const LINKS_AT_ONCE = 5000;
const ORIGIN_BYTES = 8;

/** As in the embedded store. */
const DOOMED = `SELECT id FROM revisions
  WHERE number <= (SELECT number FROM revisions ORDER BY number DESC LIMIT 1 OFFSET $1)
    AND id NOT IN (SELECT revision FROM
      (SELECT revision, LEAD(at) OVER (ORDER BY number) AS ended FROM activations) AS spans
      WHERE ended IS NULL OR ended >= $2)
    AND id NOT IN (SELECT revision FROM rollouts WHERE is_open = 1)
    AND id NOT IN (SELECT base FROM rollouts WHERE is_open = 1)
  ORDER BY number LIMIT 1000`;

/**
 * Opens the store in Postgres, and brings its tables up to date. With `health`, one that cannot be reached now is waited
 * for: the store is given all the same, and refuses what is asked meanwhile. Rejects with StoreError.
 */
export async function openPostgresStore(settings: PostgresSettings, health?: StoreHealth): Promise<Store> {
  const connection = new PostgresConnection(await PostgresPool.to(settings), settings.schema, health);
  try {
    await connection.prepare();
  } catch (error) {
    const canWait = error instanceof StoreError && error.code !== 'schema-too-new';
    if (!canWait || health === undefined) {
      await connection.close();
      throw error;
    }
    health.notOpened(error);
  }
  return new PostgresStore(connection, settings.schema);
}

class PostgresStore implements Store {
  readonly consumers: ConsumerStore;
  readonly lists: ListStore;
  readonly bans: BanStore;
  readonly quotas: QuotaUsageStore;
  readonly rollouts: RolloutStore;
  readonly nodes: NodeTable;
  readonly leases: LeaseTable;
  readonly #connection: PostgresConnection;
  readonly #changes: ChangeLog;
  readonly #watches = new Set<ChangeWatch>();

  constructor(connection: PostgresConnection, schema: string) {
    this.#connection = connection;
    this.#changes = new ChangeLog(schema, randomBytes(ORIGIN_BYTES).toString('hex'));
    this.consumers = new PostgresConsumers(connection, this.#changes);
    this.lists = new PostgresLists(connection, this.#changes);
    this.bans = new PostgresBans(connection, this.#changes);
    this.quotas = new PostgresQuotas(connection);
    this.rollouts = new PostgresRollouts(connection, this.#changes);
    this.nodes = new PostgresNodes(connection);
    this.leases = new PostgresLeases(connection);
  }

  putRevision({ id, document, files, createdAt, author, reason }: RevisionEntry): Promise<void> {
    return this.#connection.run(async (session) => {
      // One that is there takes no number.
      await session.write(
        `INSERT INTO revisions (id, document, files, created_at, author, reason)
         SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (SELECT 1 FROM revisions WHERE id = $1)
         ON CONFLICT (id) DO NOTHING`,
        [id, document, JSON.stringify(files), createdAt, author, reason],
      );
    });
  }

  getRevision(id: string): Promise<StoredRevision | undefined> {
    return this.#connection.run(async (session) => {
      const [row] = await session.rows('SELECT * FROM revisions WHERE id = $1', [id]);
      return row === undefined ? undefined : parseRevision(row);
    });
  }

  async listRevisions(page: Page): Promise<readonly RevisionSummary[]> {
    return (await this.#page('number, id, created_at, author, reason', 'revisions', page)).map(parseSummary);
  }

  setActive(id: string, at: number, how: ActivationHow = 'publish', fence?: number): Promise<void> {
    return this.#connection.transaction(async (session) => {
      if (fence !== undefined) await assertFence(session, fence);
      const activated = await session.write(
        'INSERT INTO activations (revision, at, how) SELECT id, $2, $3 FROM revisions WHERE id = $1',
        [id, at, how],
      );
      if (activated === 0) throw new StoreError('not-found', `revision ${id} is not in the store`);
      await this.#changes.tell(session, 'activations', id);
    });
  }

  active(): Promise<ActiveRevision | undefined> {
    return this.#connection.run(async (session) => {
      const [row] = await session.rows('SELECT revision, at FROM activations ORDER BY number DESC LIMIT 1');
      return row === undefined ? undefined : { id: textOf(row.revision), at: wholeOf(row.at) };
    });
  }

  async listActivations(page: Page): Promise<readonly StoredActivation[]> {
    return (await this.#page('number, revision, at, how', 'activations', page)).map(parseActivation);
  }

  pruneRevisions(keep: number, activeSince: number): Promise<number> {
    return this.#connection.transaction(async (session) => {
      const doomed = (await session.rows(DOOMED, [keep, activeSince])).map(({ id }) => textOf(id));
      await session.write('DELETE FROM activations WHERE revision = ANY ($1::text[])', [doomed]);
      await session.write('DELETE FROM revisions WHERE id = ANY ($1::text[])', [doomed]);
      return doomed.length;
    });
  }

  /** Nodes that append at once take turns at the head, which each moves from where it found it. */
  appendAudit(entry: AuditEntry): Promise<AuditHead> {
    return this.#connection.transaction(async (session) => {
      const head = await headOf(session, 'FOR UPDATE');
      const { number, entry: text, hash } = nextLink(head, entry);
      await session.write('INSERT INTO audit (number, entry, hash) VALUES ($1, $2, $3)', [
        number,
        text,
        hash,
      ]);
      const moved = await session.write(
        'UPDATE audit_head SET number = $1, hash = $2 WHERE number = $3 AND hash = $4',
        [number, hash, head.number, head.hash],
      );
      if (moved !== 1) throw new StoreError('corrupt', 'the audit has no head');
      return { number, hash };
    });
  }

  async listAudit(page: Page): Promise<readonly StoredAuditEntry[]> {
    return (await this.#page('number, entry, hash', 'audit', page)).map(parseAudit);
  }

  verifyAudit(known?: AuditHead): Promise<AuditVerification> {
    return this.#connection.transaction(
      async (session) => {
        const check = new ChainCheck(known);
        const sql = `SELECT number, entry, hash FROM audit WHERE number > $1 ORDER BY number LIMIT ${LINKS_AT_ONCE}`;
        for (let after = Number.MIN_SAFE_INTEGER; ; ) {
          const rows = await session.rows(sql, [after]);
          for (const row of rows) {
            const link = { number: wholeOf(row.number), entry: textOf(row.entry), hash: textOf(row.hash) };
            const fault = check.take(link);
            if (fault !== undefined) return fault;
            after = link.number;
          }
          if (rows.length < LINKS_AT_ONCE) return check.end(await headOf(session));
        }
      },
      { begin: 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', patience: 'each' },
    );
  }

  async watch(listener: StoreListener): Promise<() => void> {
    const watch = await ChangeWatch.start(this.#connection, this.#changes, listener);
    this.#watches.add(watch);
    return () => {
      watch.end();
      this.#watches.delete(watch);
    };
  }

  async close(): Promise<void> {
    for (const watch of this.#watches) watch.end();
    await this.#connection.close();
  }

  #page(columns: string, table: 'revisions' | 'audit' | 'activations', { limit, before }: Page) {
    const sql = `SELECT ${columns} FROM ${table} WHERE number < $1 ORDER BY number DESC LIMIT ${pageOf(limit)}`;
    return this.#connection.run((session) => session.rows(sql, [before ?? Number.MAX_SAFE_INTEGER]));
  }
}

/** Locked to the end of the transaction: nobody takes it in between. */
async function assertFence(session: Session, fence: number): Promise<void> {
  const sql = 'SELECT fence FROM leases WHERE name = $1 AND fence = $2 FOR SHARE';
  const held = await session.rows(sql, [ROLLOUT_LEASE, fence]);
  if (held.length === 0) throw new StoreError('conflict', 'another node drives the rollout by now');
}

async function headOf(session: Session, lock: '' | 'FOR UPDATE' = ''): Promise<AuditHead> {
  const [row] = await session.rows(`SELECT number, hash FROM audit_head ${lock}`);
  return row === undefined ? GENESIS : { number: wholeOf(row.number), hash: textOf(row.hash) };
}
