import { type StoreChange, StoreError } from '../../store/index.ts';
import { CallerBook, type CallerDeps } from './caller-book.ts';
import { ConsumerDesk } from './consumer-desk.ts';
import { CredentialDesk } from './credential-desk.ts';
import { followCallers } from './follow-callers.ts';
import { loadCallers } from './load-callers.ts';
import { RevocationDesk } from './revocation-desk.ts';
import { UseKeeper } from './use-keeper.ts';

/** Consumers and credentials that are kept live, and what was revoked: the control side of them. */
export class Callers {
  readonly consumers: ConsumerDesk;
  readonly credentials: CredentialDesk;
  readonly revocations: RevocationDesk;
  readonly uses: UseKeeper;
  readonly #deps: CallerDeps;
  readonly #book: CallerBook;

  constructor(deps: CallerDeps) {
    this.#deps = deps;
    this.#book = new CallerBook(deps);
    this.revocations = new RevocationDesk(deps, this.#book);
    this.consumers = new ConsumerDesk(deps, this.#book, this.revocations);
    this.uses = new UseKeeper(deps);
    this.credentials = new CredentialDesk(deps, this.#book, {
      revocations: this.revocations,
      uses: this.uses,
    });
  }

  /**
   * Brings what the store holds to the workers; to be done before the first request. Never rejects: without a store
   * traffic goes on with the callers of the document, and changes are refused.
   */
  async load(): Promise<void> {
    const { log, clock } = this.#deps;
    const store = this.#deps.store()?.consumers;
    if (store === undefined) return await this.#loadKept();
    const startedMs = clock.monotonic();
    try {
      // First: what was taken back stays so, whatever becomes of the rest.
      await this.revocations.load(store);
    } catch (error) {
      log.error('callers-not-loaded', { error });
      return await this.#loadKept();
    }
    try {
      await loadCallers({ ...this.#deps, store });
    } catch (error) {
      return log.error('callers-not-loaded', { error });
    }
    this.#book.open();
    const { consumers, credentials } = this.#deps.table.stats;
    if (consumers === 0) return;
    const durationMs = Math.round(clock.monotonic() - startedMs);
    log.info('callers-loaded', { consumers, credentials, durationMs });
  }

  /** Brings to the store what it could not take. Rejects with StoreError. */
  async catchUp(): Promise<void> {
    if (!this.#book.isOpen) return;
    await this.#book.change(({ consumers }) => this.revocations.catchUp(consumers));
  }

  /**
   * Takes up what others have changed; `unknown`: anything, as after a start without a store. Rejects with StoreError:
   * what was taken up until then stays.
   */
  async follow(changes: readonly StoreChange[] | 'unknown'): Promise<void> {
    if (!this.#book.isOpen) {
      await this.load();
      if (this.#book.isOpen) return;
      throw new StoreError('unavailable', 'what the store holds of callers cannot be read yet');
    }
    await this.#book.change(async ({ consumers }) => {
      if (changes === 'unknown' || changes.some(({ topic }) => topic === 'revocations')) {
        await this.revocations.refresh(consumers);
      }
      if (changes !== 'unknown') return await followCallers({ ...this.#deps, consumers }, changes);
      const endSweep = this.#deps.table.beginSweep();
      await loadCallers({ ...this.#deps, store: consumers });
      endSweep();
    });
  }

  /** Without a store, a credential of the document that was revoked must still be refused. */
  async #loadKept(): Promise<void> {
    try {
      await this.revocations.loadKept();
    } catch (error) {
      this.#deps.log.error('revocations-not-loaded', { error });
    }
  }
}
