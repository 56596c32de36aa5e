import { hash } from 'node:crypto';
import {
  type Awaitable,
  CONTINUE,
  type CompileDeps,
  type CredentialFields,
  type Decision,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
} from '../../contract/index.ts';
import type { TokenCaller } from '../../identity/index.ts';
import { RecentMap } from '../../lib/recent-map.ts';
import {
  type CompactJws,
  type Confirmation,
  certificateFault,
  checkClaims,
  type KeySet,
  nameList,
  type PlacedToken,
  type ProofFault,
  readClaims,
  readCompactJws,
  readConfirmation,
  type Validity,
  verifyWith,
} from '../../tokens/index.ts';
import { compileJwt, type JwtRules } from './rules.ts';
import { jwtOutline, type jwtSchema } from './schema.ts';
import type { Trust } from './trust.ts';

/** Identifies callers by signed tokens of an issuer. */
export const jwt: PolicyDefinition<typeof jwtSchema> = {
  ...jwtOutline,
  compile: async (config, deps) => new JwtPolicy(await compileJwt(config, deps), deps),
};

/** A token that was verified, with all that has to be looked at again when it comes again. */
interface VerifiedToken {
  readonly trust: Trust;
  /** What it was verified with: other keys, and it is verified anew. */
  readonly keys: KeySet;
  readonly validity: Validity;
  readonly confirmation: Confirmation;
  readonly caller: TokenCaller;
}

/** What is wrong with a token. `guess`: it is forged, as far as anybody can tell, and is counted against its sender. */
interface Fault {
  readonly kind: 'wrong' | 'guess';
  readonly reason: string;
}

class JwtPolicy implements Policy {
  readonly credentialFields: CredentialFields;
  readonly #rules: JwtRules;
  readonly #guard: CompileDeps['guard'];
  readonly #memory: RecentMap<string, VerifiedToken> | undefined;

  constructor(rules: JwtRules, deps: CompileDeps) {
    this.#rules = rules;
    const { headers, query } = rules.places.fields;
    // A proof is good once, and lies with the rest.
    this.credentialFields = { headers: [...headers, 'dpop'], query };
    this.#guard = deps.guard;
    this.#memory = rules.remember < 2 ? undefined : new RecentMap(rules.remember);
  }

  request(c: PolicyContext): Awaitable<Decision> {
    const { places, refusals } = this.#rules;
    const presented = places.read(c.request);
    if (presented === undefined) return refusals.missing;
    const refused = this.#guard.check(c);
    if (refused instanceof Promise) return refused.then((decision) => decision ?? this.#judge(c, presented));
    return refused ?? this.#judge(c, presented);
  }

  dispose(): void {
    this.#rules.release();
  }

  /** Synchronous for a token that is remembered. Only its hash is kept: memory holds no credentials. */
  #judge(c: PolicyContext, presented: PlacedToken | string): Awaitable<Decision> {
    if (typeof presented === 'string') return this.#refuse(c, guess(presented));
    const { maxLength } = this.#rules;
    if (presented.token.length > maxLength)
      return this.#refuse(c, guess(`the token is longer than ${maxLength} characters`));
    const tokenHash = hash('sha256', presented.token, 'base64url');
    const known = this.#memory?.get(tokenHash);
    if (known !== undefined && known.trust.keys.current(c.now) === known.keys)
      return this.#admit(c, presented, tokenHash, known);
    return this.#verify(c, presented, tokenHash);
  }

  async #verify(c: PolicyContext, presented: PlacedToken, tokenHash: string): Promise<Decision> {
    const verified = await this.#verified(c, presented.token);
    if ('reason' in verified) return this.#refuse(c, verified);
    this.#memory?.set(tokenHash, verified);
    return this.#admit(c, presented, tokenHash, verified);
  }

  /** What the token says, once its signature shows that its issuer said so. Throws PolicyFailure. */
  async #verified(c: PolicyContext, token: string): Promise<VerifiedToken | Fault> {
    const { types, trusts, claims: rules, mapping } = this.#rules;
    const jws = readCompactJws(token);
    // Of another kind it is nobody's guess: another of several ways to prove who calls may know it.
    if ('fault' in jws) return jws.isOfAnotherKind ? wrong(jws.fault) : guess(jws.fault);
    if (!types.has(jws.typ)) return wrong('the token is of another type');
    const claims = readClaims(jws);
    if (typeof claims === 'string') return guess(claims);
    const trust = trusts.find(claims.iss);
    if (trust === undefined) return wrong('the token is of another issuer');
    if (!trust.algorithms.has(jws.alg)) return guess('the algorithm of the token is not allowed');
    const keys = await this.#keysFor(c, jws, trust);
    if ('reason' in keys) return keys;
    // All that follows is said by the issuer: wrong, it is nobody's guess.
    const validity = checkClaims(claims, rules);
    if (typeof validity === 'string') return wrong(validity);
    const confirmation = readConfirmation(claims.cnf);
    if (typeof confirmation === 'string') return wrong(confirmation);
    const caller = mapping.caller(claims, { kind: 'jwt', issuer: trust.issuer });
    if (typeof caller === 'string') return wrong(caller);
    return { trust, keys, validity, confirmation, caller };
  }

  /** The keys that hold the one which signed the token. */
  async #keysFor(c: PolicyContext, jws: CompactJws, { keys: source }: Trust): Promise<KeySet | Fault> {
    const { verify, refusals } = this.#rules;
    if (source.current(c.now) === undefined) await source.pending;
    let keys = source.current(c.now);
    if (keys === undefined)
      throw refusals.unavailable('the keys of the issuer cannot be had', source.retryAfterSeconds);
    let outcome = await verifyWith(verify, jws, keys);
    if (outcome === 'unknown-key') {
      // Perhaps a new one: looked for, but not with every name that somebody makes up.
      await source.renew();
      const renewed = source.current(c.now) ?? keys;
      if (renewed !== keys) outcome = await verifyWith(verify, jws, renewed);
      keys = renewed;
    }
    if (outcome === 'verified') return keys;
    return outcome === 'unknown-key'
      ? wrong('no key of the issuer is the one the token names')
      : guess('the signature of the token is wrong');
  }

  /** What may change from one use of a token to the next. */
  #admit(
    c: PolicyContext,
    presented: PlacedToken,
    tokenHash: string,
    token: VerifiedToken,
  ): Awaitable<Decision> {
    const { fromMs, untilMs } = token.validity;
    if (c.now >= untilMs) return this.#refuse(c, wrong('the token has expired'));
    if (c.now < fromMs) return this.#refuse(c, wrong('the token is not good yet'));
    const { confirmation } = token;
    const { possession } = this.#rules;
    const unbound =
      certificateFault(c, confirmation, possession.certificate) ?? possession.fault(presented, confirmation);
    if (unbound !== undefined) return this.#refuse(c, wrong(unbound));
    if (confirmation.proofKey === undefined) return this.#identify(c, presented, token);
    const { proofKey } = confirmation;
    return possession
      .prove(c, { tokenHash, proofKey })
      .then((fault) =>
        fault === undefined ? this.#identify(c, presented, token) : this.#unproven(c, fault),
      );
  }

  #identify(c: PolicyContext, presented: PlacedToken, { caller }: VerifiedToken): Awaitable<Decision> {
    const { scopes, refusals, hides, places, possession } = this.#rules;
    const identity = caller.identity();
    if (typeof identity === 'string') return this.#refuse(c, wrong(identity));
    if (scopes.length > 0 && !scopes.every((scope) => caller.scopes.includes(scope))) {
      const lacking = scopes.filter((scope) => !caller.scopes.includes(scope));
      const reason = `the token lacks the scopes ${nameList(lacking)}; it has ${nameList(caller.scopes)}`;
      return refusals.insufficientScope(scopes, reason);
    }
    c.provide('identity', identity);
    if (hides) {
      places.hide(c, presented.place);
      possession.hide(c);
    }
    return CONTINUE;
  }

  #refuse(c: PolicyContext, { kind, reason }: Fault): Awaitable<Decision> {
    const decision = this.#rules.refusals.invalid(reason);
    if (kind === 'wrong') return decision;
    const counted = this.#guard.failed(c);
    return counted instanceof Promise ? counted.then(() => decision) : decision;
  }

  async #unproven(c: PolicyContext, fault: ProofFault): Promise<Decision> {
    if (fault.kind === 'guess') await this.#guard.failed(c);
    return this.#rules.possession.refusal(c, fault);
  }
}

const wrong = (reason: string): Fault => ({ kind: 'wrong', reason });
const guess = (reason: string): Fault => ({ kind: 'guess', reason });
