import { ROLLOUT_LEASE } from '../lease-table.ts';
import { parseRollout } from '../rollout-rows.ts';
import type { RolloutRow, RolloutStore, StoredRollout } from '../rollout-store.ts';
import type { ChangeLog } from './changes.ts';
import type { PostgresConnection } from './connection.ts';
import { pageOf } from './page.ts';

/** Rollouts in Postgres. */
export class PostgresRollouts implements RolloutStore {
  readonly #connection: PostgresConnection;
  readonly #changes: ChangeLog;

  constructor(connection: PostgresConnection, changes: ChangeLog) {
    this.#connection = connection;
    this.#changes = changes;
  }

  begin({ id, revision, base, isOpen, startedAt, state }: RolloutRow): Promise<void> {
    return this.#connection.transaction(async (session) => {
      await session.write(
        `INSERT INTO rollouts (id, revision, base, is_open, started_at, state, version)
         VALUES ($1, $2, $3, $4, $5, $6, 1)`,
        [id, revision, base, Number(isOpen), startedAt, JSON.stringify(state)],
      );
      await this.#changes.tell(session, 'rollouts', id);
    });
  }

  update(
    { id, revision, base, isOpen, startedAt, state }: RolloutRow,
    version: number,
    fence?: number,
  ): Promise<boolean> {
    return this.#connection.transaction(async (session) => {
      const changed = await session.write(
        `UPDATE rollouts SET revision = $1, base = $2, is_open = $3, started_at = $4, state = $5, version = version + 1
         WHERE id = $6 AND version = $7 AND
           ($8::bigint IS NULL OR EXISTS (SELECT 1 FROM leases WHERE name = $9 AND fence = $8))`,
        [revision, base, Number(isOpen), startedAt, JSON.stringify(state), id, version, fence, ROLLOUT_LEASE],
      );
      if (changed > 0) await this.#changes.tell(session, 'rollouts', id);
      return changed > 0;
    });
  }

  open(): Promise<StoredRollout | undefined> {
    return this.#one('SELECT * FROM rollouts WHERE is_open = 1', []);
  }

  get(id: string): Promise<StoredRollout | undefined> {
    return this.#one('SELECT * FROM rollouts WHERE id = $1', [id]);
  }

  list({
    limit,
    before = Number.MAX_SAFE_INTEGER,
  }: {
    readonly limit: number;
    readonly before?: number;
  }): Promise<readonly StoredRollout[]> {
    return this.#connection.run(async (session) => {
      const sql = `SELECT * FROM rollouts WHERE number < $1 ORDER BY number DESC LIMIT ${pageOf(limit)}`;
      return (await session.rows(sql, [before])).map(parseRollout);
    });
  }

  prune(keep: number): Promise<number> {
    return this.#connection.run((session) =>
      session.write(
        `DELETE FROM rollouts WHERE is_open = 0 AND number <= (
           SELECT number FROM rollouts ORDER BY number DESC LIMIT 1 OFFSET $1)`,
        [keep],
      ),
    );
  }

  #one(sql: string, values: readonly string[]): Promise<StoredRollout | undefined> {
    return this.#connection.run(async (session) => {
      const [row] = await session.rows(sql, values);
      return row === undefined ? undefined : parseRollout(row);
    });
  }
}
