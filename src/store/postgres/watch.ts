import { textOf, wholeOf } from '../rows.ts';
import { STORE_TOPICS, type StoreChange, type StoreListener } from '../store.ts';
import type { ChangeLog } from './changes.ts';
import type { PostgresConnection } from './connection.ts';
import type { Session } from './pool.ts';

/** What is told by nobody (a connection that went silent) is found after so long. */
const POLL_MS = 1000;
const AT_ONCE = 1000;

const SEEN = `SELECT h.number AS head, c.* FROM change_head h LEFT JOIN LATERAL
  (SELECT number, topic, subject, origin FROM changes WHERE number > $1 ORDER BY number LIMIT ${AT_ONCE}) c ON true
  ORDER BY c.number`;

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
  /** Undefined until the store was reached: what was before is unknown then. */
  #position: number | undefined;
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
    position: number | undefined,
  ) {
    this.#connection = connection;
    this.#changes = changes;
    this.#listener = listener;
    this.#position = position;
    this.#timer = setInterval(() => this.#poll(), POLL_MS);
    this.#timer.unref();
    this.#poll();
  }

  /** Resolves when nothing is missed any more; of a store that cannot be reached now, all is unknown when it can. */
  static async start(
    connection: PostgresConnection,
    changes: ChangeLog,
    listener: StoreListener,
  ): Promise<ChangeWatch> {
    const position = await connection.run(positionOf).catch(() => undefined);
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
      let isOver = false;
      const onEnd = (): void => {
        isOver = true;
        this.#notices = undefined;
      };
      const notices = await this.#connection.listener(this.#changes.channel, () => void this.#read(), onEnd);
      if (this.#hasEnded) notices.release();
      else if (!isOver) this.#notices = notices;
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

  /** Head and changes of one moment: seen one after the other, what comes between them would be taken for a gap. */
  async #seen(session: Session): Promise<Seen> {
    const before = this.#position;
    const rows = await session.rows(SEEN, [before ?? Number.MAX_SAFE_INTEGER]);
    const head = wholeOf(rows[0]?.head);
    const changes = rows.filter(({ number }) => number !== null);
    const next = changes.length === 0 ? head + 1 : wholeOf(changes[0].number);
    // A store that was put back from a backup may count anew.
    if (before === undefined || next !== before + 1) return { position: head, changes: [], hasGap: true };
    this.#isDue ||= changes.length === AT_ONCE;
    const others = changes.filter(({ origin }) => origin !== this.#changes.origin);
    return { position: before + changes.length, changes: others.flatMap(changeOf), hasGap: false };
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
