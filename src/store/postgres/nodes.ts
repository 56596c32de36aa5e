import { parseNode } from '../node-rows.ts';
import type { NodeFigures, NodeRow, NodeTable, StoredNode } from '../node-table.ts';
import { parseObject, textOf } from '../rows.ts';
import type { PostgresConnection } from './connection.ts';

const MOST = 1000;

/** Of the server, so that clocks of nodes need not agree. */
const NOW = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

const PUT = `INSERT INTO nodes (id, run, name, version, started_at, seen_at, state)
  VALUES ($1, $2, $3, $4, $5, ${NOW}, $6)
  ON CONFLICT (id) DO UPDATE SET run = excluded.run, name = excluded.name, version = excluded.version,
    started_at = excluded.started_at, seen_at = excluded.seen_at, state = excluded.state,
    figures = CASE WHEN nodes.run = excluded.run THEN nodes.figures END`;

const valuesOf = ({ id, run, name, version, startedAt, state }: NodeRow) => [
  id,
  run,
  name,
  version,
  startedAt,
  JSON.stringify(state),
];

/** The nodes that have their store in one Postgres. */
export class PostgresNodes implements NodeTable {
  readonly #connection: PostgresConnection;

  constructor(connection: PostgresConnection) {
    this.#connection = connection;
  }

  join(node: NodeRow): Promise<void> {
    return this.#connection.run(async (session) => {
      await session.write(PUT, valuesOf(node));
    });
  }

  report(node: NodeRow): Promise<boolean> {
    return this.#connection.run(async (session) => {
      return (await session.write(`${PUT} WHERE nodes.run = excluded.run`, valuesOf(node))) > 0;
    });
  }

  putFigures(id: string, run: string, figures: object | undefined): Promise<void> {
    return this.#connection.run(async (session) => {
      const text = figures === undefined ? undefined : JSON.stringify(figures);
      await session.write('UPDATE nodes SET figures = $3 WHERE id = $1 AND run = $2', [id, run, text]);
    });
  }

  figures(): Promise<readonly NodeFigures[]> {
    return this.#connection.run(async (session) => {
      const sql = `SELECT id, run, figures FROM nodes WHERE figures IS NOT NULL ORDER BY id LIMIT ${MOST}`;
      return (await session.rows(sql)).map(({ id, run, figures }) => ({
        id: textOf(id),
        run: textOf(run),
        figures: parseObject(figures),
      }));
    });
  }

  leave(id: string, run: string): Promise<void> {
    return this.#connection.run(async (session) => {
      await session.write('DELETE FROM nodes WHERE id = $1 AND run = $2', [id, run]);
    });
  }

  list(): Promise<readonly StoredNode[]> {
    return this.#connection.run(async (session) => {
      const rows = await session.rows(
        `SELECT id, run, name, version, started_at, state, ${NOW} - seen_at AS silent_ms
         FROM nodes ORDER BY name, id LIMIT ${MOST}`,
      );
      return rows.map(parseNode);
    });
  }

  prune(silentMs: number): Promise<number> {
    return this.#connection.run((session) =>
      session.write(`DELETE FROM nodes WHERE seen_at <= ${NOW} - $1::bigint`, [silentMs]),
    );
  }
}
