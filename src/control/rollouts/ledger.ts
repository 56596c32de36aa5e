import type { Clock, Logger } from '../../contract/index.ts';
import type { Rollout, RolloutEntry } from '../../lifecycle/index.ts';
import { isOpen } from '../../lifecycle/index.ts';
import { type AuditEntry, type Store, type StoredRollout, StoreError } from '../../store/index.ts';
import { causeOf } from './cause.ts';
import { rolloutIn, rowOf } from './stored-rollout.ts';

export interface LedgerDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined while there is no usable store. */
  readonly store: () => Store | undefined;
  /** What writes carry of who drives, among several nodes; undefined: anybody may. */
  readonly fence?: () => number | undefined;
}

/** So much of the audit waits for a store that is gone. */
const MAX_PENDING = 1000;

/**
 * The rollout under way, here and in the store. What goes on is kept before it is done; what holds or goes back is done
 * whether or not it can be kept, and kept as soon as it can.
 */
export class RolloutLedger {
  readonly #deps: LedgerDeps;
  #current: Rollout | undefined;
  #version = 0;
  #isUnsaved = false;
  #pending: AuditEntry[] = [];

  constructor(deps: LedgerDeps) {
    this.#deps = deps;
  }

  /** The rollout under way, or the one that ended last in this process. */
  get current(): Rollout | undefined {
    return this.#current;
  }

  get open(): Rollout | undefined {
    return this.#current !== undefined && isOpen(this.#current) ? this.#current : undefined;
  }

  /** Whether what it is has not reached the store. */
  get isUnsaved(): boolean {
    return this.#isUnsaved;
  }

  /** Takes up a new one. Rejects with StoreError: `conflict` where another is under way, as any other node may know. */
  async begin(rollout: Rollout): Promise<void> {
    await this.#store().rollouts.begin(rowOf(rollout));
    this.#current = rollout;
    this.#version = 1;
    this.#isUnsaved = false;
    await this.#audit(rollout.history, rollout);
  }

  /**
   * The one that a process before this one left. One that cannot be read is closed, since nobody can go on with it.
   * Rejects with StoreError.
   */
  async takeUp(): Promise<Rollout | undefined> {
    const row = await this.#store().rollouts.open();
    if (row === undefined) return undefined;
    try {
      this.#current = rolloutIn(row);
      this.#version = row.version;
      return this.#current;
    } catch (error) {
      this.#deps.log.error('rollout-unreadable', { rollout: row.id, error });
      await this.#store().rollouts.update({ ...row, isOpen: false }, row.version);
      return undefined;
    }
  }

  /**
   * Puts `next` in the place of the current one. `isDone`: it is so already, or has to be, whatever the store says;
   * otherwise rejects with StoreError and leaves all as it was. `conflict`: somebody else has changed it; what it is by
   * now is current then.
   */
  async keep(next: Rollout, isDone: 'done' | 'not-done'): Promise<void> {
    const before = this.#current;
    try {
      await this.#save(next);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code === 'conflict' || isDone === 'not-done') throw error;
      if (!this.#isUnsaved) this.#deps.log.error('rollout-not-kept', { rollout: next.id, error });
      this.#isUnsaved = true;
    }
    this.#current = next;
    const known = before?.history ?? [];
    await this.#audit(
      next.history.filter((entry) => !known.includes(entry)),
      next,
    );
  }

  /** Keeps what could not be kept before; false: it still cannot. */
  async catchUp(): Promise<boolean> {
    try {
      if (this.#isUnsaved && this.#current !== undefined) await this.#save(this.#current);
      if (this.#pending.length > 0) await this.#flush();
      return true;
    } catch (error) {
      if (error instanceof StoreError) return false;
      throw error;
    }
  }

  /** Takes up what another node has made of it. True: it is another than before. Rejects with StoreError. */
  async refresh(): Promise<boolean> {
    const before = this.#current;
    if (before === undefined || this.#isUnsaved) return false;
    const row = await this.#store().rollouts.get(before.id);
    if (row?.version === this.#version || this.#current !== before) return false;
    await this.#adopt(row);
    return true;
  }

  /** Another goes on with it. */
  forget(): void {
    this.#current = undefined;
    this.#version = 0;
  }

  async #save(next: Rollout): Promise<void> {
    const { rollouts } = this.#store();
    if (await rollouts.update(rowOf(next), this.#version, this.#deps.fence?.())) {
      this.#version++;
      if (this.#isUnsaved) this.#deps.log.info('rollout-kept', { rollout: next.id });
      this.#isUnsaved = false;
      return;
    }
    await this.#adopt(await rollouts.get(next.id));
    throw new StoreError('conflict', 'the rollout was changed elsewhere');
  }

  async #adopt(row: StoredRollout | undefined): Promise<void> {
    this.#current = row === undefined ? undefined : rolloutIn(row);
    this.#version = row?.version ?? 0;
    this.#isUnsaved = false;
    this.#deps.log.warn('rollout-changed-elsewhere', { rollout: row?.id, phase: this.#current?.phase });
  }

  async #audit(entries: readonly RolloutEntry[], rollout: Rollout): Promise<void> {
    this.#pending.push(...entries.map((entry) => auditOf(entry, rollout)));
    this.#pending = this.#pending.slice(-MAX_PENDING);
    try {
      await this.#flush();
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#deps.log.error('audit-failed', { action: this.#pending[0]?.action, error });
    }
  }

  async #flush(): Promise<void> {
    const store = this.#store();
    for (let entry = this.#pending[0]; entry !== undefined; entry = this.#pending[0]) {
      await store.appendAudit(entry);
      this.#pending.shift();
    }
  }

  #store(): Store {
    const store = this.#deps.store();
    if (store === undefined) throw new StoreError('unavailable', 'there is no usable store');
    return store;
  }
}

function auditOf(
  { at, act, phase, step, actor, reason, evidence }: RolloutEntry,
  rollout: Rollout,
): AuditEntry {
  const cause = causeOf(evidence);
  return {
    at,
    actor: actor.toWellFormed(),
    action: `rollout.${act}`,
    subject: rollout.id,
    detail: {
      revision: rollout.revision,
      phase,
      step,
      becomes: rollout.phase,
      reason: reason.toWellFormed(),
      ...(cause === undefined ? {} : { cause: cause.toWellFormed() }),
    },
  };
}
