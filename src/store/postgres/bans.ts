import type { Ban, ImposedBan } from '../../contract/index.ts';
import { parseBan, parseImposed, placeOf } from '../ban-rows.ts';
import type { BanStore } from '../ban-store.ts';
import type { ChangeLog } from './changes.ts';
import type { PostgresConnection } from './connection.ts';
import type { Session } from './pool.ts';

/** Bans in Postgres. */
export class PostgresBans implements BanStore {
  readonly #connection: PostgresConnection;
  readonly #changes: ChangeLog;

  constructor(connection: PostgresConnection, changes: ChangeLog) {
    this.#connection = connection;
    this.#changes = changes;
  }

  put({ id, network, sinceMs, untilMs, reason, by }: Ban): Promise<void> {
    return this.#connection.transaction(async (session) => {
      // First: of two that ban the same network at once, one waits here for the other.
      await this.#changes.tell(session, 'bans', id);
      await session.write('DELETE FROM bans WHERE id = $1 OR network = $2', [id, network]);
      await session.write(
        'INSERT INTO bans (id, network, since, until, reason, banned_by) VALUES ($1, $2, $3, $4, $5, $6)',
        [id, network, sinceMs, untilMs, reason, by],
      );
    });
  }

  remove(id: string): Promise<boolean> {
    return this.#connection.transaction(async (session) => {
      const removed = await session.write('DELETE FROM bans WHERE id = $1', [id]);
      if (removed > 0) await this.#changes.tell(session, 'bans', id);
      return removed > 0;
    });
  }

  active(nowMs: number): Promise<readonly Ban[]> {
    return this.#connection.run(async (session) => {
      await session.write('DELETE FROM bans WHERE until <= $1', [nowMs]);
      return (await session.rows('SELECT * FROM bans ORDER BY since DESC, id')).map(parseBan);
    });
  }

  putImposed(bans: readonly ImposedBan[], forgotten: readonly ImposedBan[]): Promise<void> {
    return this.#connection.transaction(async (session) => {
      const places = forgotten.map(placeOf);
      await session.write(
        `DELETE FROM imposed_bans WHERE (in_shadow, kind, banned) IN
           (SELECT * FROM unnest($1::int[], $2::text[], $3::text[]))`,
        [0, 1, 2].map((part) => places.map((place) => place[part])),
      );
      await putImposed(session, bans);
      if (bans.length + forgotten.length > 0) await this.#changes.tell(session, 'imposed-bans', '');
    });
  }

  imposed(nowMs: number): Promise<readonly ImposedBan[]> {
    return this.#connection.run(async (session) => {
      await session.write('DELETE FROM imposed_bans WHERE forget <= $1', [nowMs]);
      const rows = await session.rows('SELECT * FROM imposed_bans ORDER BY since DESC, id, banned');
      return rows.map(parseImposed);
    });
  }
}

/** The last one of a subject counts. */
async function putImposed(session: Session, bans: readonly ImposedBan[]): Promise<void> {
  const rows = new Map(
    bans.map((ban) => {
      const place = placeOf(ban);
      const { id, sinceMs, untilMs, forgetMs, reason, by, strike, round } = ban;
      return [
        JSON.stringify(place),
        [...place, id, sinceMs, untilMs, forgetMs, reason, by, strike, round],
      ] as const;
    }),
  );
  const types = [
    'int',
    'text',
    'text',
    'text',
    'bigint',
    'bigint',
    'bigint',
    'text',
    'text',
    'bigint',
    'bigint',
  ];
  const lists = types.map((type, i) => `$${i + 1}::${type}[]`).join(', ');
  await session.write(
    `INSERT INTO imposed_bans (in_shadow, kind, banned, id, since, until, forget, reason, imposed_by, strike, round)
     SELECT * FROM unnest(${lists})
     ON CONFLICT (in_shadow, kind, banned) DO UPDATE SET id = excluded.id, since = excluded.since,
       until = excluded.until, forget = excluded.forget, reason = excluded.reason,
       imposed_by = excluded.imposed_by, strike = excluded.strike, round = excluded.round`,
    types.map((_, i) => [...rows.values()].map((row) => row[i])),
  );
}
