import type { Ban, ImposedBan } from '../contract/index.ts';
import { parseBan, parseImposed, placeOf } from './ban-rows.ts';
import type { BanStore } from './ban-store.ts';
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

  putImposed(bans: readonly ImposedBan[], forgotten: readonly ImposedBan[]): Promise<void> {
    return this.#connection.run(() =>
      this.#connection.transaction('BEGIN IMMEDIATE', () => {
        for (const ban of forgotten) {
          this.#connection
            .prepare('DELETE FROM imposed_bans WHERE in_shadow = ? AND kind = ? AND banned = ?')
            .run(...placeOf(ban));
        }
        for (const ban of bans) this.#putImposed(ban);
      }),
    );
  }

  imposed(nowMs: number): Promise<readonly ImposedBan[]> {
    return this.#connection.run(() => {
      this.#connection.prepare('DELETE FROM imposed_bans WHERE forget <= ?').run(nowMs);
      return this.#connection
        .prepare('SELECT * FROM imposed_bans ORDER BY since DESC, id, banned')
        .all()
        .map(parseImposed);
    });
  }

  #putImposed(ban: ImposedBan): void {
    const { id, sinceMs, untilMs, forgetMs, reason, by, strike, round } = ban;
    this.#connection
      .prepare('INSERT OR REPLACE INTO imposed_bans VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
      .run(...placeOf(ban), id, sinceMs, untilMs, forgetMs, reason, by, strike, round);
  }
}
