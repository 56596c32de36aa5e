import type { Clock } from '../../contract/index.ts';

const FREE_FAILURES = 5;
const FIRST_DELAY_MS = 1000;
const MAX_DELAY_MS = 60_000;
const MAX_ADDRESSES = 1000;

interface Failures {
  count: number;
  blockedUntilMs: number;
}

/**
 * Slows down who presents wrong tokens, by address: after five, each one doubles the wait, from 1 s to 60 s.
 *
 * It is asked about wrong tokens only. Were it asked before the token is looked at, anybody behind the owner's
 * address (or any program on the same machine) could lock the owner out for good. Looking costs one SHA-256,
 * and 256 random bits are not guessed at any rate: what this bounds is noise in the log, not the secret.
 */
export class FailureThrottle {
  readonly #clock: Clock;
  readonly #byAddress = new Map<string, Failures>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a wrong token. Returns how long the address has to wait, 0 while it need not. */
  fail(address: string): number {
    const nowMs = this.#clock.monotonic();
    const failures = this.#byAddress.get(address) ?? this.#open(address);
    if (failures.blockedUntilMs > nowMs) return failures.blockedUntilMs - nowMs;
    failures.count++;
    const over = failures.count - FREE_FAILURES;
    if (over >= 0) failures.blockedUntilMs = nowMs + Math.min(FIRST_DELAY_MS * 2 ** over, MAX_DELAY_MS);
    return 0;
  }

  /** The address presented the right token. */
  forget(address: string): void {
    this.#byAddress.delete(address);
  }

  /** Callers choose their addresses (IPv6), so the oldest makes room: memory stays bounded. */
  #open(address: string): Failures {
    if (this.#byAddress.size >= MAX_ADDRESSES) {
      for (const oldest of this.#byAddress.keys()) {
        this.#byAddress.delete(oldest);
        break;
      }
    }
    const failures = { count: 0, blockedUntilMs: 0 };
    this.#byAddress.set(address, failures);
    return failures;
  }
}
