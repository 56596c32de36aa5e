import type { SQLInputValue } from 'node:sqlite';
import { parseUsage } from './quota-rows.ts';
import type { QuotaUsageEntry, QuotaUsageQuery, QuotaUsageStore } from './quota-usage-store.ts';
import { textOf } from './rows.ts';
import type { SqliteConnection } from './sqlite-connection.ts';
import { StoreError } from './store.ts';

const MAX_PAGE = 1000;

/** Usage of quotas in the embedded store. */
export class SqliteQuotas implements QuotaUsageStore {
  readonly #connection: SqliteConnection;

  constructor(connection: SqliteConnection) {
    this.#connection = connection;
  }

  put(entries: readonly QuotaUsageEntry[]): Promise<void> {
    return this.#connection.run(() =>
      this.#connection.transaction('BEGIN IMMEDIATE', () => {
        const put = this.#connection.prepare(
          `INSERT INTO quota_usage (scope, key, id, attachment, name, keys_are, in_shadow, unproven, most, started,
             ends, used, carried, carry_over, kept_until) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (scope, key) DO UPDATE SET attachment = excluded.attachment, name = excluded.name,
             keys_are = excluded.keys_are, in_shadow = excluded.in_shadow, unproven = excluded.unproven,
             most = excluded.most, started = excluded.started, ends = excluded.ends, used = excluded.used,
             carried = excluded.carried, carry_over = excluded.carry_over, kept_until = excluded.kept_until`,
        );
        for (const one of entries) put.run(...columnsOf(one));
      }),
    );
  }

  get(id: string): Promise<QuotaUsageEntry | undefined> {
    return this.#connection.run(() => {
      const row = this.#connection.prepare('SELECT * FROM quota_usage WHERE id = ?').get(id);
      return row === undefined ? undefined : parseUsage(row);
    });
  }

  list(query: QuotaUsageQuery): Promise<readonly QuotaUsageEntry[]> {
    return this.#connection.run(() => {
      const { where, values } = this.#conditions(query);
      const rows = Math.min(Math.max(Math.trunc(query.limit), 1), MAX_PAGE);
      return this.#connection
        .prepare(`SELECT * FROM quota_usage WHERE ${where} ORDER BY scope, key LIMIT ?`)
        .all(...values, rows)
        .map(parseUsage);
    });
  }

  kept(nowMs: number): Promise<readonly QuotaUsageEntry[]> {
    return this.#connection.run(() =>
      this.#connection
        .prepare('SELECT * FROM quota_usage WHERE kept_until > ? ORDER BY scope, key')
        .all(nowMs)
        .map(parseUsage),
    );
  }

  forget(nowMs: number, most: number): Promise<number> {
    return this.#connection.run(() => {
      const over = 'SELECT id FROM quota_usage WHERE kept_until <= ? LIMIT ?';
      const { changes } = this.#connection
        .prepare(`DELETE FROM quota_usage WHERE id IN (${over})`)
        .run(nowMs, most);
      return Number(changes);
    });
  }

  #conditions({ attachment, by, keys, nowMs, after }: QuotaUsageQuery) {
    const parts = ['ends > ?'];
    const values: SQLInputValue[] = [nowMs];
    const add = (part: string, ...more: readonly SQLInputValue[]): void => {
      parts.push(part);
      values.push(...more);
    };
    if (attachment !== undefined) add('attachment = ?', attachment);
    if (by !== undefined) add('keys_are = ?', by);
    if (keys !== undefined) add(`key IN (${keys.map(() => '?').join(', ')})`, ...keys);
    if (after !== undefined) {
      const row = this.#connection.prepare('SELECT scope, key FROM quota_usage WHERE id = ?').get(after);
      if (row === undefined) throw new StoreError('not-found', `there is no usage ${after}`);
      add('(scope, key) > (?, ?)', textOf(row.scope), textOf(row.key));
    }
    return { where: parts.join(' AND '), values };
  }
}

const columnsOf = (one: QuotaUsageEntry): SQLInputValue[] => [
  one.scope,
  one.key,
  one.id,
  one.attachment,
  one.name,
  one.by,
  one.shadow ? 1 : 0,
  one.unproven ? 1 : 0,
  one.limit,
  one.startMs,
  one.endMs,
  one.used,
  one.carried,
  one.carryOver,
  one.keptUntilMs,
];
