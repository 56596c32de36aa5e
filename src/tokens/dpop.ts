import type { PolicyContext } from '../contract/index.ts';
import { type SeenOnce, windowFor } from '../identity/index.ts';
import { readClaims, readCompactJws } from './compact-jws.ts';
import type { VerificationKey } from './key-set.ts';
import type { ProofNonces } from './proof-nonces.ts';
import { publicKeyOf } from './public-jwk.ts';
import type { SignatureCheck } from './signature.ts';

/** How proofs of possession (RFC 9449) are judged. Times in milliseconds. */
export interface ProofRules {
  /** Algorithms a proof may be signed with. */
  readonly algorithms: readonly string[];
  /** How old a proof may be, and for how long it is remembered. */
  readonly maxAgeMs: number;
  /** How far clocks may differ. */
  readonly toleranceMs: number;
  /** What callers call this gateway, where that is not what its requests say; without a slash at its end. */
  readonly publicUrl: string | undefined;
  /** Undefined: proofs need no nonce. */
  readonly nonces: ProofNonces | undefined;
}

/**
 * Why a proof proves nothing. `guess`: it is forged or stolen, which is counted against the caller. `nonce`: nothing is
 * wrong but that it lacks the nonce of the hour.
 */
export interface ProofFault {
  readonly kind: 'wrong' | 'guess' | 'nonce';
  readonly reason: string;
}

/** Thumbprint of a key (RFC 7638), SHA-256 in base64url. */
type Thumbprint = (key: VerificationKey) => Promise<string>;

/** What a proof is of. */
export interface Proven {
  /** SHA-256 of the token in base64url: `ath`. */
  readonly tokenHash: string;
  /** Thumbprint of the key the token is bound to: `jkt`. */
  readonly proofKey: string;
}

const MAX_PROOF_LENGTH = 8192;
const MAX_ID_LENGTH = 256;
/** For how long proofs are remembered. */
const WINDOWS_MS: readonly number[] = Object.freeze([120_000, 600_000, 3_600_000]);
const VISIBLE = /^[!-[\]-~]{1,8192}$/;

/** What proofs are judged with. */
export interface ProofTools {
  readonly verify: SignatureCheck;
  readonly thumbprint: Thumbprint;
}

/** Loads what proofs are judged with: only documents that ask for them pay for it. */
export async function loadProofTools(verify: SignatureCheck): Promise<ProofTools> {
  const { calculateJwkThumbprint } = await import('jose/jwk/thumbprint');
  return {
    verify,
    thumbprint: ({ key }) => calculateJwkThumbprint(key.export({ format: 'jwk' }), 'sha256'),
  };
}

/** Judges the proof that a request carries (RFC 9449 §4.3), with one use for each proof. */
export class ProofCheck {
  readonly #rules: ProofRules;
  readonly #tools: ProofTools;
  readonly #seen: SeenOnce;
  readonly #windowMs: number;

  constructor(rules: ProofRules, tools: ProofTools, seen: SeenOnce) {
    this.#rules = rules;
    this.#tools = tools;
    this.#seen = seen;
    // A proof made a tolerance ahead of our clock is good until its age and another tolerance are over.
    this.#windowMs = windowFor(rules.maxAgeMs + 2 * rules.toleranceMs, WINDOWS_MS);
  }

  /** Undefined where the request's proof holds for the token. */
  async fault(c: PolicyContext, proven: Proven): Promise<ProofFault | undefined> {
    const { headers } = c.request;
    if (headers.count('dpop') !== 1) return wrong('there is not exactly one proof');
    const proof = headers.get('dpop') ?? '';
    if (proof.length > MAX_PROOF_LENGTH)
      return wrong(`the proof is longer than ${MAX_PROOF_LENGTH} characters`);
    const jws = readCompactJws(proof);
    if ('fault' in jws) return wrong(`not read as a proof: ${jws.fault}`);
    if (jws.typ !== 'dpop+jwt') return wrong('the proof has not the type dpop+jwt');
    if (!this.#rules.algorithms.includes(jws.alg)) return wrong('the algorithm of the proof is not allowed');
    const claims = readClaims(jws);
    if (typeof claims === 'string') return wrong(`not read as a proof: ${claims}`);
    const fault = this.#claimsFault(c, claims, proven);
    if (fault !== undefined) return fault;
    const key = publicKeyOf(jws.header.jwk);
    if (typeof key === 'string') return wrong(`the key of the proof is not usable (${key})`);
    if ((await this.#tools.thumbprint(key)) !== proven.proofKey)
      return guess('the proof is of another key than the token is bound to');
    if (!(await this.#tools.verify(jws, [key]))) return guess('the signature of the proof is wrong');
    return await this.#usedBefore(c, `${proven.proofKey} ${String(claims.jti)}`);
  }

  #claimsFault(
    c: PolicyContext,
    { jti, htm, htu, iat, ath, nonce }: Readonly<Record<string, unknown>>,
    { tokenHash }: Proven,
  ): ProofFault | undefined {
    const { maxAgeMs, toleranceMs, nonces } = this.#rules;
    if (typeof jti !== 'string' || jti === '' || jti.length > MAX_ID_LENGTH)
      return wrong('the proof has no id of a sensible length');
    if (htm !== c.request.method) return wrong('the proof is for another method');
    if (typeof htu !== 'string' || normalUrl(htu) !== this.#urlOf(c))
      return wrong('the proof is for another URL');
    if (typeof iat !== 'number') return wrong('the proof does not say when it was made');
    const ageMs = c.now - iat * 1000;
    if (ageMs > maxAgeMs + toleranceMs) return wrong('the proof is too old');
    if (ageMs < -toleranceMs) return wrong('the proof is of a later time');
    if (ath !== tokenHash) return guess('the proof is for another token');
    if (nonces === undefined || (typeof nonce === 'string' && nonces.accepts(nonce, c.now))) return undefined;
    return { kind: 'nonce', reason: 'the proof has not the nonce of the hour' };
  }

  /** Asked last, when everything else holds: nobody uses up a proof that is not his. */
  async #usedBefore(c: PolicyContext, id: string): Promise<ProofFault | undefined> {
    const isFirst = await this.#seen.isFirst(c, { kind: 'dpop', id, windowMs: this.#windowMs });
    return isFirst ? undefined : guess('the proof was used before');
  }

  #urlOf({ request }: PolicyContext): string | undefined {
    const origin = this.#rules.publicUrl ?? `${request.scheme}://${request.authority}`;
    return normalUrl(origin + request.path);
  }
}

/**
 * A URL without query and fragment, normalised by syntax and scheme (RFC 3986 §6.2.2, §6.2.3), as RFC 9449 §4.3 compares
 * them; undefined for what is none.
 */
function normalUrl(text: string): string | undefined {
  if (!VISIBLE.test(text) || !/^https?:\/\//i.test(text) || !URL.canParse(text)) return undefined;
  const { protocol, host, pathname, username, password } = new URL(text);
  if (username !== '' || password !== '') return undefined;
  const path = pathname.replace(/%[0-9A-Fa-f]{2}/g, (code) => {
    const character = String.fromCharCode(Number.parseInt(code.slice(1), 16));
    return /[A-Za-z0-9._~-]/.test(character) ? character : code.toUpperCase();
  });
  return `${protocol}//${host}${path}`;
}

const wrong = (reason: string): ProofFault => ({ kind: 'wrong', reason });
const guess = (reason: string): ProofFault => ({ kind: 'guess', reason });
