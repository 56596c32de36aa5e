import type { Attachment } from '../../contract/index.ts';
import { type Evaluation, type RecordedHead, Unanswered } from '../../evaluator/index.ts';

/**
 * `sampled`: only a sample of the requests is kept; `upstream`: it hangs on answers that there were none of; `past`: the
 * counter reaches back to before the recording.
 */
interface Shortfall {
  readonly by: Attachment;
  readonly what: 'sampled' | 'upstream' | 'past';
}

/** One recorded request while a revision judges it, and until it has ended. */
export class Judging {
  readonly head: RecordedHead;
  readonly unanswered = new Unanswered();
  #evaluation: Evaluation | undefined = undefined;
  /** How long it had to wait for a place, in milliseconds. */
  waitedMs = 0;
  /** Who counted it by more than the recording tells, and what it does not tell. Made when it is needed. */
  #shortfalls: Shortfall[] | undefined = undefined;
  /** Counters by who asked for them. */
  readonly counters: [asker: Attachment, name: string][] = [];

  constructor(head: RecordedHead) {
    this.head = head;
  }

  get evaluation(): Evaluation | undefined {
    return this.#evaluation;
  }

  follow(evaluation: Evaluation): void {
    this.#evaluation = evaluation;
    this.unanswered.follow(evaluation);
  }

  note(by: Attachment, what: Shortfall['what']): void {
    this.#shortfalls ??= [];
    this.#shortfalls.push({ by, what });
  }

  /** The first of those who counted it so; of `by` alone where it is given. */
  shortfall(what: Shortfall['what'], by?: Attachment): Attachment | undefined {
    return this.#shortfalls?.find((one) => one.what === what && (by === undefined || one.by === by))?.by;
  }

  /** Who asks now; undefined for the gateway itself, and for one in shadow: nothing hangs on it. */
  get asker(): Attachment | undefined {
    const asker = this.#evaluation?.asked;
    return asker?.mode === 'enforce' ? asker : undefined;
  }
}
