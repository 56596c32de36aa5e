import { hash } from 'node:crypto';
import {
  CONTINUE,
  type ConsumerDirectory,
  type Decision,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  reject,
} from '../../contract/index.ts';
import { ConfigError, PolicyRejection } from '../../errors.ts';
import { type ApiKeyConfig, apiKeySchema } from './schema.ts';

/** Longer values are no key of ours: hashing them would be work for an attacker's asking. */
const MAX_KEY_LENGTH = 512;
/** Visible US-ASCII, as keys are made; anything else could be read as different bytes by different readers. */
const KEY = /^[!-~]+$/;

/** Identifies a consumer by an API key in a header or in the query. */
export const apiKey: PolicyDefinition<typeof apiKeySchema> = {
  name: 'api-key',
  summary: 'Identifies consumers by an API key and refuses everybody else.',
  schema: apiKeySchema,
  body: 'none',
  provides: ['identity'],
  compile(config, deps): Policy {
    if (config.query !== undefined && config.hide !== false) {
      const problem = 'a key in the query cannot be kept from the upstream';
      throw ConfigError.at('query', problem, 'add hide: false, or take keys from a header');
    }
    return new ApiKeyPolicy(config, deps.consumers);
  },
};

/** What is presented: nothing, one key, or something that is no key and why. */
type Presented = { readonly key: string } | { readonly fault: Decision } | undefined;

class ApiKeyPolicy implements Policy {
  readonly #header: string;
  readonly #query: string | undefined;
  readonly #hides: boolean;
  readonly #consumers: ConsumerDirectory;
  readonly #missing: Decision;
  readonly #faults: Readonly<Record<'repeated' | 'malformed' | 'unknown' | 'expired', Decision>>;

  constructor(config: ApiKeyConfig, consumers: ConsumerDirectory) {
    this.#header = (config.header ?? 'x-api-key').toLowerCase();
    this.#query = config.query;
    this.#hides = config.hide ?? true;
    this.#consumers = consumers;
    const headers = Object.freeze(['WWW-Authenticate', `Key realm="${config.realm ?? 'api'}"`]);
    // Made once: how many are refused is the attacker's choice.
    this.#missing = reject(
      new PolicyRejection('unauthenticated', 'An API key is required.', { headers, rule: 'missing' }),
    );
    const invalid = (reason: string) =>
      // One text and one rule for all, so that an answer never tells a wrong key from one that was right once.
      reject(
        new PolicyRejection('invalid-credential', 'The API key is not valid.', {
          headers,
          rule: 'invalid',
          reason,
        }),
      );
    this.#faults = {
      repeated: invalid('more than one key was sent'),
      malformed: invalid('the value sent cannot be a key'),
      unknown: invalid('no consumer has this key'),
      expired: invalid('the key has expired'),
    };
  }

  request(c: PolicyContext): Decision {
    const presented = this.#presented(c);
    if (presented === undefined) return this.#missing;
    if ('fault' in presented) return presented.fault;
    const { key } = presented;
    if (key.length > MAX_KEY_LENGTH || !KEY.test(key)) return this.#faults.malformed;
    const match = this.#consumers.find('api-key', hash('sha256', key, 'base64url'));
    if (match === undefined) return this.#faults.unknown;
    if (match.expiresAtMs !== undefined && match.expiresAtMs <= c.now) return this.#faults.expired;
    c.provide('identity', match.identity);
    if (this.#hides) c.edits.removeRequestHeader(this.#header);
    return CONTINUE;
  }

  /** Two keys are two identities, and which of them the upstream would believe is anybody's guess: refused. */
  #presented(c: PolicyContext): Presented {
    const { headers, query } = c.request;
    const count = headers.count(this.#header);
    if (count > 1) return { fault: this.#faults.repeated };
    const inHeader = count === 1 ? headers.get(this.#header) : undefined;
    const inQuery =
      this.#query === undefined || query === '' ? undefined : new URLSearchParams(query).getAll(this.#query);
    if (inQuery === undefined || inQuery.length === 0) {
      return inHeader === undefined || inHeader === '' ? undefined : { key: inHeader };
    }
    if (inQuery.length > 1 || inHeader !== undefined) return { fault: this.#faults.repeated };
    return inQuery[0] === '' ? undefined : { key: inQuery[0] };
  }
}
