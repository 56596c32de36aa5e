import { ROLLOUT_LEASE } from './lease-table.ts';
import type { MemoryLeases } from './memory-leases.ts';
import { parseRollout } from './rollout-rows.ts';
import type { RolloutRow, RolloutStore, StoredRollout } from './rollout-store.ts';
import type { SqliteConnection } from './sqlite-connection.ts';

const MAX_PAGE = 1000;

/** Rollouts in the embedded store. */
export class SqliteRollouts implements RolloutStore {
  readonly #connection: SqliteConnection;
  readonly #leases: MemoryLeases;

  constructor(connection: SqliteConnection, leases: MemoryLeases) {
    this.#connection = connection;
    this.#leases = leases;
  }

  begin({ id, revision, base, isOpen, startedAt, state }: RolloutRow): Promise<void> {
    return this.#connection.run(() => {
      this.#connection
        .prepare(
          `INSERT INTO rollouts (id, revision, base, is_open, started_at, state, version)
           VALUES (?, ?, ?, ?, ?, ?, 1)`,
        )
        .run(id, revision, base, Number(isOpen), startedAt, JSON.stringify(state));
    });
  }

  update(
    { id, revision, base, isOpen, startedAt, state }: RolloutRow,
    version: number,
    fence?: number,
  ): Promise<boolean> {
    return this.#connection.run(() => {
      if (!this.#leases.isCurrent(ROLLOUT_LEASE, fence)) return false;
      const { changes } = this.#connection
        .prepare(
          `UPDATE rollouts SET revision = ?, base = ?, is_open = ?, started_at = ?, state = ?, version = version + 1
           WHERE id = ? AND version = ?`,
        )
        .run(revision, base, Number(isOpen), startedAt, JSON.stringify(state), id, version);
      return Number(changes) > 0;
    });
  }

  open(): Promise<StoredRollout | undefined> {
    return this.#connection.run(() => {
      const row = this.#connection.prepare('SELECT * FROM rollouts WHERE is_open = 1').get();
      return row === undefined ? undefined : parseRollout(row);
    });
  }

  get(id: string): Promise<StoredRollout | undefined> {
    return this.#connection.run(() => {
      const row = this.#connection.prepare('SELECT * FROM rollouts WHERE id = ?').get(id);
      return row === undefined ? undefined : parseRollout(row);
    });
  }

  list({
    limit,
    before,
  }: {
    readonly limit: number;
    readonly before?: number;
  }): Promise<readonly StoredRollout[]> {
    return this.#connection.run(() =>
      this.#connection
        .prepare('SELECT * FROM rollouts WHERE number < ? ORDER BY number DESC LIMIT ?')
        .all(before ?? Number.MAX_SAFE_INTEGER, Math.min(Math.max(Math.trunc(limit), 1), MAX_PAGE))
        .map(parseRollout),
    );
  }

  prune(keep: number): Promise<number> {
    return this.#connection.run(() => {
      const { changes } = this.#connection
        .prepare(
          `DELETE FROM rollouts WHERE is_open = 0 AND number <= (
             SELECT number FROM rollouts ORDER BY number DESC LIMIT 1 OFFSET ?)`,
        )
        .run(keep);
      return Number(changes);
    });
  }
}
