import type { CredentialUse } from '../../store/index.ts';
import type { CallerDeps } from './caller-book.ts';

const LIVE_ID = /^cr-[0-9a-f]{16}$/;

/** So many are written in one transaction: a few ten milliseconds. */
const BATCH = 5000;

/** More than are in use between two attempts; what is beyond is forgotten while the store cannot take it. */
const MAX_WAITING = 200_000;

/** Asked within this time, it is not collected again. */
const FRESH_MS = 1000;

/** Collects now and then which credentials were used, and keeps when. */
export class UseKeeper {
  readonly #deps: CallerDeps;
  /** When those were used that the store does not have yet. */
  readonly #waiting = new Map<string, number>();
  #collectedAtMs = Number.NEGATIVE_INFINITY;
  #underWay: Promise<void> | undefined;
  #isFailing = false;

  constructor(deps: CallerDeps) {
    this.#deps = deps;
  }

  /** Brings the store up to date, unless that was done a moment ago. Never rejects. */
  async refresh(): Promise<void> {
    if (this.#deps.clock.monotonic() - this.#collectedAtMs >= FRESH_MS) await this.collect();
  }

  /** Never rejects: a store that fails is told of once, and tried again the next time. */
  collect(): Promise<void> {
    this.#underWay ??= this.#collect().finally(() => {
      this.#underWay = undefined;
    });
    return this.#underWay;
  }

  async #collect(): Promise<void> {
    const { clock, collectUses, declared, log } = this.#deps;
    try {
      const used = await collectUses();
      this.#collectedAtMs = clock.monotonic();
      const now = clock.now();
      for (const id of used) {
        const isKnown = LIVE_ID.test(id) || declared.credential(id) !== undefined;
        if (isKnown && this.#waiting.size < MAX_WAITING) this.#waiting.set(id, now);
      }
      await this.#keep();
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) log.error('credential-use-not-kept', { error });
      this.#isFailing = true;
    }
  }

  async #keep(): Promise<void> {
    const store = this.#deps.store();
    if (store === undefined) return this.#waiting.clear();
    const uses = [...this.#waiting].map(([id, at]): CredentialUse => ({ id, at }));
    for (let from = 0; from < uses.length; from += BATCH) {
      const batch = uses.slice(from, from + BATCH);
      await store.consumers.noteUse(batch);
      for (const { id } of batch) this.#waiting.delete(id);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}
