import type { CredentialKind } from '../contract/index.ts';
import {
  parseActiveCells,
  parseConsumer,
  parseConsumerCells,
  parseCredential,
  parseRevocation,
} from './consumer-rows.ts';
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
} from './consumer-store.ts';
import { textOf, wholeOf } from './rows.ts';
import type { SqliteConnection } from './sqlite-connection.ts';
import { StoreError } from './store.ts';

const MAX_PAGE = 10_000;

const CREDENTIALS =
  'SELECT c.*, u.at AS used_at FROM credentials c LEFT JOIN credential_use u ON u.id = c.id';

const REVOKED = 'revoked_at = coalesce(revoked_at, ?), verifier = NULL, sealed = NULL';

/** Consumers and credentials in the embedded store. */
export class SqliteConsumers implements ConsumerStore {
  readonly #connection: SqliteConnection;

  constructor(connection: SqliteConnection) {
    this.#connection = connection;
  }

  putConsumer({ name, externalId, groups, ...rest }: ConsumerEntry): Promise<void> {
    return this.#run(
      `INSERT INTO consumers (name, external_id, groups, created_at, created_by, disabled_at)
       VALUES (?, ?, ?, ?, ?, ?)`,
      [name, externalId, JSON.stringify(groups), rest.createdAt, rest.createdBy, rest.disabledAt],
    );
  }

  updateConsumer(name: string, change: ConsumerChange): Promise<void> {
    return this.#connection.run(() =>
      this.#connection.transaction('BEGIN IMMEDIATE', () => {
        const known = this.#consumer(name);
        if (known === undefined) throw missing(`consumer ${name}`);
        const { externalId, groups, disabledAt } = { ...known, ...change };
        this.#write('UPDATE consumers SET external_id = ?, groups = ?, disabled_at = ? WHERE name = ?', [
          externalId,
          JSON.stringify(groups),
          disabledAt,
          name,
        ]);
      }),
    );
  }

  removeConsumer(name: string): Promise<void> {
    return this.#connection.run(() =>
      this.#connection.transaction('BEGIN IMMEDIATE', () => {
        this.#write(
          'DELETE FROM credential_use WHERE id IN (SELECT id FROM credentials WHERE consumer = ?)',
          [name],
        );
        const credentials = this.#write('DELETE FROM credentials WHERE consumer = ?', [name]);
        const gone = this.#write('DELETE FROM consumers WHERE name = ?', [name]);
        if (gone + credentials === 0) throw missing(`consumer ${name}`);
      }),
    );
  }

  getConsumer(name: string): Promise<ConsumerEntry | undefined> {
    return this.#connection.run(() => this.#consumer(name));
  }

  listConsumers({ limit, after }: NamePage): Promise<readonly ConsumerEntry[]> {
    return this.#connection.run(() => {
      const statement = this.#connection.prepare(
        `SELECT name, external_id, groups, created_at, created_by, disabled_at
         FROM consumers WHERE name > ? ORDER BY name LIMIT ?`,
      );
      statement.setReturnArrays(true);
      return statement.all(after, bounded(limit)).map(parseConsumerCells);
    });
  }

  putCredential(credential: CredentialEntry): Promise<void> {
    return this.#connection.run(() => this.#insert(credential));
  }

  succeedCredential(id: string, heir: CredentialEntry, expiresAt: number | 'revoked'): Promise<void> {
    return this.#connection.run(() =>
      this.#connection.transaction('BEGIN IMMEDIATE', () => {
        const where = 'successor = ? WHERE id = ? AND revoked_at IS NULL';
        const changed =
          expiresAt === 'revoked'
            ? this.#write(`UPDATE credentials SET ${REVOKED}, ${where}`, [heir.createdAt, heir.id, id])
            : this.#write(`UPDATE credentials SET expires_at = ?, ${where}`, [expiresAt, heir.id, id]);
        if (changed === 0) throw missing(`credential ${id}`);
        this.#insert(heir);
      }),
    );
  }

  revokeCredential(id: string, at: number): Promise<void> {
    return this.#connection.run(() => {
      const changed = this.#write(`UPDATE credentials SET ${REVOKED} WHERE id = ?`, [at, id]);
      if (changed === 0) throw missing(`credential ${id}`);
    });
  }

  resealCredential(id: string, sealed: string): Promise<void> {
    return this.#connection.run(() => {
      const changed = this.#write(
        'UPDATE credentials SET sealed = ? WHERE id = ? AND sealed IS NOT NULL AND revoked_at IS NULL',
        [sealed, id],
      );
      if (changed === 0) throw missing(`credential ${id}`);
    });
  }

  getCredential(id: string): Promise<StoredCredential | undefined> {
    return this.#connection.run(() => {
      const row = this.#connection.prepare(`${CREDENTIALS} WHERE c.id = ?`).get(id);
      return row === undefined ? undefined : parseCredential(row);
    });
  }

  hasActive(kind: CredentialKind, lookup: string): Promise<boolean> {
    const sql = 'SELECT 1 FROM credentials WHERE kind = ? AND lookup = ? AND revoked_at IS NULL';
    return this.#connection.run(() => this.#connection.prepare(sql).get(kind, lookup) !== undefined);
  }

  listCredentials({ limit, before, consumer }: CredentialPage): Promise<readonly StoredCredential[]> {
    const number = before ?? Number.MAX_SAFE_INTEGER;
    const tail = 'ORDER BY c.number DESC LIMIT ?';
    return this.#connection.run(() => {
      const rows =
        consumer === undefined
          ? this.#connection.prepare(`${CREDENTIALS} WHERE c.number < ? ${tail}`).all(number, bounded(limit))
          : this.#connection
              .prepare(`${CREDENTIALS} WHERE c.number < ? AND c.consumer = ? ${tail}`)
              .all(number, consumer, bounded(limit));
      return rows.map(parseCredential);
    });
  }

  activeCredentials(after: number, limit: number): Promise<readonly ActiveCredential[]> {
    return this.#connection.run(() => {
      const statement = this.#connection.prepare(
        `SELECT number, id, consumer, kind, lookup, verifier, sealed, not_before, expires_at
         FROM credentials WHERE number > ? AND revoked_at IS NULL ORDER BY number LIMIT ?`,
      );
      // A start reads a million of them, and rows as objects take twice as long.
      statement.setReturnArrays(true);
      return statement.all(after, bounded(limit)).map(parseActiveCells);
    });
  }

  countActive(): Promise<{ readonly consumers: number; readonly credentials: number }> {
    return this.#connection.run(() => ({
      consumers: this.#count('SELECT count(*) AS n FROM consumers'),
      credentials: this.#count('SELECT count(*) AS n FROM credentials WHERE revoked_at IS NULL'),
    }));
  }

  putRevocation({ kind, issuer, subject, at, by, reason, until }: RevocationEntry): Promise<void> {
    return this.#run(
      `INSERT INTO revocations (kind, issuer, subject, at, revoked_by, reason, until)
       VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (kind, issuer, subject) DO UPDATE SET until = CASE
         WHEN until IS NULL OR excluded.until IS NULL THEN NULL ELSE max(until, excluded.until) END`,
      [kind, issuer, subject, at, by, reason, until],
    );
  }

  removeRevocation({
    kind,
    issuer,
    subject,
  }: Pick<RevocationEntry, 'kind' | 'issuer' | 'subject'>): Promise<boolean> {
    const sql = 'DELETE FROM revocations WHERE kind = ? AND issuer = ? AND subject = ?';
    return this.#connection.run(() => this.#write(sql, [kind, issuer, subject]) > 0);
  }

  revocations(now: number): Promise<readonly RevocationEntry[]> {
    return this.#connection.run(() => {
      this.#write('DELETE FROM revocations WHERE until IS NOT NULL AND until <= ?', [now]);
      const all = this.#connection.prepare(
        'SELECT * FROM revocations ORDER BY at DESC, kind, issuer, subject',
      );
      return all.all().map(parseRevocation);
    });
  }

  noteUse(uses: readonly CredentialUse[]): Promise<void> {
    return this.#connection.run(() =>
      this.#connection.transaction('BEGIN IMMEDIATE', () => {
        for (const { id, at } of uses) {
          this.#write(
            `INSERT INTO credential_use (id, at) VALUES (?, ?)
             ON CONFLICT (id) DO UPDATE SET at = max(at, excluded.at)`,
            [id, at],
          );
        }
      }),
    );
  }

  lastUse(ids: readonly string[]): Promise<ReadonlyMap<string, number>> {
    return this.#connection.run(() => {
      const rows = this.#connection
        .prepare('SELECT id, at FROM credential_use WHERE id IN (SELECT value FROM json_each(?))')
        .all(JSON.stringify(ids));
      return new Map(rows.map((row) => [textOf(row.id), wholeOf(row.at)]));
    });
  }

  #consumer(name: string): ConsumerEntry | undefined {
    const row = this.#connection.prepare('SELECT * FROM consumers WHERE name = ?').get(name);
    return row === undefined ? undefined : parseConsumer(row);
  }

  #insert(credential: CredentialEntry): void {
    const { id, consumer, kind, lookup, shown, verifier, sealed, ...rest } = credential;
    this.#write(
      `INSERT INTO credentials (id, consumer, kind, lookup, shown, verifier, sealed, created_at, created_by,
         not_before, expires_at, revoked_at, successor)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        ...[id, consumer, kind, lookup, shown, verifier, sealed, rest.createdAt, rest.createdBy],
        ...[rest.notBefore, rest.expiresAt, rest.revokedAt, rest.successor],
      ],
    );
  }

  #count(sql: string): number {
    return wholeOf(this.#connection.prepare(sql).get()?.n);
  }

  /** How many rows were changed. */
  #write(sql: string, values: readonly (string | number | undefined)[]): number {
    return Number(this.#connection.prepare(sql).run(...values.map((v) => v ?? null)).changes);
  }

  #run(sql: string, values: readonly (string | number | undefined)[]): Promise<void> {
    return this.#connection.run(() => void this.#write(sql, values));
  }
}

const bounded = (limit: number): number => Math.min(Math.max(Math.trunc(limit), 1), MAX_PAGE);

const missing = (what: string): StoreError => new StoreError('not-found', `${what} is not in the store`);
