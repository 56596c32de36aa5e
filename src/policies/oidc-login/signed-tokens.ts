import { type Claims, PUBLIC_ALGORITHMS } from '../../identity/index.ts';
import {
  type CompactJws,
  checkClaims,
  type KeySource,
  readClaims,
  readCompactJws,
  type SignatureCheck,
  verifyWith,
} from '../../tokens/index.ts';

/** A token of the provider's that was verified, or why it was not. */
export type Verified =
  | { readonly kind: 'verified'; readonly claims: Claims; readonly jws: CompactJws }
  | { readonly kind: 'wrong'; readonly reason: string }
  /** Its keys are not known now. */
  | { readonly kind: 'unavailable'; readonly reason: string };

/** What every token of a provider's for this client must say. Times in milliseconds. */
export interface SignedTokenRules {
  readonly issuer: string;
  readonly clientId: string;
  readonly toleranceMs: number;
}

/** What is asked of one kind of them beyond that. */
export interface SignedTokenKind {
  readonly required: readonly string[];
  readonly expiry: 'required' | 'optional';
  readonly maxAgeMs: number | undefined;
}

/** No provider's token is longer. */
const MAX_LENGTH = 64 * 1024;

/** Verifies ID tokens and logout tokens: signature, issuer, audience and times. */
export class SignedTokens {
  readonly #rules: SignedTokenRules;
  readonly #keys: KeySource;
  readonly #check: SignatureCheck;

  constructor(rules: SignedTokenRules, keys: KeySource, check: SignatureCheck) {
    this.#rules = rules;
    this.#keys = keys;
    this.#check = check;
  }

  async verify(token: string, kind: SignedTokenKind, nowMs: number): Promise<Verified> {
    if (token.length > MAX_LENGTH) return wrong('the token is too long');
    const jws = readCompactJws(token);
    if ('fault' in jws) return wrong(jws.fault);
    if (!PUBLIC_ALGORITHMS.some((alg) => alg === jws.alg))
      return wrong('the token is signed with an algorithm that proves nothing here');
    const claims = readClaims(jws);
    if (typeof claims === 'string') return wrong(claims);
    const fault = this.#claimsFault(claims, kind, nowMs);
    if (fault !== undefined) return wrong(fault);
    const signed = await this.#judged(jws, nowMs);
    if (signed === 'verified') return { kind: 'verified', claims, jws };
    if (signed === 'unknown-key')
      return {
        kind: 'unavailable',
        reason: 'the key of the token is not known, and it is too soon to ask for newer ones',
      };
    return signed === undefined
      ? { kind: 'unavailable', reason: 'the keys of the provider are not known now' }
      : wrong('the signature of the token is wrong');
  }

  #claimsFault(claims: Claims, kind: SignedTokenKind, nowMs: number): string | undefined {
    const { issuer, clientId, toleranceMs } = this.#rules;
    if (claims.iss !== issuer) return 'the token is of another issuer';
    const validity = checkClaims(claims, { ...kind, audiences: [clientId], toleranceMs });
    if (typeof validity === 'string') return validity;
    if (nowMs >= validity.untilMs) return 'the token has expired';
    return nowMs < validity.fromMs ? 'the token is not good yet' : undefined;
  }

  /** Undefined while no keys are known. One that is unknown is looked for once more: the provider may have new keys. */
  async #judged(jws: CompactJws, nowMs: number): Promise<Judgement | undefined> {
    if (this.#keys.current(nowMs) === undefined) await this.#keys.pending;
    const known = this.#keys.current(nowMs);
    if (known === undefined) return undefined;
    const first = await verifyWith(this.#check, jws, known);
    if (first !== 'unknown-key') return first;
    const renewal = this.#keys.renew();
    if (renewal === undefined) return first;
    await renewal;
    const newer = this.#keys.current(nowMs);
    if (newer === undefined) return undefined;
    const second = await verifyWith(this.#check, jws, newer);
    return second === 'unknown-key' ? 'wrong-signature' : second;
  }
}

type Judgement = Awaited<ReturnType<typeof verifyWith>>;

const wrong = (reason: string): Verified => ({ kind: 'wrong', reason });
