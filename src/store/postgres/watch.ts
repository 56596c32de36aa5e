import { textOf, wholeOf } from '../rows.ts';
import { STORE_TOPICS, type StoreChange, type StoreListener } from '../store.ts';
import type { ChangeLog } from './changes.ts';
import type { PostgresConnection, Session } from './connection.ts';

/** What is told by nobody (a connection that went silent) is found after so long. */
const POLL_MS = 1000;
const AT_ONCE = 1000;

interface Seen {
  readonly position: number;
  readonly changes: readonly StoreChange[];
  /** Something was forgotten before it was seen. */
  readonly hasGap: boolean;
}

/** Reads what other nodes have changed: when the server says that there is something, and now and then anyway. */
export class ChangeWatch {
  readonly #connection: PostgresConnection;
  readonly #changes: ChangeLog;
  readonly #listener: StoreListener;
  #position: number;
  #notices: { release(): void } | undefined;
  #isConnecting = false;
  #isReading = false;
  #isDue = false;
  #hasEnded = false;
  readonly #timer: NodeJS.Timeout;

  private constructor(
    connection: PostgresConnection,
    changes: ChangeLog,
    listener: StoreListener,
    position: number,
  ) {
    this.#connection = connection;
    this.#changes = changes;
    this.#listener = listener;
    this.#position = position;
    this.#timer = setInterval(() => this.#poll(), POLL_MS);
    this.#timer.unref();
    this.#poll();
  }

  /** Resolves when nothing is missed any more. Rejects with StoreError. */
  static async start(
    connection: PostgresConnection,
    changes: ChangeLog,
    listener: StoreListener,
  ): Promise<ChangeWatch> {
    const position = await connection.run(positionOf);
    return new ChangeWatch(connection, changes, listener, position);
  }

  end(): void {
    this.#hasEnded = true;
    clearInterval(this.#timer);
    this.#notices?.release();
  }

  #poll(): void {
    void this.#listen();
    void this.#read();
  }

  async #listen(): Promise<void> {
    if (this.#notices !== undefined || this.#isConnecting) return;
    this.#isConnecting = true;
    try {
      const onEnd = (): void => {
        this.#notices = undefined;
      };
      this.#notices = await this.#connection.listener(this.#changes.channel, () => void this.#read(), onEnd);
      if (this.#hasEnded) this.#notices.release();
    } catch {
      // Polling goes on meanwhile, and tells of a store that is gone.
    } finally {
      this.#isConnecting = false;
    }
  }

  /** One at a time: what comes meanwhile is read right after. */
  async #read(): Promise<void> {
    this.#isDue = true;
    if (this.#isReading) return;
    this.#isReading = true;
    try {
      while (this.#isDue && !this.#hasEnded) {
        this.#isDue = false;
        await this.#readNext();
      }
    } catch {
      // Whoever asks the store next is told; this is read when it is back.
    } finally {
      this.#isReading = false;
    }
  }

  async #readNext(): Promise<void> {
    const { position, changes, hasGap } = await this.#connection.run((session) => this.#seen(session));
    if (this.#hasEnded) return;
    this.#position = position;
    if (hasGap) return this.#listener('unknown');
    if (changes.length > 0) this.#listener(changes);
  }

  async #seen(session: Session): Promise<Seen> {
    const rows = await session.rows(
      `SELECT number, topic, subject, origin FROM changes WHERE number > $1 ORDER BY number LIMIT ${AT_ONCE}`,
      [this.#position],
    );
    const head = rows.length === 0 ? await positionOf(session) : undefined;
    // A store that was put back from a backup may count anew.
    if (head !== undefined) return { position: head, changes: [], hasGap: head !== this.#position };
    if (wholeOf(rows[0].number) !== this.#position + 1)
      return { position: await positionOf(session), changes: [], hasGap: true };
    this.#isDue ||= rows.length === AT_ONCE;
    const position = wholeOf(rows[rows.length - 1].number);
    const others = rows.filter(({ origin }) => origin !== this.#changes.origin);
    return { position, changes: others.flatMap(changeOf), hasGap: false };
  }
}

async function positionOf(session: Session): Promise<number> {
  const [row] = await session.rows('SELECT number FROM change_head');
  return wholeOf(row?.number);
}

/** Topics of a newer program are none of ours. */
function changeOf(row: Record<string, unknown>): readonly StoreChange[] {
  const topic = STORE_TOPICS.find((known) => known === row.topic);
  return topic === undefined ? [] : [{ topic, subject: textOf(row.subject) }];
}
