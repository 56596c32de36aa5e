import type { PolicyDefinition } from '../contract/index.ts';
import { InternalError } from '../errors.ts';
import type { Static, TSchema } from '../lib/schema.ts';
import { matches } from '../lib/schema-check.ts';
import { didYouMean } from '../lib/suggest.ts';

import { FOREIGN_NAMES } from './foreign-names.ts';
import { LooseAttachment } from './schema/attachment.ts';
import { type GatewayDocument, StructureSchema } from './schema/document.ts';

/**
 * The policies a document may name, with their schemas. Made once per process and given to every
 * compile.
 */
export class PolicyCatalog {
  readonly definitions: readonly PolicyDefinition[];
  readonly #byName: ReadonlyMap<string, PolicyDefinition>;

  constructor(definitions: readonly PolicyDefinition[]) {
    this.definitions = definitions;
    this.#byName = new Map(definitions.map((definition) => [definition.name, definition]));
    if (this.#byName.size !== definitions.length) throw new InternalError('two policies have one name');
  }

  find(name: string): PolicyDefinition | undefined {
    return this.#byName.get(name);
  }

  /** What an unknown policy name probably meant, also in the words of other gateways. */
  suggestionFor(name: string): string {
    const ours = FOREIGN_NAMES.get(name.toLowerCase());
    if (ours !== undefined && this.#byName.has(ours)) return `did you mean "${ours}"?`;
    const names = [...this.#byName.keys()];
    return didYouMean(name, names) ?? `known policies: ${names.join(', ')}`;
  }

  isDocument(value: unknown): value is GatewayDocument {
    return this.is(StructureSchema, value);
  }

  isAttachment(value: unknown): value is Static<typeof LooseAttachment> {
    return this.is(LooseAttachment, value);
  }

  is<S extends TSchema>(schema: S, value: unknown): value is Static<S> {
    return matches(schema, value);
  }
}
