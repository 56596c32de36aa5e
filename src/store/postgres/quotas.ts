import { parseUsage } from '../quota-rows.ts';
import type { QuotaUsageEntry, QuotaUsageQuery, QuotaUsageStore } from '../quota-usage-store.ts';
import { textOf } from '../rows.ts';
import { StoreError } from '../store.ts';
import type { PostgresConnection } from './connection.ts';
import { pageOf } from './page.ts';
import type { Session, Value } from './pool.ts';

/** Columns by type, in the order of `columnsOf`. */
const COLUMNS = {
  scope: 'text',
  key: 'text',
  id: 'text',
  attachment: 'text',
  name: 'text',
  keys_are: 'text',
  in_shadow: 'int',
  unproven: 'int',
  most: 'bigint',
  started: 'bigint',
  ends: 'bigint',
  used: 'bigint',
  carried: 'bigint',
  carry_over: 'bigint',
  kept_until: 'bigint',
} as const;

const NAMES = Object.keys(COLUMNS);

const PUT = `INSERT INTO quota_usage (${NAMES.join(', ')})
  SELECT * FROM unnest(${Object.values(COLUMNS)
    .map((type, i) => `$${i + 1}::${type}[]`)
    .join(', ')})
  ON CONFLICT (scope, key) DO UPDATE SET ${NAMES.slice(3)
    .map((name) => `${name} = excluded.${name}`)
    .join(', ')}`;

/** Usage of quotas in Postgres. */
export class PostgresQuotas implements QuotaUsageStore {
  readonly #connection: PostgresConnection;

  constructor(connection: PostgresConnection) {
    this.#connection = connection;
  }

  put(entries: readonly QuotaUsageEntry[]): Promise<void> {
    const rows = new Map(entries.map((one) => [JSON.stringify([one.scope, one.key]), columnsOf(one)]));
    return this.#connection.run(async (session) => {
      await session.write(
        PUT,
        NAMES.map((_, i) => [...rows.values()].map((row) => row[i])),
      );
    });
  }

  get(id: string): Promise<QuotaUsageEntry | undefined> {
    return this.#connection.run(async (session) => {
      const [row] = await session.rows('SELECT * FROM quota_usage WHERE id = $1', [id]);
      return row === undefined ? undefined : parseUsage(row);
    });
  }

  list(query: QuotaUsageQuery): Promise<readonly QuotaUsageEntry[]> {
    return this.#connection.run(async (session) => {
      const { where, values } = await conditions(session, query);
      const sql = `SELECT * FROM quota_usage WHERE ${where} ORDER BY scope, key LIMIT ${pageOf(query.limit)}`;
      return (await session.rows(sql, values)).map(parseUsage);
    });
  }

  kept(nowMs: number): Promise<readonly QuotaUsageEntry[]> {
    return this.#connection.run(async (session) => {
      const sql = 'SELECT * FROM quota_usage WHERE kept_until > $1 ORDER BY scope, key';
      return (await session.rows(sql, [nowMs])).map(parseUsage);
    });
  }

  forget(nowMs: number, most: number): Promise<number> {
    return this.#connection.run((session) =>
      session.write(
        'DELETE FROM quota_usage WHERE id IN (SELECT id FROM quota_usage WHERE kept_until <= $1 LIMIT $2)',
        [nowMs, most],
      ),
    );
  }
}

async function conditions(session: Session, { attachment, by, keys, nowMs, after }: QuotaUsageQuery) {
  const parts: string[] = [];
  const values: Value[] = [];
  const add = (part: (place: () => string) => string, ...more: readonly Value[]): void => {
    let next = values.length;
    parts.push(part(() => `$${++next}`));
    values.push(...more);
  };
  add((place) => `ends > ${place()}`, nowMs);
  if (attachment !== undefined) add((place) => `attachment = ${place()}`, attachment);
  if (by !== undefined) add((place) => `keys_are = ${place()}`, by);
  if (keys !== undefined) add((place) => `key = ANY (${place()}::text[])`, keys);
  if (after !== undefined) {
    const [row] = await session.rows('SELECT scope, key FROM quota_usage WHERE id = $1', [after]);
    if (row === undefined) throw new StoreError('not-found', `there is no usage ${after}`);
    add((place) => `(scope, key) > (${place()}, ${place()})`, textOf(row.scope), textOf(row.key));
  }
  return { where: parts.join(' AND '), values };
}

const columnsOf = (one: QuotaUsageEntry): readonly (string | number)[] => [
  one.scope,
  one.key,
  one.id,
  one.attachment,
  one.name,
  one.by,
  Number(one.shadow),
  Number(one.unproven),
  one.limit,
  one.startMs,
  one.endMs,
  one.used,
  one.carried,
  one.carryOver,
  one.keptUntilMs,
];
