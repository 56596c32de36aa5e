import { hash } from 'node:crypto';
import type { Clock } from '../../contract/index.ts';
import { RecentMap } from '../../lib/recent-map.ts';
import type { Outcome } from './answer.ts';

interface Kept {
  readonly outcome: Outcome;
  /** Monotonic milliseconds. */
  readonly untilMs: number;
}

/** Decisions that are kept for a time, and questions under way: requests that are alike ask once. */
export class Memory {
  readonly #ttlMs: number;
  readonly #kept: RecentMap<string, Kept>;
  readonly #asking = new Map<string, Promise<Outcome>>();

  constructor(ttlMs: number, maxEntries: number) {
    this.#ttlMs = ttlMs;
    this.#kept = new RecentMap(maxEntries);
  }

  /** Cookies and tokens are in what tells requests apart: only its hash is held. */
  keyOf(request: string): string {
    return hash('sha256', request, 'base64url');
  }

  find(key: string, clock: Clock): Outcome | undefined {
    const kept = this.#kept.get(key);
    return kept !== undefined && kept.untilMs > clock.monotonic() ? kept.outcome : undefined;
  }

  /** Asks unless somebody is just asking the same. Failures are kept for nobody. */
  share(key: string, clock: Clock, ask: () => Promise<Outcome>): Promise<Outcome> {
    const under = this.#asking.get(key);
    if (under !== undefined) return under;
    const asking = this.#ask(key, clock, ask).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  async #ask(key: string, clock: Clock, ask: () => Promise<Outcome>): Promise<Outcome> {
    const outcome = await ask();
    if (outcome.isKept) this.#kept.set(key, { outcome, untilMs: clock.monotonic() + this.#ttlMs });
    return outcome;
  }
}
