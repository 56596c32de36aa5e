import type { Clock, LiveUpdate, Logger } from '../../contract/index.ts';
import type { CredentialTable } from '../../state/index.ts';
import type { AuditEntry, KeptRevocations, Store } from '../../store/index.ts';
import { ProblemError } from '../admin/problem.ts';
import type { DeclaredCallers } from './declared.ts';
import type { MasterKeys } from './master-keys.ts';

export interface CallerDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined while there is no usable store. */
  readonly store: () => Store | undefined;
  readonly table: CredentialTable;
  readonly keys: MasterKeys;
  /** Of the document in service. */
  readonly declared: DeclaredCallers;
  /** Revocations beside the store. */
  readonly kept: Pick<KeptRevocations, 'load' | 'save'>;
  /** Brings a change to every worker. */
  readonly spread: (update: LiveUpdate) => Promise<void>;
  /** Ids of the credentials that workers saw used since this was last asked. */
  readonly collectUses: () => Promise<ReadonlySet<string>>;
  /** From a cryptographic source. */
  readonly randomBytes: (size: number) => Uint8Array;
}

/** What a change is written under in the audit. Never secrets. */
export type Deed = Omit<AuditEntry, 'at'>;

/**
 * What is common to all changes of callers: one after the other, with a store, and with an entry in the audit. A change
 * that gives a right is written down first and takes effect last; one that takes a right away takes effect first,
 * whatever becomes of the store.
 */
export class CallerBook {
  readonly #deps: CallerDeps;
  #tail: Promise<unknown> = Promise.resolve();
  #isLoaded = false;

  constructor(deps: CallerDeps) {
    this.#deps = deps;
  }

  get now(): number {
    return this.#deps.clock.now();
  }

  /** From now on the table holds what the store does. */
  open(): void {
    this.#isLoaded = true;
  }

  /** Whether the table holds what the store does. */
  get isOpen(): boolean {
    return this.#isLoaded;
  }

  /** @throws ProblemError `store-unavailable` */
  get store(): Store {
    const store = this.#deps.store();
    if (store !== undefined && this.#isLoaded) return store;
    throw new ProblemError('store-unavailable', 'There is no usable store; traffic is served on.');
  }

  /** Does a change when those before it are over. */
  change<T>(work: (store: Store) => Promise<T>): Promise<T> {
    const turn = this.#tail.then(() => work(this.store));
    this.#tail = turn.catch(() => {});
    return turn;
  }

  async audit(deed: Deed): Promise<void> {
    await this.store.appendAudit({ at: this.now, ...deed });
  }
}
