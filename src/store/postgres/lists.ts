import { parseListState, parseListVersion } from '../list-rows.ts';
import type { ListState, ListStore, ListVersion } from '../list-store.ts';
import { bytesOf } from '../rows.ts';
import type { ChangeLog } from './changes.ts';
import type { PostgresConnection } from './connection.ts';

/** Versions of address lists in Postgres. */
export class PostgresLists implements ListStore {
  readonly #connection: PostgresConnection;
  readonly #changes: ChangeLog;

  constructor(connection: PostgresConnection, changes: ChangeLog) {
    this.#connection = connection;
    this.#changes = changes;
  }

  putVersion({ list, id, entries, source, createdAt }: ListVersion, content: Uint8Array): Promise<void> {
    return this.#connection.run(async (session) => {
      await session.write(
        `INSERT INTO list_versions (list, id, entries, source, created_at, content) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (list, id) DO NOTHING`,
        [list, id, entries, source, createdAt, content],
      );
    });
  }

  content(list: string, id: string): Promise<Uint8Array | undefined> {
    return this.#connection.run(async (session) => {
      const sql = 'SELECT content FROM list_versions WHERE list = $1 AND id = $2';
      const [row] = await session.rows(sql, [list, id]);
      return row === undefined ? undefined : bytesOf(row.content);
    });
  }

  versions(list: string): Promise<readonly ListVersion[]> {
    return this.#connection.run(async (session) => {
      const sql =
        'SELECT list, id, entries, source, created_at FROM list_versions WHERE list = $1 ORDER BY number DESC';
      return (await session.rows(sql, [list])).map(parseListVersion);
    });
  }

  prune(list: string, limit: number, keep: readonly string[]): Promise<void> {
    return this.#connection.run(async (session) => {
      await session.write(
        `DELETE FROM list_versions WHERE list = $1 AND id <> ALL ($3::text[]) AND number NOT IN
           (SELECT number FROM list_versions WHERE list = $1 ORDER BY number DESC LIMIT $2)`,
        [list, limit, keep],
      );
    });
  }

  putState({ list, ...state }: ListState): Promise<void> {
    return this.#connection.transaction(async (session) => {
      await session.write(
        `INSERT INTO list_states (list, state) VALUES ($1, $2)
         ON CONFLICT (list) DO UPDATE SET state = excluded.state`,
        [list, JSON.stringify(state)],
      );
      await this.#changes.tell(session, 'lists', list);
    });
  }

  state(list: string): Promise<ListState | undefined> {
    return this.#connection.run(async (session) => {
      const [row] = await session.rows('SELECT list, state FROM list_states WHERE list = $1', [list]);
      return row === undefined ? undefined : parseListState(row);
    });
  }
}
