import {
  CONTINUE,
  type CompileDeps,
  type Consumer,
  type ConsumerDirectory,
  type Decision,
  type Identity,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  reject,
} from '../../contract/index.ts';
import { ConfigError, PolicyRejection } from '../../errors.ts';
import { NO_CREDENTIAL_FIELDS } from '../../identity/index.ts';
import { didYouMean } from '../../lib/suggest.ts';
import { type AnonymousConfig, anonymousSchema } from './schema.ts';

/** Lets a caller that presents nothing on, as a consumer of its own. */
export const anonymous: PolicyDefinition<typeof anonymousSchema> = {
  name: 'anonymous',
  summary: 'Lets callers without a credential on as a named consumer.',
  schema: anonymousSchema,
  body: 'none',
  refuses: false,
  provides: ['identity'],
  compile(config, deps): Policy {
    checkGroups(config, deps);
    return new Anonymous(config, deps.consumers);
  },
};

/** A group that no rule can name would be a misspelt one. */
function checkGroups({ groups = [] }: AnonymousConfig, deps: CompileDeps): void {
  const { consumers } = deps;
  const issues = groups.flatMap((group, i) => {
    if (consumers.hasGroup(group)) return [];
    const suggestion = didYouMean(group, consumers.groups) ?? 'declare it under groups, or mend the name';
    return [{ path: `groups[${i}]`, message: `there is no group "${group}"`, suggestion }];
  });
  if (issues.length > 0) throw new ConfigError(issues);
}

const NOTHING: readonly string[] = Object.freeze([]);
const NO_CLAIMS: Readonly<Record<string, unknown>> = Object.freeze({});

class Anonymous implements Policy {
  readonly admitsStrangers = true;
  readonly credentialFields = NO_CREDENTIAL_FIELDS;
  readonly #name: string;
  readonly #groups: readonly string[];
  readonly #consumers: ConsumerDirectory;
  #consumer: Consumer | undefined = undefined;
  #identity: Identity;

  constructor({ consumer, groups = [] }: AnonymousConfig, consumers: ConsumerDirectory) {
    this.#name = consumer;
    this.#groups = groups;
    this.#consumers = consumers;
    this.#identity = this.#identityOf(undefined);
  }

  request(c: PolicyContext): Decision {
    // Somebody who has proved more than nothing stays who they are.
    if (c.facts.identity !== undefined) return CONTINUE;
    const consumer = this.#consumers.consumer(this.#name);
    if (consumer === 'disabled') return DISABLED;
    // One object for all requests, until the consumer changes.
    if (consumer !== this.#consumer) {
      this.#consumer = consumer;
      this.#identity = this.#identityOf(consumer);
    }
    c.provide('identity', this.#identity);
    return CONTINUE;
  }

  #identityOf(consumer: Consumer | undefined): Identity {
    const { id, groups = NOTHING } = consumer ?? {};
    return Object.freeze({
      consumer: this.#name,
      ...(id === undefined ? {} : { consumerId: id }),
      groups: Object.freeze([...new Set([...this.#groups, ...groups])]),
      scopes: NOTHING,
      claims: NO_CLAIMS,
      anonymous: true,
    });
  }
}

const DISABLED: Decision = reject(
  new PolicyRejection('unauthenticated', 'Authentication is required.', {
    rule: 'disabled',
    reason: 'the consumer for callers without a credential is disabled',
  }),
);
