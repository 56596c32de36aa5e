import { createHash, type KeyObject } from 'node:crypto';
import { InternalError } from '../errors.ts';

/** One key that signatures may be verified with. */
export interface VerificationKey {
  /** Undefined: it has no id. */
  readonly kid: string | undefined;
  /** Whether it serves tokens whatever key they name: for a key that was given by hand, without an id. */
  readonly servesAnyKid: boolean;
  /** What it may verify, e.g. `RS256`. */
  readonly algorithms: readonly string[];
  /** Public, or a shared secret. */
  readonly key: KeyObject;
}

/** A token that names no key is tried with so many, no more: each costs a verification. */
const MAX_CANDIDATES = 4;
const NONE: readonly VerificationKey[] = Object.freeze([]);

/** Keys that were good together at some time. Immutable: what was verified with it names it. */
export class KeySet {
  /** Equal for equal keys. */
  readonly fingerprint: string;
  readonly size: number;
  readonly #byAlgorithm = new Map<string, VerificationKey[]>();
  readonly #kids = new Set<string>();

  /** Keys are all public or all secret: what the one half verifies must never be tried with the other. */
  constructor(keys: readonly VerificationKey[]) {
    if (new Set(keys.map(({ key }) => key.type)).size > 1)
      throw new InternalError('a set holds public and secret keys together');
    this.size = keys.length;
    this.fingerprint = fingerprintOf(keys);
    for (const key of keys) {
      if (key.kid !== undefined) this.#kids.add(key.kid);
      for (const algorithm of key.algorithms) {
        const list = this.#byAlgorithm.get(algorithm);
        if (list === undefined) this.#byAlgorithm.set(algorithm, [key]);
        else list.push(key);
      }
    }
  }

  /** Whether a key of that id is in it, whatever it is for. */
  hasKid(kid: string): boolean {
    return this.#kids.has(kid);
  }

  /**
   * Keys that a signature by `algorithm` may be of: those the token names, or any where it names none. A name that
   * several keys share names none of them (RFC 7515 §4.5 leaves it to the application): nothing then.
   */
  candidates(algorithm: string, kid: string | undefined): readonly VerificationKey[] {
    const keys = this.#byAlgorithm.get(algorithm);
    if (keys === undefined) return NONE;
    if (kid === undefined) return keys.length > MAX_CANDIDATES ? NONE : keys;
    const named = keys.filter((key) => key.kid === kid);
    if (named.length > 0) return named.length === 1 ? named : NONE;
    const unnamed = keys.filter((key) => key.servesAnyKid);
    return unnamed.length > MAX_CANDIDATES ? NONE : unnamed;
  }
}

function fingerprintOf(keys: readonly VerificationKey[]): string {
  const told = keys.map(({ kid, servesAnyKid, algorithms, key }) => [
    kid ?? '',
    servesAnyKid,
    algorithms,
    key.export({ format: 'jwk' }),
  ]);
  return createHash('sha256').update(JSON.stringify(told)).digest('base64url');
}

/** Where the keys of an issuer come from. */
export interface KeySource {
  /** The keys as of now; the same object for as long as they are the same. Undefined: nobody can tell now. */
  current(nowMs: number): KeySet | undefined;
  /** A fetch that is under way. Never rejects. */
  readonly pending: Promise<void> | undefined;
  /** Looks for newer keys, if there can be any and it is not too soon. Never rejects. */
  renew(): Promise<void> | undefined;
  /** When a caller who cannot be told anything now may come again. */
  readonly retryAfterSeconds: number;
}

/** Keys that are what the document says. */
export function staticKeys(keys: KeySet): KeySource {
  return Object.freeze({
    current: () => keys,
    pending: undefined,
    renew: () => undefined,
    retryAfterSeconds: 1,
  });
}
