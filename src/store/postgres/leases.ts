import type { LeaseTable } from '../lease-table.ts';
import { wholeOf } from '../rows.ts';
import type { PostgresConnection } from './connection.ts';

const NOW = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

/** Leases in Postgres. */
export class PostgresLeases implements LeaseTable {
  readonly #connection: PostgresConnection;

  constructor(connection: PostgresConnection) {
    this.#connection = connection;
  }

  take(name: string, holder: string, forMs: number): Promise<number | undefined> {
    return this.#connection.run(async (session) => {
      const [row] = await session.rows(
        `INSERT INTO leases (name, holder, fence, until) VALUES ($1, $2, 1, ${NOW} + $3::bigint)
         ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until,
           fence = leases.fence + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END
         WHERE leases.holder = excluded.holder OR leases.until <= ${NOW}
         RETURNING fence`,
        [name, holder, forMs],
      );
      return row === undefined ? undefined : wholeOf(row.fence);
    });
  }

  release(name: string, holder: string): Promise<void> {
    return this.#connection.run(async (session) => {
      await session.write('UPDATE leases SET until = 0 WHERE name = $1 AND holder = $2', [name, holder]);
    });
  }
}
