import {
  type Awaitable,
  type CredentialGuard,
  countingTime,
  type Decision,
  type GcraRule,
  type LimitOutcome,
  type PolicyContext,
  reject,
} from '../../contract/index.ts';
import { PolicyRejection } from '../../errors.ts';
import { networkKey } from '../../lib/ip-address.ts';

/** When guessing is slowed down, and when it is stopped. Counts are of wrong credentials. */
export interface GuardRules {
  /** So many at once and per `windowMs` are free, for an address. */
  readonly failures: number;
  readonly windowMs: number;
  /** So many per `banWindowMs` stop it for `banMs`. */
  readonly banAfter: number;
  readonly banWindowMs: number;
  readonly banMs: number;
}

/** Never refuses: for documents that switch the guard off. */
export const NO_GUARD: CredentialGuard = Object.freeze({ check: () => undefined, failed: () => {} });

/**
 * A consumer's name bears so many times what an address does. With the same numbers, one guesser who is stopped would
 * have locked the consumer out with him, everywhere; so it takes ten, and a name that is guessed at from everywhere
 * is still guarded.
 */
export const NAME_FACTOR = 10;

/** One subscriber commonly holds a whole /64. */
const [V4_BITS, V6_BITS] = [32, 64];
const SECOND_MS = 1000;

/** The guard of one document. Its counts are shared by all workers and outlive revisions that keep its rules. */
export function credentialGuard(rules: GuardRules): CredentialGuard {
  return new CountingGuard(rules);
}

class CountingGuard implements CredentialGuard {
  readonly #address: Threshold;
  readonly #name: Threshold;

  constructor(rules: GuardRules) {
    const { failures, banAfter } = rules;
    this.#address = new Threshold('address', rules);
    this.#name = new Threshold('name', {
      ...rules,
      failures: failures * NAME_FACTOR,
      banAfter: banAfter * NAME_FACTOR,
    });
  }

  check(c: PolicyContext, name?: string): Awaitable<Decision | undefined> {
    const byAddress = this.#address.refusal(c, addressKey(c));
    if (name === undefined) return byAddress;
    if (byAddress instanceof Promise)
      return byAddress.then((refused) => refused ?? this.#name.refusal(c, name));
    return byAddress ?? this.#name.refusal(c, name);
  }

  async failed(c: PolicyContext, name?: string): Promise<void> {
    await this.#address.count(c, addressKey(c));
    if (name !== undefined) await this.#name.count(c, name);
  }
}

/**
 * Names of the counters of one kind of key. A scope for each, so that no text is made for a check, which every
 * presented credential pays for.
 */
interface Scopes {
  readonly refused: string;
  readonly slow: string;
  readonly stop: string;
}

const scopesOf = (what: string): Scopes => ({
  refused: `credential-guard refused ${what}`,
  slow: `credential-guard slow ${what}`,
  stop: `credential-guard stop ${what}`,
});

/** What one kind of key bears before it is refused. */
class Threshold {
  readonly #scopes: Scopes;
  /** What attachments in shadow count slows down nobody. */
  readonly #shadowScopes: Scopes;
  readonly #slow: GcraRule;
  readonly #stop: GcraRule;
  /** A key is refused while this bucket holds anything; a refusal of n seconds fills n of it, a second empties one. */
  readonly #refusal: GcraRule;
  readonly #slowSeconds: number;
  readonly #banSeconds: number;

  constructor(what: string, { failures, windowMs, banAfter, banWindowMs, banMs }: GuardRules) {
    this.#scopes = scopesOf(what);
    this.#shadowScopes = scopesOf(`${what} in shadow`);
    // Whoever guesses may be anybody, and a name that is guessed at need not be one.
    const unproven = true;
    this.#slow = { limit: failures, windowMs, burst: failures, unproven };
    this.#stop = { limit: banAfter, windowMs: banWindowMs, burst: banAfter, unproven };
    this.#banSeconds = Math.max(1, Math.ceil(banMs / SECOND_MS));
    this.#slowSeconds = Math.max(1, Math.ceil(windowMs / failures / SECOND_MS));
    const burst = this.#banSeconds + this.#slowSeconds;
    this.#refusal = { limit: 1, windowMs: SECOND_MS, burst, unproven };
  }

  refusal(c: PolicyContext, key: string): Awaitable<Decision | undefined> {
    const { refused } = c.shadow ? this.#shadowScopes : this.#scopes;
    const outcome = c.deps.state.gcra(refused, key, this.#refusal, 0, countingTime(c, SECOND_MS));
    return outcome instanceof Promise ? outcome.then(refusalOf) : refusalOf(outcome);
  }

  async count(c: PolicyContext, key: string): Promise<void> {
    const { state } = c.deps;
    const scopes = c.shadow ? this.#shadowScopes : this.#scopes;
    const stop = await state.gcra(scopes.stop, key, this.#stop, 1, countingTime(c, this.#stop.windowMs));
    const slow = await state.gcra(scopes.slow, key, this.#slow, 1, countingTime(c, this.#slow.windowMs));
    const seconds = this.#secondsFor(stop, slow);
    if (seconds === 0) return;
    // Only what is missing: guesses that were under way together must not fill it so that a ban finds no room.
    const { resetMs } = await state.gcra(scopes.refused, key, this.#refusal, 0, countingTime(c, SECOND_MS));
    const missing = seconds - Math.floor(resetMs / SECOND_MS);
    if (missing > 0)
      await state.gcra(scopes.refused, key, this.#refusal, missing, countingTime(c, SECOND_MS));
  }

  #secondsFor(stop: LimitOutcome, slow: LimitOutcome): number {
    // A flood has left no room to count the guesses of this key: each slows it down, none alone stops it.
    if (stop.full || slow.full) return this.#slowSeconds;
    if (!stop.allowed) return this.#banSeconds;
    return slow.allowed ? 0 : this.#slowSeconds;
  }
}

const addressKey = (c: PolicyContext): string => networkKey(c.request.client, V4_BITS, V6_BITS);

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
