import { Socket } from 'node:net';
import type { ClientBase, ClientConfig, Pool } from 'pg';
import { StoreError } from '../store.ts';
import { toStoreError } from './failures.ts';
import type { PostgresSettings } from './settings.ts';

export type Value =
  | string
  | number
  | Uint8Array
  | null
  | undefined
  | readonly (string | number | Uint8Array | null | undefined)[];
export type Row = Record<string, unknown>;

/** One connection, for the time of one piece of work. Values never become part of the SQL. */
export interface Session {
  rows(sql: string, values?: readonly Value[]): Promise<readonly Row[]>;
  /** Rows as cells in the order asked for. */
  cells(sql: string, values?: readonly Value[]): Promise<readonly (readonly unknown[])[]>;
  /** How many rows were changed. */
  write(sql: string, values?: readonly Value[]): Promise<number>;
}

export type Work<T> = (session: Session) => Promise<T>;

/** How long work may take: so long in all, or so long for each thing it asks. */
export type Patience = 'in all' | 'each';

const DEFAULT_TIMEOUT_MS = 3000;
const CONNECTIONS = 4;
/** So that a new address of the server or a new password is noticed. */
const CONNECTION_LIFETIME_S = 1800;
const GOODBYE_MS = 500;

const INT8 = 20;
const BYTEA = 17;

/** Lock of a store that gateways use. Nobody else's, in all likelihood. */
export const IN_USE = 1_934_654_580;

type Driver = typeof import('pg');

/** Connections to Postgres: none waits for ever, and what fails becomes StoreError. */
export class PostgresPool {
  readonly timeoutMs: number;
  readonly #settings: PostgresSettings;
  readonly #pool: Pool;
  readonly #driver: Driver;
  readonly #sockets = new WeakMap<ClientBase, Socket>();
  readonly #open = new Set<Socket>();
  #isClosed = false;

  private constructor(driver: Driver, settings: PostgresSettings) {
    this.#driver = driver;
    this.#settings = settings;
    this.timeoutMs = settings.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    this.#pool = new driver.Pool({
      max: CONNECTIONS,
      maxLifetimeSeconds: CONNECTION_LIFETIME_S,
      connectionTimeoutMillis: this.timeoutMs,
      Client: this.#clients(),
    });
    // Of one that waits for work: the pool lets go of it. Of one that works: its work is told.
    this.#pool.on('error', () => {});
    this.#pool.on('connect', (client) => void client.on('error', () => {}));
  }

  /** The driver is loaded with the first one. Nothing is asked yet. */
  static async to(settings: PostgresSettings): Promise<PostgresPool> {
    return new PostgresPool(await import('pg'), settings);
  }

  /** @throws StoreError `closed` */
  assertOpen(): void {
    if (this.#isClosed) throw new StoreError('closed', 'the store is closed');
  }

  /** Rejects with StoreError. */
  async run<T>(work: Work<T>, patience: Patience = 'in all'): Promise<T> {
    this.assertOpen();
    try {
      return await this.#run(work, patience);
    } catch (error) {
      throw toStoreError(error);
    }
  }

  /** All of it or nothing. Rejects with StoreError. */
  transaction<T>(
    work: Work<T>,
    { begin = 'BEGIN', patience = 'in all' }: { readonly begin?: string; readonly patience?: Patience } = {},
  ): Promise<T> {
    return this.run(async (session) => {
      await session.write(begin);
      const result = await work(session);
      await session.write('COMMIT');
      return result;
    }, patience);
  }

  /** One beside the others, for what the server tells by itself. The caller ends it with `release`. */
  async listener(channel: string, onNotice: () => void, onEnd: () => void): Promise<{ release(): void }> {
    const client = new (this.#clients())();
    client.on('error', () => {});
    client.on('notification', onNotice);
    client.once('end', onEnd);
    const release = (): void => void this.#sockets.get(client)?.destroy();
    const timer = setTimeout(release, this.timeoutMs);
    try {
      await client.connect();
      if (!(await isMarked(client, this.#settings.schema))) throw new Error('the store is being restored');
      await client.query(`LISTEN ${this.#driver.escapeIdentifier(channel)}`);
    } catch (error) {
      release();
      throw toStoreError(error);
    } finally {
      clearTimeout(timer);
    }
    return { release };
  }

  /** Ends at once what does not end by itself. */
  async close(): Promise<void> {
    this.assertOpen();
    this.#isClosed = true;
    const timer = setTimeout(() => {
      for (const socket of this.#open) socket.destroy();
    }, GOODBYE_MS);
    await this.#pool.end().catch(() => {});
    clearTimeout(timer);
  }

  async #run<T>(work: Work<T>, patience: Patience): Promise<T> {
    const client = await this.#pool.connect();
    const giveUp = (): void =>
      void this.#sockets.get(client)?.destroy(new Error('the store did not answer in time'));
    const timer = setTimeout(giveUp, this.timeoutMs);
    const ask = async <R>(asked: () => Promise<R>): Promise<R> => {
      if (patience === 'each') timer.refresh();
      return await asked();
    };
    let isFit = false;
    try {
      const result = await work(sessionOf(client, ask));
      isFit = true;
      return result;
    } catch (error) {
      isFit = await rolledBack(client, error);
      throw error;
    } finally {
      clearTimeout(timer);
      client.release(!isFit);
    }
  }

  #clients(): new () => InstanceType<Driver['Client']> {
    const config = configOf(this.#settings, this.timeoutMs);
    const [sockets, open] = [this.#sockets, this.#open];
    return class extends this.#driver.Client {
      constructor() {
        const socket = new Socket();
        super({ ...config, stream: () => socket });
        sockets.set(this, socket);
        open.add(socket);
        socket.once('close', () => open.delete(socket));
      }
    };
  }
}

function sessionOf(client: ClientBase, ask: <R>(asked: () => Promise<R>) => Promise<R>): Session {
  const plain = (values: readonly Value[] = []): unknown[] => values.map((value) => value ?? null);
  return {
    rows: async (sql, values) => (await ask(() => client.query<Row>(sql, plain(values)))).rows,
    cells: async (sql, values) =>
      (await ask(() => client.query<unknown[]>({ text: sql, values: plain(values), rowMode: 'array' }))).rows,
    write: async (sql, values) => (await ask(() => client.query(sql, plain(values)))).rowCount ?? 0,
  };
}

/** Says that the store is in use, for as long as the connection lasts. False: it is being put back from a backup. */
async function isMarked(client: ClientBase, schema: string): Promise<boolean> {
  const sql = 'SELECT pg_try_advisory_lock_shared($1, hashtext($2)) AS free';
  const { rows } = await client.query<Row>(sql, [IN_USE, schema]);
  return rows[0]?.free === 't';
}

/** Whether the connection is good for other work. */
async function rolledBack(client: ClientBase, error: unknown): Promise<boolean> {
  const isTold =
    error instanceof StoreError ||
    (error instanceof Error && 'severity' in error && error.severity === 'ERROR');
  if (!isTold) return false;
  try {
    await client.query('ROLLBACK');
    return true;
  } catch {
    return false;
  }
}

/** Says everything that the driver would otherwise take from the environment, or from files of this user. */
function configOf(settings: PostgresSettings, timeoutMs: number): ClientConfig {
  const { host, port, user, database, schema } = settings;
  const parameters = {
    // Temporary tables of the same name are not to be taken for ours.
    search_path: `${schema},pg_temp`,
    // What was acknowledged outlives the server.
    synchronous_commit: 'on',
    statement_timeout: `${timeoutMs}`,
    lock_timeout: `${timeoutMs}`,
    idle_in_transaction_session_timeout: `${timeoutMs * 2}`,
    client_min_messages: 'warning',
  };
  return {
    host,
    port,
    user,
    database,
    password: async () => settings.readPassword() ?? '',
    ssl: tlsOf(settings),
    enableChannelBinding: true,
    application_name: 'sallyport',
    options: Object.entries(parameters)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
    connectionTimeoutMillis: timeoutMs,
    keepAlive: true,
    types: { getTypeParser },
  };
}

function tlsOf({ tls, ca, host }: PostgresSettings): ClientConfig['ssl'] {
  if (tls === 'disable') return false;
  const trust = ca === undefined ? {} : { ca };
  if (tls === 'require') return { rejectUnauthorized: false };
  // Without `host`, the certificate of a server asked for by address would be held to "localhost".
  if (tls === 'verify-full') return { ...trust, host, rejectUnauthorized: true };
  return { ...trust, rejectUnauthorized: true, checkServerIdentity: () => undefined };
}

/** Whole numbers as numbers, and bytes as bytes; all else is text. What is too large for a number is refused where it is read. */
function getTypeParser(type: number): (text: string) => unknown {
  if (type === INT8 || type === 21 || type === 23) return Number;
  if (type === BYTEA) return (text) => Uint8Array.from(Buffer.from(text.slice(2), 'hex'));
  return String;
}
