import type { Static, TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import type { PolicyDefinition } from '../contract/index.ts';
import { didYouMean } from '../lib/suggest.ts';
import { LooseAttachment } from './schema/attachment.ts';
import { type GatewayDocument, StructureSchema } from './schema/document.ts';

/** What Kong, APISIX, Envoy and Tyk call these policies: for suggestions only. */
const FOREIGN_NAMES: Readonly<Record<string, string>> = Object.freeze({
  'key-auth': 'api-key',
  'auth-token': 'api-key',
  'ip-restriction': 'ip-list',
  'ip-filter': 'ip-list',
  'limit-count': 'rate-limit',
  'limit-req': 'rate-limit',
  'rate-limiting': 'rate-limit',
  'local-ratelimit': 'rate-limit',
  'request-validator': 'validate',
  'request-validation': 'validate',
  'oas-validation': 'validate',
  'request-transformer': 'headers',
  'response-transformer': 'headers',
  'proxy-rewrite': 'headers',
  'response-rewrite': 'headers',
  'consumer-restriction': 'acl',
  rbac: 'acl',
});

/** A compiled schema, as far as it is used here. */
interface Checker {
  Check(value: unknown): boolean;
}

/**
 * The policies a document may name, with their compiled schemas. Made once per process and given to every
 * compile: a schema is compiled when it is first needed, then kept.
 */
export class PolicyCatalog {
  readonly #definitions: ReadonlyMap<string, PolicyDefinition>;
  readonly #aliases: ReadonlyMap<string, string>;
  readonly #checkers = new Map<TSchema, Checker>();

  constructor(
    definitions: Iterable<PolicyDefinition>,
    aliases: Readonly<Record<string, string>> = FOREIGN_NAMES,
  ) {
    this.#definitions = new Map([...definitions].map((d) => [d.name, d]));
    this.#aliases = new Map(Object.entries(aliases));
  }

  get definitions(): readonly PolicyDefinition[] {
    return [...this.#definitions.values()];
  }

  find(name: string): PolicyDefinition | undefined {
    return this.#definitions.get(name);
  }

  /** What an unknown policy name probably meant. */
  suggestionFor(name: string): string {
    const alias = this.#aliases.get(name.toLowerCase());
    if (alias !== undefined && this.#definitions.has(alias)) return `did you mean "${alias}"?`;
    const names = [...this.#definitions.keys()];
    return didYouMean(name, names) ?? `known policies: ${names.join(', ')}`;
  }

  isDocument(value: unknown): value is GatewayDocument {
    return this.is(StructureSchema, value);
  }

  isAttachment(value: unknown): value is Static<typeof LooseAttachment> {
    return this.is(LooseAttachment, value);
  }

  is<S extends TSchema>(schema: S, value: unknown): value is Static<S> {
    let checker = this.#checkers.get(schema);
    if (checker === undefined) {
      checker = Compile(schema);
      this.#checkers.set(schema, checker);
    }
    return checker.Check(value);
  }
}
