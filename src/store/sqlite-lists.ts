import { parseListState, parseListVersion } from './list-rows.ts';
import type { ListState, ListStore, ListVersion } from './list-store.ts';
import { bytesOf } from './rows.ts';
import type { SqliteConnection } from './sqlite-connection.ts';

/** Versions of address lists in the embedded store. */
export class SqliteLists implements ListStore {
  readonly #connection: SqliteConnection;

  constructor(connection: SqliteConnection) {
    this.#connection = connection;
  }

  putVersion({ list, id, entries, source, createdAt }: ListVersion, content: Uint8Array): Promise<void> {
    return this.#connection.run(() => {
      this.#connection
        .prepare(
          `INSERT INTO list_versions (list, id, entries, source, created_at, content) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (list, id) DO NOTHING`,
        )
        .run(list, id, entries, source, createdAt, content);
    });
  }

  content(list: string, id: string): Promise<Uint8Array | undefined> {
    return this.#connection.run(() => {
      const row = this.#connection
        .prepare('SELECT content FROM list_versions WHERE list = ? AND id = ?')
        .get(list, id);
      return row === undefined ? undefined : bytesOf(row.content);
    });
  }

  versions(list: string): Promise<readonly ListVersion[]> {
    return this.#connection.run(() =>
      this.#connection
        .prepare(
          `SELECT list, id, entries, source, created_at FROM list_versions WHERE list = ? ORDER BY number DESC`,
        )
        .all(list)
        .map(parseListVersion),
    );
  }

  prune(list: string, limit: number, keep: readonly string[]): Promise<void> {
    return this.#connection.run(() => {
      this.#connection
        .prepare(
          `DELETE FROM list_versions WHERE list = ?1 AND id NOT IN (SELECT value FROM json_each(?3)) AND number NOT IN
             (SELECT number FROM list_versions WHERE list = ?1 ORDER BY number DESC LIMIT ?2)`,
        )
        .run(list, limit, JSON.stringify(keep));
    });
  }

  putState({ list, ...state }: ListState): Promise<void> {
    return this.#connection.run(() => {
      this.#connection
        .prepare('INSERT OR REPLACE INTO list_states (list, state) VALUES (?, ?)')
        .run(list, JSON.stringify(state));
    });
  }

  state(list: string): Promise<ListState | undefined> {
    return this.#connection.run(() => {
      const row = this.#connection.prepare('SELECT list, state FROM list_states WHERE list = ?').get(list);
      return row === undefined ? undefined : parseListState(row);
    });
  }
}
