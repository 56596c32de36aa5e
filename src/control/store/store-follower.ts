import type { Logger } from '../../contract/index.ts';
import { type StoreChange, StoreError } from '../../store/index.ts';

/** Brings what has changed into effect. Each may reject with StoreError, and is then called again. */
export interface ChangeHandlers {
  /** Consumers, credentials and revocations; `unknown`: any of them. */
  readonly callers: (changes: readonly StoreChange[] | 'unknown') => Promise<void>;
  /** Bans that operators asked for. */
  readonly bans: () => Promise<void>;
  /** What is live, or on its way, was changed. */
  readonly revisions?: () => void;
  /** What was done while there was no store is put there now. */
  readonly catchUp: () => Promise<void>;
}

export interface StoreFollowerDeps {
  readonly log: Logger;
  readonly schedule: (work: () => void, delayMs: number) => void;
}

const RETRY_MS = 1000;
/** More than that, all is read again. */
const MOST_CHANGES = 10_000;

const OF_REVISIONS: ReadonlySet<string> = new Set(['activations', 'rollouts']);
const OF_CALLERS: ReadonlySet<string> = new Set(['consumers', 'credentials', 'revocations']);

/** Takes up what other nodes have changed, one change after the other, until it is done. */
export class StoreFollower {
  readonly #deps: StoreFollowerDeps;
  #handlers: ChangeHandlers | undefined;
  #callers: StoreChange[] | 'unknown' = [];
  #areBansDue = false;
  #isCatchUpDue = false;
  #isRunning = false;
  #hasEnded = false;

  constructor(deps: StoreFollowerDeps) {
    this.#deps = deps;
  }

  /** What has come until now is taken up as well. */
  begin(handlers: ChangeHandlers): void {
    this.#handlers = handlers;
    void this.#run();
  }

  /** What has changed; `unknown`: anything may have. */
  take(changes: readonly StoreChange[] | 'unknown'): void {
    if (changes === 'unknown' || changes.some(({ topic }) => OF_REVISIONS.has(topic)))
      this.#handlers?.revisions?.();
    this.#areBansDue ||= changes === 'unknown' || changes.some(({ topic }) => topic === 'bans');
    if (changes === 'unknown' || this.#callers === 'unknown') this.#callers = 'unknown';
    else this.#callers.push(...changes.filter(({ topic }) => OF_CALLERS.has(topic)));
    if (this.#callers.length > MOST_CHANGES) this.#callers = 'unknown';
    void this.#run();
  }

  /** The store was lost, and is found again. */
  back(): void {
    this.#isCatchUpDue = true;
    void this.#run();
  }

  end(): void {
    this.#hasEnded = true;
  }

  async #run(): Promise<void> {
    const handlers = this.#handlers;
    if (this.#isRunning || handlers === undefined) return;
    this.#isRunning = true;
    try {
      while (this.#isDue()) await this.#next(handlers);
    } catch (error) {
      // A store that is lost is told of by its health.
      if (!(error instanceof StoreError)) this.#deps.log.error('store-changes-not-taken', { error });
      this.#deps.schedule(() => void this.#run(), RETRY_MS);
    } finally {
      this.#isRunning = false;
    }
  }

  #isDue(): boolean {
    const isDue = this.#areBansDue || this.#isCatchUpDue || this.#callers.length > 0;
    return isDue && !this.#hasEnded;
  }

  /** What fails is due again, with what has come meanwhile. */
  async #next(handlers: ChangeHandlers): Promise<void> {
    if (this.#isCatchUpDue) {
      this.#isCatchUpDue = false;
      await handlers.catchUp().catch((error: unknown) => {
        this.#isCatchUpDue = true;
        throw error;
      });
    }
    if (this.#areBansDue) {
      this.#areBansDue = false;
      await handlers.bans().catch((error: unknown) => {
        this.#areBansDue = true;
        throw error;
      });
    }
    const changes = this.#callers;
    this.#callers = [];
    if (changes.length === 0) return;
    await handlers.callers(changes).catch((error: unknown) => {
      this.#putBack(changes);
      throw error;
    });
  }

  #putBack(changes: readonly StoreChange[] | 'unknown'): void {
    const later = this.#callers;
    this.#callers = changes === 'unknown' || later === 'unknown' ? 'unknown' : [...changes, ...later];
  }
}
