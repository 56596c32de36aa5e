import {
  PRIORITIES,
  type Priority,
  type SlotOutcome,
  type SlotRule,
  type Waiter,
} from '../../contract/index.ts';

/** One that waits for a place. */
export interface Waiting {
  readonly rule: SlotRule;
  readonly waiter: Waiter;
  /** Monotonic. */
  readonly untilMs: number;
  settle(outcome: SlotOutcome): void;
}

/** Those of this thread that wait for a place under one key: the most important first, of equals who came first. */
export class WaitingLine {
  readonly scope: string;
  readonly key: string;
  readonly #lines = PRIORITIES.map((): Set<Waiting> => new Set());
  /** As the latest that came had it. */
  limit = 1;
  /** Places given on within this thread since one was given back to all. */
  handedOn = 0;
  /** Asked in vain since a place was last had. */
  attempts = 0;
  timer: NodeJS.Timeout | undefined;
  /** A question is under way. */
  isAsking = false;

  constructor(scope: string, key: string) {
    this.scope = scope;
    this.key = key;
  }

  get size(): number {
    return this.#lines.reduce((sum, line) => sum + line.size, 0);
  }

  get first(): Waiting | undefined {
    for (const line of this.#lines) for (const waiting of line) return waiting;
    return undefined;
  }

  add(waiting: Waiting): void {
    this.#lineOf(waiting.rule.priority).add(waiting);
  }

  /** The last of those that matter least, where that is less than `priority`: it gives way. */
  lessThan(priority: Priority): Waiting | undefined {
    for (let least = PRIORITIES.length - 1; least > PRIORITIES.indexOf(priority); least--) {
      const last = [...this.#lines[least]].at(-1);
      if (last !== undefined) return last;
    }
    return undefined;
  }

  /** False when it was not there any more. */
  remove(waiting: Waiting): boolean {
    return this.#lineOf(waiting.rule.priority).delete(waiting);
  }

  #lineOf(priority: Priority): Set<Waiting> {
    return this.#lines[PRIORITIES.indexOf(priority)];
  }
}
