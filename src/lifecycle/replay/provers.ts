import {
  declaredConsumers,
  isObject,
  listOf,
  memberOf,
  type PolicyCatalog,
  placesOf,
} from '../../config/index.ts';
import { InternalError } from '../../errors.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import type { ReplayCallers } from './replay.ts';

/** What a revision takes for proof of who calls: kinds of credentials, each with all that its policy is told of them. */
export interface Provers {
  /** By the id of the attachment. */
  readonly byAttachment: Readonly<Record<string, readonly string[]>>;
  /** By `listener NAME` and `route NAME`. */
  readonly byPlace: Readonly<Record<string, readonly string[]>>;
}

/** What two documents that were found sound say of callers. `live`: ids of credentials kept beside them, where known. */
export function callersOf(
  catalog: PolicyCatalog,
  draft: unknown,
  against: unknown,
  live: readonly string[] | undefined = undefined,
): ReplayCallers {
  const isAlone = against === undefined;
  return {
    draft: declaredConsumers(draft),
    against: isAlone ? undefined : declaredConsumers(against),
    live,
    provers: isAlone ? undefined : { draft: proversOf(draft, catalog), against: proversOf(against, catalog) },
  };
}

function proversOf(document: unknown, catalog: PolicyCatalog): Provers {
  if (!catalog.isDocument(document)) throw new InternalError('a document that was found sound is none');
  const { listeners, routes } = placesOf(document, catalog);
  const byAttachment: Record<string, readonly string[]> = {};
  const byPlace: Record<string, readonly string[]> = {};
  for (const { kind, name, attachments } of [...listeners, ...routes]) {
    const provers = attachments.filter(({ authenticates, mode }) => authenticates && mode !== 'off');
    for (const { id, definition, config } of provers)
      byAttachment[id] = proofsOf(definition.name, config, catalog);
    byPlace[`${kind} ${name}`] = provers.flatMap(({ id }) => byAttachment[id]);
  }
  return { byAttachment, byPlace };
}

/** Of several ways each stands for itself; of several proofs together none does. */
function proofsOf(policy: string, config: unknown, catalog: PolicyCatalog): readonly string[] {
  if (policy === 'any-of')
    return membersOf(config, catalog).flatMap(([name, own]) => proofsOf(name, own, catalog));
  if (policy !== 'all-of') return [proof(policy, config)];
  const members = membersOf(Array.isArray(config) ? config : memberOf(config, 'members'), catalog);
  return members
    .flatMap(([name, own]) => proofsOf(name, own, catalog))
    .map((text) => proof(text.slice(0, text.indexOf(' ')), config));
}

const proof = (kind: string, config: unknown): string => `${kind} ${canonicalJson(config)}`;

function membersOf(items: unknown, catalog: PolicyCatalog): readonly (readonly [string, unknown])[] {
  return listOf(items).flatMap((item) =>
    isObject(item) ? Object.entries(item).filter(([name]) => catalog.find(name) !== undefined) : [],
  );
}
