import type { Attachment, Network, Undecidable } from '../contract/index.ts';
import { NetworkError } from '../errors.ts';
import type { Evaluation } from './evaluation.ts';

/**
 * What a judgement asked for that is not there the second time: whatever came of it then would be a guess. One for each
 * judgement.
 */
export class Unanswered {
  /** Who asked first, by reason; undefined for the gateway itself. Made when it is needed. */
  #askers: Map<Undecidable, Attachment | undefined> | undefined = undefined;
  #evaluation: Pick<Evaluation, 'asked'> | undefined = undefined;
  #interrupts = false;
  #wasInterrupted = false;

  /** From now on what is noted is of whom this evaluation asks. What one in shadow asks for decides nothing. */
  follow(evaluation: Pick<Evaluation, 'asked'>): void {
    this.#evaluation = evaluation;
  }

  note(reason: Undecidable, asker: Attachment | undefined = this.#evaluation?.asked): void {
    if (asker?.mode === 'shadow') return;
    this.#askers ??= new Map();
    if (!this.#askers.has(reason)) this.#askers.set(reason, asker);
  }

  /** In the order in which they were met; none: the judgement holds. */
  get reasons(): readonly Undecidable[] {
    return this.#askers === undefined ? NO_REASONS : [...this.#askers.keys()];
  }

  /** Who asked first for what is not there for that reason; undefined for the gateway itself. */
  askerOf(reason: Undecidable): Attachment | undefined {
    return this.#askers?.get(reason);
  }

  /** Nobody outside is asked. Policies are told so, as offline. */
  get network(): Network {
    return {
      send: () => {
        this.note('network');
        return Promise.reject(new NetworkError('offline', 'nobody outside is asked a second time'));
      },
    };
  }

  /**
   * Somebody looks at what was left out, or at what may have been there (`unknown`). Throws where that is to end what it
   * is asked for (`interrupted`).
   */
  look(reason: 'credential' | 'unknown' = 'credential'): void {
    if (!this.#interrupts) return this.note(reason);
    this.#wasInterrupted = true;
    throw INTERRUPTION;
  }

  /**
   * Whether `ask` looks at what was left out, and then it gets no further; nothing is noted of it. Otherwise what it came
   * to.
   */
  interrupted<T>(ask: () => T | Promise<T>): T | 'interrupted' | Promise<T | 'interrupted'> {
    this.#interrupts = true;
    this.#wasInterrupted = false;
    try {
      const result = ask();
      if (!(result instanceof Promise)) return this.#resumed() ? 'interrupted' : result;
      return result.then(
        (later) => (this.#resumed() ? 'interrupted' : later),
        (cause: unknown) => this.#failed(cause),
      );
    } catch (cause) {
      return this.#failed(cause);
    }
  }

  #failed(cause: unknown): 'interrupted' {
    if (this.#resumed()) return 'interrupted';
    throw cause;
  }

  #resumed(): boolean {
    this.#interrupts = false;
    return this.#wasInterrupted;
  }
}

const NO_REASONS: readonly Undecidable[] = Object.freeze([]);

/** One for all: where it was thrown nobody asks. */
const INTERRUPTION = Object.freeze(new Error('a credential is not at hand'));
