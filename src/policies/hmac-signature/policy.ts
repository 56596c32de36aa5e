import {
  type Awaitable,
  type BodyView,
  CONTINUE,
  type CompileDeps,
  type CredentialGuard,
  type CredentialMatch,
  type Decision,
  type Held,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  type RequestView,
} from '../../contract/index.ts';
import { credentialFields, type SeenOnce, seenOnce, validityFault } from '../../identity/index.ts';
import { Answers } from './answers.ts';
import { type ExpectedDigests, hasDigests, readContentDigest } from './content-digest.ts';
import { bodyOf, dropped, uncovered } from './coverage.ts';
import { freshnessFault } from './freshness.ts';
import { type PresentedSignature, readSignature } from './presented.ts';
import { useOf } from './replays.ts';
import { readRules, type SignatureRules } from './rules.ts';
import { type HmacSignatureConfig, hmacSignatureOutline, type hmacSignatureSchema } from './schema.ts';
import { signatureBase } from './signature-base.ts';
import { SignatureKeys } from './signature-keys.ts';
import type { StructuredFields } from './structured-fields.ts';

/** Identifies a consumer by its signature over the request (HTTP Message Signatures, RFC 9421). */
export const hmacSignature: PolicyDefinition<typeof hmacSignatureSchema> = {
  ...hmacSignatureOutline,
  async compile(config, deps): Promise<Policy> {
    const rules = readRules(config);
    return new HmacSignaturePolicy(config, rules, deps, await import('structured-headers'));
  },
};

/** A signature that fits, and what it says of the body: nothing, what it hashes to, or that there is none. */
interface Verified {
  readonly match: CredentialMatch;
  readonly keyId: string;
  readonly base: string;
  readonly body: BodyClaim | undefined;
}

type BodyClaim = ExpectedDigests | 'empty';

const FIELDS = credentialFields(['signature', 'signature-input']);

class HmacSignaturePolicy implements Policy {
  readonly credentialFields = FIELDS;
  readonly #rules: SignatureRules;
  readonly #answers: Answers;
  readonly #keys: SignatureKeys;
  readonly #guard: CredentialGuard;
  readonly #seen: Held<SeenOnce>;
  readonly #fields: StructuredFields;
  /** Of requests whose body is still to be looked at. */
  readonly #claims = new WeakMap<RequestView, BodyClaim>();

  constructor(
    config: HmacSignatureConfig,
    rules: SignatureRules,
    { consumers, guard, resources }: CompileDeps,
    fields: StructuredFields,
  ) {
    this.#rules = rules;
    this.#answers = new Answers(config, rules.components);
    this.#keys = new SignatureKeys(consumers);
    this.#guard = guard;
    this.#fields = fields;
    this.#seen = resources.acquire(seenOnce);
  }

  dispose(): void {
    this.#seen.release();
  }

  /** Synchronous as long as the guard and the counters are, and the signature is right. */
  request(c: PolicyContext): Awaitable<Decision> {
    const presented = readSignature(c.request.headers, this.#rules.selection, this.#fields);
    if (presented === undefined) return this.#answers.missing(bodyOf(c.request) === 'there');
    const refused = this.#guard.check(c);
    if (refused === undefined) return this.#judge(c, presented);
    if (!(refused instanceof Promise)) return refused;
    return refused.then((later) => later ?? this.#judge(c, presented));
  }

  wantsBody(c: PolicyContext): boolean {
    return this.#claims.has(c.request);
  }

  requestBody(c: PolicyContext, { bytes }: BodyView): Awaitable<Decision> {
    const claim = this.#claims.get(c.request);
    if (claim === undefined) return CONTINUE;
    const fits = claim === 'empty' ? bytes.length === 0 : hasDigests(bytes, claim);
    return fits ? CONTINUE : this.#refuse(c, 'the body is not the one that was signed');
  }

  #judge(c: PolicyContext, presented: PresentedSignature | string): Awaitable<Decision> {
    const verified = typeof presented === 'string' ? presented : this.#verify(c, presented);
    if (typeof verified === 'string') return this.#refuse(c, verified);
    if (!this.#rules.refusesReplays) return this.#accept(c, verified);
    const { keyId, base } = verified;
    const first = this.#seen.resource.isFirst(c, useOf(keyId, base, this.#rules));
    if (first instanceof Promise) return first.then((isFirst) => this.#unlessSeen(c, verified, isFirst));
    return this.#unlessSeen(c, verified, first);
  }

  #unlessSeen(c: PolicyContext, verified: Verified, isFirst: boolean): Awaitable<Decision> {
    return isFirst ? this.#accept(c, verified) : this.#refuse(c, 'the same was signed and seen before');
  }

  #verify(c: PolicyContext, presented: PresentedSignature): Verified | string {
    const { request } = c;
    const { components, keyId } = presented;
    const fault = this.#formFault(c, presented);
    if (fault !== undefined) return fault;
    const { scheme = request.scheme } = this.#rules;
    const base = signatureBase(presented, scheme === request.scheme ? request : { ...request, scheme });
    if (typeof base !== 'string') return base.fault;
    const body = components.some(({ name }) => name === 'content-digest')
      ? readContentDigest(request.headers, this.#fields)
      : this.#unsignedBody(request);
    if (typeof body === 'string' && body !== 'empty') return body;
    const match = this.#signer(c, presented, base);
    return typeof match === 'string' ? match : { match, keyId, base, body };
  }

  /** What is wrong whoever signed. */
  #formFault(c: PolicyContext, presented: PresentedSignature): string | undefined {
    const { components, nonce } = presented;
    const stale = freshnessFault(presented, this.#rules, c.now);
    if (stale !== undefined) return stale;
    if (this.#rules.needsNonce && nonce === undefined) return 'the signature has no nonce';
    const missing = uncovered(this.#rules.components, components, c.request);
    if (missing !== undefined) return `the signature does not cover ${missing}`;
    return dropped(components, c.request.headers)
      ? 'a header that is covered is named by Connection'
      : undefined;
  }

  /** Where nobody can say yet whether there is a body, there must be none. */
  #unsignedBody(request: RequestView): 'empty' | undefined {
    const isRequired = this.#rules.components.includes('content-digest');
    return isRequired && bodyOf(request) === 'unknown' ? 'empty' : undefined;
  }

  /** Verified before anything is said of the key: an unknown one costs what a known one does. */
  #signer(c: PolicyContext, presented: PresentedSignature, base: string): CredentialMatch | string {
    const { key, match } = this.#keys.find(presented.keyId);
    const fits = key.verifies(Buffer.from(base, 'latin1'), presented.signature);
    if (match === undefined) return 'no consumer has this key id';
    // The key alone says how it is used; a message that says otherwise is confused or means to confuse.
    const { algorithm } = presented;
    if (algorithm !== undefined && algorithm !== key.algorithm)
      return 'the algorithm is not the one of the key';
    if (!fits) return 'the signature does not fit';
    const fault = validityFault(match, c.now);
    if (fault === undefined) return match;
    return fault === 'expired' ? 'the key has expired' : 'the key is not valid yet';
  }

  #accept(c: PolicyContext, { match, body }: Verified): Decision {
    c.provide('identity', match.identity);
    if (body !== undefined) this.#claims.set(c.request, body);
    return CONTINUE;
  }

  #refuse(c: PolicyContext, reason: string): Awaitable<Decision> {
    const decision = this.#answers.invalid(bodyOf(c.request) === 'there', reason);
    const counted = this.#guard.failed(c);
    return counted instanceof Promise ? counted.then(() => decision) : decision;
  }
}
