import { hash } from 'node:crypto';
import {
  type Awaitable,
  CONTINUE,
  type CompileDeps,
  type ConsumerDirectory,
  type CredentialFields,
  type CredentialGuard,
  type Decision,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  reject,
} from '../../contract/index.ts';
import { PolicyRejection } from '../../errors.ts';
import { challenge, REPEATED_CREDENTIAL, validityFault } from '../../identity/index.ts';
import { KeyPlaces, type PresentedKey, type Repeated } from './places.ts';
import { type ApiKeyConfig, apiKeySchema } from './schema.ts';

/** Longer values are no key of ours: hashing them would be work for an attacker's asking. */
const MAX_KEY_LENGTH = 512;
/** Visible US-ASCII, as keys are made; anything else could be read as different bytes by different readers. */
const KEY = /^[!-~]+$/;

/** Identifies a consumer by an API key in a header, in the query or in a cookie. */
export const apiKey: PolicyDefinition<typeof apiKeySchema> = {
  name: 'api-key',
  summary: 'Identifies consumers by an API key and refuses everybody else.',
  schema: apiKeySchema,
  body: 'none',
  provides: ['identity'],
  compile(config, deps): Policy {
    return new ApiKeyPolicy(config, deps);
  },
};

type Fault = 'repeated' | 'malformed' | 'unknown' | 'expired' | 'early';

class ApiKeyPolicy implements Policy {
  readonly credentialFields: CredentialFields;
  readonly #places: KeyPlaces;
  readonly #hides: boolean;
  readonly #consumers: ConsumerDirectory;
  readonly #guard: CredentialGuard;
  readonly #missing: Decision;
  readonly #faults: Readonly<Record<Fault, Decision>>;

  constructor(config: ApiKeyConfig, { consumers, guard }: CompileDeps) {
    this.#places = new KeyPlaces(config);
    this.credentialFields = this.#places.fields;
    this.#hides = config.hide ?? true;
    this.#consumers = consumers;
    this.#guard = guard;
    const scheme = config.scheme ?? 'Key';
    const headers = Object.freeze(['WWW-Authenticate', challenge(scheme, { realm: config.realm ?? 'api' })]);
    // Made once: how many are refused is the attacker's choice.
    this.#missing = reject(
      new PolicyRejection('unauthenticated', 'An API key is required.', { headers, rule: 'missing' }),
    );
    this.#faults = faults(headers);
  }

  /** Synchronous as long as the guard is and the key is right. */
  request(c: PolicyContext): Awaitable<Decision> {
    const presented = this.#places.find(c.request);
    if (presented === undefined) return this.#missing;
    if (presented !== 'repeated' && presented.key === '') return this.#missing;
    const refused = this.#guard.check(c);
    if (refused === undefined) return this.#identify(c, presented);
    if (!(refused instanceof Promise)) return refused;
    return refused.then((later) => later ?? this.#identify(c, presented));
  }

  #identify(c: PolicyContext, presented: PresentedKey | Repeated): Awaitable<Decision> {
    if (presented === 'repeated') return this.#refuse(c, 'repeated');
    const { key, place } = presented;
    if (key.length > MAX_KEY_LENGTH || !KEY.test(key)) return this.#refuse(c, 'malformed');
    // Looked up by its hash: how long that takes tells nothing about the keys there are.
    const match = this.#consumers.find('api-key', hash('sha256', key, 'base64url'));
    if (match === undefined) return this.#refuse(c, 'unknown');
    const fault = validityFault(match, c.now);
    if (fault !== undefined) return this.#refuse(c, fault);
    c.provide('identity', match.identity);
    if (this.#hides) this.#places.hide(place, c.edits);
    return CONTINUE;
  }

  #refuse(c: PolicyContext, fault: Fault): Awaitable<Decision> {
    const decision = this.#faults[fault];
    const counted = this.#guard.failed(c);
    return counted instanceof Promise ? counted.then(() => decision) : decision;
  }
}

/** One text and one rule for all, so that an answer never tells a wrong key from one that was right once. */
function faults(headers: readonly string[]): Readonly<Record<Fault, Decision>> {
  const invalid = (reason: string): Decision => {
    const more = { headers, rule: 'invalid', reason };
    return reject(new PolicyRejection('invalid-credential', 'The API key is not valid.', more));
  };
  return {
    repeated: invalid(REPEATED_CREDENTIAL),
    malformed: invalid('the value sent cannot be a key'),
    unknown: invalid('no consumer has this key'),
    expired: invalid('the key has expired'),
    early: invalid('the key is not valid yet'),
  };
}
