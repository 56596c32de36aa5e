import type { StoreTopic } from '../store.ts';
import type { Session } from './pool.ts';

/** So many are kept for nodes that were away; who missed more reads everything anew. */
const KEPT = 10_000;
const PRUNE_EVERY = 500;

/**
 * Notes what has changed, for other nodes. The row that counts is locked to the end of the transaction, so that numbers
 * become visible in order: who has seen one has seen all before it. To be called last: others wait from then on.
 */
export class ChangeLog {
  /** Of this program's start: what it wrote itself is no news to it. */
  readonly origin: string;
  readonly channel: string;

  constructor(schema: string, origin: string) {
    this.channel = `${schema}_changes`;
    this.origin = origin;
  }

  /** `subject`: an id or a name; '' for several. */
  async tell(session: Session, topic: StoreTopic, subject: string): Promise<void> {
    const [row] = await session.rows(
      `WITH head AS (UPDATE change_head SET number = number + 1 RETURNING number),
         noted AS (INSERT INTO changes (number, topic, subject, origin)
           SELECT number, $1, $2, $3 FROM head RETURNING number)
       SELECT number, pg_notify($4, '') FROM noted`,
      [topic, subject, this.origin, this.channel],
    );
    const number = Number(row?.number);
    if (number % PRUNE_EVERY === 0) {
      await session.write('DELETE FROM changes WHERE number <= $1', [number - KEPT]);
    }
  }
}
