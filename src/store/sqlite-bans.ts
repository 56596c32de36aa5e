import type { Ban } from '../contract/index.ts';
import type { BanStore } from './ban-store.ts';
import { textOf, wholeOf } from './rows.ts';
import type { SqliteConnection } from './sqlite-connection.ts';

/** Bans in the embedded store. */
export class SqliteBans implements BanStore {
  readonly #connection: SqliteConnection;

  constructor(connection: SqliteConnection) {
    this.#connection = connection;
  }

  put({ id, network, sinceMs, untilMs, reason, by }: Ban): Promise<void> {
    return this.#connection.run(() => {
      this.#connection
        .prepare(
          'INSERT OR REPLACE INTO bans (id, network, since, until, reason, banned_by) VALUES (?, ?, ?, ?, ?, ?)',
        )
        .run(id, network, sinceMs, untilMs, reason, by);
    });
  }

  remove(id: string): Promise<boolean> {
    return this.#connection.run(
      () => Number(this.#connection.prepare('DELETE FROM bans WHERE id = ?').run(id).changes) > 0,
    );
  }

  active(nowMs: number): Promise<readonly Ban[]> {
    return this.#connection.run(() => {
      this.#connection.prepare('DELETE FROM bans WHERE until <= ?').run(nowMs);
      return this.#connection.prepare('SELECT * FROM bans ORDER BY since DESC, id').all().map(parseBan);
    });
  }
}

const parseBan = (row: Record<string, unknown>): Ban => ({
  id: textOf(row.id),
  network: textOf(row.network),
  sinceMs: wholeOf(row.since),
  untilMs: wholeOf(row.until),
  reason: textOf(row.reason),
  by: textOf(row.banned_by),
});
