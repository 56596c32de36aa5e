import type { CredentialKind } from '../../contract/index.ts';
import {
  parseActiveCells,
  parseConsumer,
  parseConsumerCells,
  parseCredential,
  parseRevocation,
} from '../consumer-rows.ts';
import type {
  ActiveCredential,
  ConsumerChange,
  ConsumerEntry,
  ConsumerStore,
  CredentialEntry,
  CredentialPage,
  CredentialUse,
  NamePage,
  RevocationEntry,
  StoredCredential,
} from '../consumer-store.ts';
import { textOf, wholeOf } from '../rows.ts';
import { StoreError } from '../store.ts';
import type { ChangeLog } from './changes.ts';
import type { PostgresConnection } from './connection.ts';
import { pageOf } from './page.ts';
import type { Session, Value } from './pool.ts';

const MAX_PAGE = 10_000;

const CREDENTIALS =
  'SELECT c.*, u.at AS used_at FROM credentials c LEFT JOIN credential_use u ON u.id = c.id';

const REVOKED = 'revoked_at = coalesce(revoked_at, $3), verifier = NULL, sealed = NULL';

/** Consumers and credentials in Postgres. */
export class PostgresConsumers implements ConsumerStore {
  readonly #connection: PostgresConnection;
  readonly #changes: ChangeLog;

  constructor(connection: PostgresConnection, changes: ChangeLog) {
    this.#connection = connection;
    this.#changes = changes;
  }

  putConsumer({ name, externalId, groups, ...rest }: ConsumerEntry): Promise<void> {
    return this.#connection.transaction(async (session) => {
      await session.write(
        `INSERT INTO consumers (name, external_id, groups, created_at, created_by, disabled_at)
         VALUES ($1, $2, $3, $4, $5, $6)`,
        [name, externalId, JSON.stringify(groups), rest.createdAt, rest.createdBy, rest.disabledAt],
      );
      await this.#changes.tell(session, 'consumers', name);
    });
  }

  updateConsumer(name: string, change: ConsumerChange): Promise<void> {
    return this.#connection.transaction(async (session) => {
      // Of two that change it at once, the second knows what the first has done.
      const [row] = await session.rows('SELECT * FROM consumers WHERE name = $1 FOR UPDATE', [name]);
      if (row === undefined) throw missing(`consumer ${name}`);
      const { externalId, groups, disabledAt } = { ...parseConsumer(row), ...change };
      await session.write(
        'UPDATE consumers SET external_id = $1, groups = $2, disabled_at = $3 WHERE name = $4',
        [externalId, JSON.stringify(groups), disabledAt, name],
      );
      await this.#changes.tell(session, 'consumers', name);
    });
  }

  removeConsumer(name: string): Promise<void> {
    return this.#connection.transaction(async (session) => {
      await session.write(
        'DELETE FROM credential_use WHERE id IN (SELECT id FROM credentials WHERE consumer = $1)',
        [name],
      );
      const credentials = await session.write('DELETE FROM credentials WHERE consumer = $1', [name]);
      const gone = await session.write('DELETE FROM consumers WHERE name = $1', [name]);
      if (gone + credentials === 0) throw missing(`consumer ${name}`);
      await this.#changes.tell(session, 'consumers', name);
    });
  }

  getConsumer(name: string): Promise<ConsumerEntry | undefined> {
    return this.#connection.run(async (session) => {
      const [row] = await session.rows('SELECT * FROM consumers WHERE name = $1', [name]);
      return row === undefined ? undefined : parseConsumer(row);
    });
  }

  listConsumers({ limit, after }: NamePage): Promise<readonly ConsumerEntry[]> {
    return this.#connection.run(async (session) => {
      const sql = `SELECT name, external_id, groups, created_at, created_by, disabled_at
        FROM consumers WHERE name > $1 ORDER BY name LIMIT ${pageOf(limit, MAX_PAGE)}`;
      return (await session.cells(sql, [after])).map(parseConsumerCells);
    });
  }

  putCredential(credential: CredentialEntry): Promise<void> {
    return this.#connection.transaction(async (session) => {
      await insert(session, credential);
      await this.#changes.tell(session, 'credentials', credential.id);
    });
  }

  succeedCredential(id: string, heir: CredentialEntry, expiresAt: number | 'revoked'): Promise<void> {
    return this.#connection.transaction(async (session) => {
      const end = expiresAt === 'revoked' ? REVOKED : 'expires_at = $3';
      const changed = await session.write(
        `UPDATE credentials SET ${end}, successor = $2 WHERE id = $1 AND revoked_at IS NULL`,
        [id, heir.id, expiresAt === 'revoked' ? heir.createdAt : expiresAt],
      );
      if (changed === 0) throw missing(`credential ${id}`);
      await insert(session, heir);
      await this.#changes.tell(session, 'credentials', id);
      await this.#changes.tell(session, 'credentials', heir.id);
    });
  }

  revokeCredential(id: string, at: number): Promise<void> {
    const sql = 'revoked_at = coalesce(revoked_at, $2), verifier = NULL, sealed = NULL WHERE id = $1';
    return this.#change(id, sql, [at]);
  }

  resealCredential(id: string, sealed: string): Promise<void> {
    return this.#change(id, 'sealed = $2 WHERE id = $1 AND sealed IS NOT NULL AND revoked_at IS NULL', [
      sealed,
    ]);
  }

  getCredential(id: string): Promise<StoredCredential | undefined> {
    return this.#connection.run(async (session) => {
      const [row] = await session.rows(`${CREDENTIALS} WHERE c.id = $1`, [id]);
      return row === undefined ? undefined : parseCredential(row);
    });
  }

  hasActive(kind: CredentialKind, lookup: string): Promise<boolean> {
    const sql = 'SELECT 1 FROM credentials WHERE kind = $1 AND lookup = $2 AND revoked_at IS NULL';
    return this.#connection.run(async (session) => (await session.rows(sql, [kind, lookup])).length > 0);
  }

  listCredentials({ limit, before, consumer }: CredentialPage): Promise<readonly StoredCredential[]> {
    const values: Value[] = [before ?? Number.MAX_SAFE_INTEGER];
    if (consumer !== undefined) values.push(consumer);
    const where = consumer === undefined ? 'c.number < $1' : 'c.number < $1 AND c.consumer = $2';
    const sql = `${CREDENTIALS} WHERE ${where} ORDER BY c.number DESC LIMIT ${pageOf(limit, MAX_PAGE)}`;
    return this.#connection.run(async (session) => (await session.rows(sql, values)).map(parseCredential));
  }

  activeCredentials(after: number, limit: number): Promise<readonly ActiveCredential[]> {
    return this.#connection.run(async (session) => {
      const sql = `SELECT number, id, consumer, kind, lookup, verifier, sealed, not_before, expires_at FROM credentials
        WHERE number > $1 AND revoked_at IS NULL ORDER BY number LIMIT ${pageOf(limit, MAX_PAGE)}`;
      return (await session.cells(sql, [after])).map(parseActiveCells);
    });
  }

  countActive(): Promise<{ readonly consumers: number; readonly credentials: number }> {
    return this.#connection.run(async (session) => {
      const [row] = await session.rows(
        `SELECT (SELECT count(*) FROM consumers) AS consumers,
           (SELECT count(*) FROM credentials WHERE revoked_at IS NULL) AS credentials`,
      );
      return { consumers: wholeOf(row?.consumers), credentials: wholeOf(row?.credentials) };
    });
  }

  putRevocation({ kind, issuer, subject, at, by, reason, until }: RevocationEntry): Promise<void> {
    return this.#connection.transaction(async (session) => {
      await session.write(
        `INSERT INTO revocations (kind, issuer, subject, at, revoked_by, reason, until)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (kind, issuer, subject) DO UPDATE SET until = CASE
           WHEN revocations.until IS NULL OR excluded.until IS NULL THEN NULL
           ELSE greatest(revocations.until, excluded.until) END`,
        [kind, issuer, subject, at, by, reason, until],
      );
      await this.#changes.tell(session, 'revocations', '');
    });
  }

  removeRevocation({
    kind,
    issuer,
    subject,
  }: Pick<RevocationEntry, 'kind' | 'issuer' | 'subject'>): Promise<boolean> {
    return this.#connection.transaction(async (session) => {
      const sql = 'DELETE FROM revocations WHERE kind = $1 AND issuer = $2 AND subject = $3';
      const removed = await session.write(sql, [kind, issuer, subject]);
      if (removed > 0) await this.#changes.tell(session, 'revocations', '');
      return removed > 0;
    });
  }

  revocations(now: number): Promise<readonly RevocationEntry[]> {
    return this.#connection.run(async (session) => {
      await session.write('DELETE FROM revocations WHERE until <= $1', [now]);
      const all = await session.rows('SELECT * FROM revocations ORDER BY at DESC, kind, issuer, subject');
      return all.map(parseRevocation);
    });
  }

  noteUse(uses: readonly CredentialUse[]): Promise<void> {
    const latest = new Map<string, number>();
    for (const { id, at } of uses) latest.set(id, Math.max(at, latest.get(id) ?? at));
    // Nodes write the same rows at the same time: in one order, so that none waits for the other in a ring.
    const ids = [...latest.keys()].sort();
    return this.#connection.run(async (session) => {
      await session.write(
        `INSERT INTO credential_use (id, at) SELECT * FROM unnest($1::text[], $2::bigint[])
         ON CONFLICT (id) DO UPDATE SET at = greatest(credential_use.at, excluded.at)`,
        [ids, ids.map((id) => latest.get(id))],
      );
    });
  }

  lastUse(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.#connection.run(async (session) => {
      const rows = await session.rows('SELECT id, at FROM credential_use WHERE id = ANY ($1::text[])', [ids]);
      return new Map(rows.map((row) => [textOf(row.id), wholeOf(row.at)]));
    });
  }

  #change(id: string, what: string, values: readonly Value[]): Promise<void> {
    return this.#connection.transaction(async (session) => {
      const changed = await session.write(`UPDATE credentials SET ${what}`, [id, ...values]);
      if (changed === 0) throw missing(`credential ${id}`);
      await this.#changes.tell(session, 'credentials', id);
    });
  }
}

async function insert(session: Session, credential: CredentialEntry): Promise<void> {
  const { id, consumer, kind, lookup, shown, verifier, sealed, ...rest } = credential;
  await session.write(
    `INSERT INTO credentials (id, consumer, kind, lookup, shown, verifier, sealed, created_at, created_by,
       not_before, expires_at, revoked_at, successor)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
    [
      ...[id, consumer, kind, lookup, shown, verifier, sealed, rest.createdAt, rest.createdBy],
      ...[rest.notBefore, rest.expiresAt, rest.revokedAt, rest.successor],
    ],
  );
}

const missing = (what: string): StoreError => new StoreError('not-found', `${what} is not in the store`);
