import type { EndedExchange } from './recorder.ts';

/** Somebody who looks at exchanges that have ended, to keep them or to judge them a second time. */
export interface Witness {
  /** Of each request's body so many bytes are kept until it has ended; 0 for none. */
  readonly bodyBytes: number;
  /** Called once for each exchange, in its last turn: what takes long is done later. What it throws is told to the log. */
  ended(exchange: EndedExchange): void;
}

/** Those of one worker; they come and go while it serves. */
export class Witnesses {
  #present: readonly Witness[] = [];
  /** The most that any of them asks for. */
  bodyBytes = 0;

  /** How many there are: asked for every exchange, so that none of them costs nothing. */
  get count(): number {
    return this.#present.length;
  }

  add(witness: Witness): void {
    this.#set([...this.#present, witness]);
  }

  remove(witness: Witness): void {
    this.#set(this.#present.filter((w) => w !== witness));
  }

  /** One of them asks for more or less than before. */
  changed(): void {
    this.#set(this.#present);
  }

  ended(exchange: EndedExchange, onDefect: (cause: unknown) => void): void {
    for (const witness of this.#present) {
      try {
        witness.ended(exchange);
      } catch (cause) {
        onDefect(cause);
      }
    }
  }

  #set(present: readonly Witness[]): void {
    this.#present = present;
    this.bodyBytes = present.reduce((most, { bodyBytes }) => Math.max(most, bodyBytes), 0);
  }
}
