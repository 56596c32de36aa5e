import { hash } from 'node:crypto';
import type { Resource, ResourceRequest, ResourceWorld } from '../../contract/index.ts';
import { RecentMap } from '../../lib/recent-map.ts';

/**
 * Derivations at once in a worker. One: there are as many workers as cores, each takes 19 MiB and a core for about
 * 50 ms, and the thread pool is the process's own, where name look-ups wait too.
 */
const RUNNING = 1;
/** Checks that may wait, about 3 s; one more is refused. */
const WAITING = 64;
/** Right passwords remembered by a worker, at about 250 bytes. */
const REMEMBERED = 10_000;

/** A password that was right. */
export interface Proved {
  readonly user: string;
  /** What it was held against: once that is another, it proves nothing. */
  readonly verifier: string;
  /** When it was; milliseconds since the epoch. */
  readonly atMs: number;
}

/**
 * What a worker does and knows about passwords, for all its attachments: takes turns, so that a flood of sign-ins
 * cannot exhaust it, and remembers what was right, so that a caller pays once.
 */
export class PasswordChecks implements Resource {
  /** Turns taken so far: what callers have cost. */
  turns = 0;
  readonly #secret: string;
  readonly #proved = new RecentMap<string, Proved>(REMEMBERED);
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  /** `secret`: random, of this worker. */
  constructor(secret: string) {
    this.#secret = secret;
  }

  /**
   * What credentials are remembered by. The secret prefix makes it a keyed hash: what is held tells nothing of a
   * password, and no caller can aim at another's place. (HMAC would cost six times as much and protect from
   * nothing more: the hashes are seen by nobody, so there is nothing to extend.)
   */
  keyOf(credentials: string): string {
    return hash('sha256', this.#secret + credentials, 'base64url');
  }

  /** What was proved less than `forMs` ago. */
  recall(key: string, nowMs: number, forMs: number): Proved | undefined {
    const proved = this.#proved.get(key);
    if (proved === undefined) return undefined;
    const ageMs = nowMs - proved.atMs;
    return ageMs >= 0 && ageMs < forMs ? proved : undefined;
  }

  remember(key: string, proved: Proved): void {
    this.#proved.set(key, proved);
  }

  /** Does `work` when it is its turn; undefined where too many wait already. */
  inTurn<T>(work: () => Promise<T>): Promise<T> | undefined {
    if (this.#running >= RUNNING && this.#waiting.length >= WAITING) return undefined;
    return this.#await(work);
  }

  async #await<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= RUNNING) await new Promise<void>((begin) => this.#waiting.push(begin));
    else this.#running++;
    this.turns++;
    try {
      return await work();
    } finally {
      // The place goes on to the next one that waits.
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  close(): void {
    this.#proved.clear();
  }
}

/** The checks of this worker. */
export const passwordChecks: ResourceRequest<PasswordChecks> = Object.freeze({
  key: 'basic-auth',
  is: (resource: Resource): resource is PasswordChecks => resource instanceof PasswordChecks,
  open: ({ random }: ResourceWorld) => new PasswordChecks(random.hex(32)),
});
