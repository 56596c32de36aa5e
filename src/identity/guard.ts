import {
  type Awaitable,
  type CredentialGuard,
  type Decision,
  type GcraRule,
  type LimitOutcome,
  type PolicyContext,
  reject,
} from '../contract/index.ts';
import { PolicyRejection } from '../errors.ts';
import { networkKey } from '../lib/ip-address.ts';

/** When guessing is slowed down, and when it is stopped. Counts are of wrong credentials. */
export interface GuardRules {
  /** So many at once and per `windowMs` are free, for an address or for a consumer's name. */
  readonly failures: number;
  readonly windowMs: number;
  /** So many per `banWindowMs` stop it for `banMs`. */
  readonly banAfter: number;
  readonly banWindowMs: number;
  readonly banMs: number;
}

/** Never refuses: for documents that switch the guard off. */
export const NO_GUARD: CredentialGuard = Object.freeze({ check: () => undefined, failed: () => {} });

const SCOPE = 'credential-guard';
/** One subscriber commonly holds a whole /64. */
const [V4_BITS, V6_BITS] = [32, 64];
const SECOND_MS = 1000;

/** The guard of one document. Its counts are shared by all workers and outlive revisions that keep its rules. */
export function credentialGuard(rules: GuardRules): CredentialGuard {
  return new CountingGuard(rules);
}

class CountingGuard implements CredentialGuard {
  readonly #slow: GcraRule;
  readonly #stop: GcraRule;
  /** A key is refused while this bucket holds anything; a refusal of n seconds fills n of it. */
  readonly #refusal: GcraRule;
  readonly #slowSeconds: number;
  readonly #banSeconds: number;

  constructor({ failures, windowMs, banAfter, banWindowMs, banMs }: GuardRules) {
    this.#slow = { limit: failures, windowMs, burst: failures };
    this.#stop = { limit: banAfter, windowMs: banWindowMs, burst: banAfter };
    this.#banSeconds = Math.max(1, Math.ceil(banMs / SECOND_MS));
    this.#slowSeconds = Math.max(1, Math.ceil(windowMs / failures / SECOND_MS));
    const seconds = this.#banSeconds + this.#slowSeconds;
    this.#refusal = { limit: seconds, windowMs: seconds * SECOND_MS, burst: seconds };
  }

  check(c: PolicyContext, name?: string): Awaitable<Decision | undefined> {
    const byAddress = this.#refusalFor(c, addressKey(c));
    if (name === undefined) return byAddress;
    if (byAddress instanceof Promise)
      return byAddress.then((refused) => refused ?? this.#refusalFor(c, nameKey(name)));
    return byAddress ?? this.#refusalFor(c, nameKey(name));
  }

  async failed(c: PolicyContext, name?: string): Promise<void> {
    const { state } = c.deps;
    const keys = name === undefined ? [addressKey(c)] : [addressKey(c), nameKey(name)];
    for (const key of keys) {
      const stop = await state.gcra(SCOPE, `stop ${key}`, this.#stop, 1, c.now);
      const slow = await state.gcra(SCOPE, `slow ${key}`, this.#slow, 1, c.now);
      const seconds = stop.allowed ? (slow.allowed ? 0 : this.#slowSeconds) : this.#banSeconds;
      if (seconds > 0) await state.gcra(SCOPE, `refused ${key}`, this.#refusal, seconds, c.now);
    }
  }

  #refusalFor(c: PolicyContext, key: string): Awaitable<Decision | undefined> {
    const outcome = c.deps.state.gcra(SCOPE, `refused ${key}`, this.#refusal, 0, c.now);
    return outcome instanceof Promise ? outcome.then(refusalOf) : refusalOf(outcome);
  }
}

const addressKey = (c: PolicyContext): string => `address ${networkKey(c.request.client, V4_BITS, V6_BITS)}`;
const nameKey = (name: string): string => `name ${name}`;

/** Says the same whatever is presented meanwhile: a right credential is not told from a wrong one. */
function refusalOf({ resetMs }: LimitOutcome): Decision | undefined {
  if (resetMs === 0) return undefined;
  const seconds = Math.ceil(resetMs / SECOND_MS);
  return reject(
    new PolicyRejection('too-many-failures', 'Too many invalid credentials were sent. Try again later.', {
      rule: 'guard',
      reason: `too many wrong credentials: refused for another ${seconds} s`,
      headers: ['Retry-After', String(seconds)],
    }),
  );
}
