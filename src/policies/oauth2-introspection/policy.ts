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
import { NetworkError } from '../../errors.ts';
import type { Claims, TokenCaller } from '../../identity/index.ts';
import {
  type Confirmation,
  certificateFault,
  checkClaims,
  MAX_TOKEN_LENGTH,
  nameList,
  type PlacedToken,
  readConfirmation,
  type Validity,
} from '../../tokens/index.ts';
import type { Answer } from './answers.ts';
import { compileIntrospection, type IntrospectionRules } from './rules.ts';
import { type introspectionSchema, oauth2IntrospectionOutline } from './schema.ts';

/** Identifies callers by tokens that only their authorization server can read. */
export const oauth2Introspection: PolicyDefinition<typeof introspectionSchema> = {
  ...oauth2IntrospectionOutline,
  compile: (config, deps) => new IntrospectionPolicy(compileIntrospection(config, deps), deps.guard),
};

/** An answer that was looked through, with all that has to be looked at again when its token comes again. */
interface Judged {
  readonly validity: Validity;
  readonly confirmation: Confirmation;
  readonly caller: TokenCaller;
}

/** What a header can carry (RFC 6749 appendix A.12). */
const TOKEN = /^[!-~]+$/;

class IntrospectionPolicy implements Policy {
  readonly credentialFields: CredentialFields;
  readonly #rules: IntrospectionRules;
  readonly #guard: CompileDeps['guard'];
  /** What was found in each answer, for as long as the answer is kept; a text says why its token is refused. */
  readonly #judged = new WeakMap<Claims, Judged | string>();

  constructor(rules: IntrospectionRules, guard: CompileDeps['guard']) {
    this.#rules = rules;
    this.credentialFields = rules.places.fields;
    this.#guard = guard;
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
    this.#rules.answers.release();
  }

  /** Synchronous for a token of which something is known. */
  #judge(c: PolicyContext, presented: PlacedToken | string): Awaitable<Decision> {
    if (typeof presented === 'string') return this.#guessed(c, presented);
    const { token } = presented;
    if (token.length > MAX_TOKEN_LENGTH) return this.#guessed(c, 'the token is too long');
    const { resource } = this.#rules.answers;
    const { clock, network } = c.deps;
    const tokenHash = hash('sha256', token, 'base64url');
    const known = resource.find(tokenHash, clock);
    if (known !== undefined) return this.#answered(c, presented, known);
    if (!TOKEN.test(token))
      return this.#guessed(c, 'the value sent is not made of the characters of a token');
    return resource.ask(tokenHash, token, network, clock).then(
      (answer) => this.#answered(c, presented, answer),
      (cause: unknown) => {
        // Anything else is a defect; what it says may hold the token.
        const reason = cause instanceof NetworkError ? cause.message : 'the server cannot be asked';
        throw this.#rules.refusals.unavailable(reason);
      },
    );
  }

  #answered(c: PolicyContext, presented: PlacedToken, answer: Answer): Awaitable<Decision> {
    if (answer === 'inactive') return this.#guessed(c, 'the token is not active');
    const { refusals } = this.#rules;
    const judged = this.#look(answer);
    if (typeof judged === 'string') return refusals.invalid(judged);
    const fault = this.#faultNow(c, judged);
    return fault === undefined ? this.#identify(c, presented, judged) : refusals.invalid(fault);
  }

  #look(claims: Claims): Judged | string {
    let judged = this.#judged.get(claims);
    if (judged === undefined) {
      judged = judge(claims, this.#rules);
      this.#judged.set(claims, judged);
    }
    return judged;
  }

  /** What may change from one use of a token to the next. */
  #faultNow(c: PolicyContext, { validity, confirmation }: Judged): string | undefined {
    if (c.now >= validity.untilMs) return 'the token has expired';
    if (c.now < validity.fromMs) return 'the token is not good yet';
    return certificateFault(c, confirmation, this.#rules.certificate);
  }

  #identify(c: PolicyContext, { place }: PlacedToken, { caller }: Judged): Decision {
    const { scopes, refusals, hides, places } = this.#rules;
    const identity = caller.identity();
    if (typeof identity === 'string') return refusals.invalid(identity);
    const lacking = scopes.filter((scope) => !caller.scopes.includes(scope));
    if (lacking.length > 0) {
      const reason = `the token lacks the scopes ${nameList(lacking)}; it has ${nameList(caller.scopes)}`;
      return refusals.insufficientScope(scopes, reason);
    }
    c.provide('identity', identity);
    if (hides) places.hide(c, place);
    return CONTINUE;
  }

  /** Nobody issued such a token, as far as anybody can tell: counted against its sender. */
  #guessed(c: PolicyContext, reason: string): Awaitable<Decision> {
    const decision = this.#rules.refusals.invalid(reason);
    const counted = this.#guard.failed(c);
    return counted instanceof Promise ? counted.then(() => decision) : decision;
  }
}

/** What an answer says of its token, or why the token is refused whoever presents it. */
function judge(claims: Claims, rules: IntrospectionRules): Judged | string {
  const { iss, token_type: type, token_use: use } = claims;
  if (iss !== undefined && rules.issuer !== undefined && iss !== rules.issuer)
    return 'the token is of another issuer';
  if (type !== undefined && typeof type !== 'string') return 'the type of the token is no text';
  if (!rules.types.has(type?.toLowerCase()))
    return type === undefined
      ? 'the server does not say of which type the token is'
      : 'the token is of another type';
  // Ory's and Amazon's word for it: a refresh token is as active as an access token.
  if (use !== undefined && use !== 'access_token' && use !== 'access') return 'the token is for another use';
  const validity = checkClaims(claims, rules.claims);
  if (typeof validity === 'string') return validity;
  const confirmation = readConfirmation(claims.cnf);
  if (typeof confirmation === 'string') return confirmation;
  if (confirmation.proofKey !== undefined)
    return 'the token is bound to a key, and proofs of it are not read here';
  const caller = rules.mapping.caller(claims, { kind: 'oauth2-introspection', issuer: rules.issuer });
  return typeof caller === 'string' ? caller : { validity, confirmation, caller };
}
