import type { Decision, PolicyContext } from '../../contract/index.ts';
import type {
  BearerRefusals,
  Confirmation,
  PlacedToken,
  ProofCheck,
  ProofFault,
  ProofNonces,
  Proven,
} from '../../tokens/index.ts';

/** Whether tokens bound to a key of the caller are taken, and whether others are. */
export type ProofMode = 'off' | 'optional' | 'required';

export interface PossessionRules {
  readonly mode: ProofMode;
  /** Undefined where tokens bound to a key are not taken. */
  readonly check: ProofCheck | undefined;
  readonly nonces: ProofNonces | undefined;
  readonly certificate: 'optional' | 'required';
  readonly refusals: BearerRefusals;
}

/** What a caller must show beside a token: that it is his. */
export class Possession {
  readonly certificate: 'optional' | 'required';
  readonly #mode: ProofMode;
  readonly #check: ProofCheck | undefined;
  readonly #nonces: ProofNonces | undefined;
  readonly #refusals: BearerRefusals;

  constructor({ mode, check, nonces, certificate, refusals }: PossessionRules) {
    this.certificate = certificate;
    this.#mode = mode;
    this.#check = check;
    this.#nonces = nonces;
    this.#refusals = refusals;
  }

  /**
   * Why a token cannot have come as it did (RFC 9449 §7.1, §7.2); undefined where nothing, or only a proof, is missing.
   * A bound token that were taken as a bearer token could be used by whoever stole it.
   */
  fault({ scheme }: PlacedToken, { proofKey }: Confirmation): string | undefined {
    if (proofKey === undefined) {
      if (scheme === 'dpop') return 'the token was sent with a proof and is bound to no key';
      return this.#mode === 'required' ? 'the token is bound to no key' : undefined;
    }
    if (this.#mode === 'off') return 'the token is bound to a key, and proofs are not taken here';
    return scheme === 'dpop' ? undefined : 'the token is bound to a key and was sent as a bearer token';
  }

  /** Undefined where the proof holds. */
  async prove(c: PolicyContext, proven: Proven): Promise<ProofFault | undefined> {
    if (this.#check === undefined) return { kind: 'wrong', reason: 'proofs are not taken here' };
    const fault = await this.#check.fault(c, proven);
    if (fault === undefined) this.#offerNonce(c);
    return fault;
  }

  refusal(c: PolicyContext, { kind, reason }: ProofFault): Decision {
    if (kind !== 'nonce' || this.#nonces === undefined)
      return this.#refusals.unproven('invalid_dpop_proof', reason);
    return this.#refusals.unproven('use_dpop_nonce', reason, ['DPoP-Nonce', this.#nonces.current(c.now)]);
  }

  /** Keeps the proof from the upstream. */
  hide(c: PolicyContext): void {
    if (this.#mode !== 'off') c.edits.removeRequestHeader('dpop');
  }

  /** The next proof has the nonce of the hour already, and need not be refused for it first (RFC 9449 §8.2). */
  #offerNonce(c: PolicyContext): void {
    if (this.#nonces !== undefined) c.edits.setResponseHeader('DPoP-Nonce', this.#nonces.current(c.now));
  }
}
