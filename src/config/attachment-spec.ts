import type { Mode, OnError, PolicyDefinition } from '../contract/index.ts';
import { didYouMean, nearest } from '../lib/suggest.ts';
import type { PolicyCatalog } from './catalog.ts';
import type { DocumentPath } from './document-path.ts';
import { explain } from './explain.ts';
import type { IssueList } from './issues.ts';
import { isObject } from './json-shape.ts';
import { ATTACHMENT_SETTINGS, type AttachmentSettings, LooseAttachment } from './schema/attachment.ts';

/** One item of a `policies` list, read and checked. */
export interface AttachmentSpec {
  /** Place of the item. */
  readonly path: DocumentPath;
  readonly definition: PolicyDefinition;
  readonly config: unknown;
  readonly mode: Mode;
  readonly onError: OnError;
  readonly when: string | undefined;
  readonly name: string | undefined;
}

const SETTING_NAMES = Object.keys(ATTACHMENT_SETTINGS);

/** Reads one item of a `policies` list; undefined when it is faulty, and `issues` says why. */
export function readAttachment(
  item: unknown,
  path: DocumentPath,
  catalog: PolicyCatalog,
  issues: IssueList,
): AttachmentSpec | undefined {
  if (typeof item === 'string' && catalog.find(item) !== undefined) {
    issues.add(path, 'must be an object', `write "${item}: {}"`);
    return undefined;
  }
  if (!isObject(item)) {
    issues.add(path, 'must be an object with the policy’s name as its key');
    return undefined;
  }
  const settings = readSettings(item, path, catalog, issues);
  const definition = readPolicyName(item, path, catalog, issues);
  if (definition === undefined) return undefined;
  const config = item[definition.name] ?? {};
  const place = [...path, definition.name];
  const { schema } = definition;
  const isSound = catalog.is(schema, config);
  if (!isSound) explain(schema, config, place, issues);
  if (!isSound || settings === undefined) return undefined;
  return {
    path,
    definition,
    config,
    mode: settings.mode ?? 'enforce',
    onError: settings.onError ?? 'reject',
    when: settings.when,
    name: settings.name,
  };
}

function readSettings(
  item: Readonly<Record<string, unknown>>,
  path: DocumentPath,
  catalog: PolicyCatalog,
  issues: IssueList,
): AttachmentSettings | undefined {
  const settings = Object.fromEntries(Object.entries(item).filter(([key]) => SETTING_NAMES.includes(key)));
  if (catalog.isAttachment(settings)) return settings;
  explain(LooseAttachment, settings, path, issues);
  return undefined;
}

/** Exactly one key names a policy; every other key is a setting. */
function readPolicyName(
  item: Readonly<Record<string, unknown>>,
  path: DocumentPath,
  catalog: PolicyCatalog,
  issues: IssueList,
): PolicyDefinition | undefined {
  const names = Object.keys(item).filter((key) => !SETTING_NAMES.includes(key));
  const known = names.flatMap((name) => catalog.find(name) ?? []);
  for (const name of names) {
    if (catalog.find(name) === undefined) addUnknown(name, known.length > 0, path, catalog, issues);
  }
  if (names.length === 0) issues.add(path, 'names no policy', catalog.suggestionFor(''));
  if (known.length > 1) {
    const listed = known.map((d) => `"${d.name}"`).join(' and ');
    issues.add(path, `names ${listed}; one item attaches one policy`, 'write one item for each');
  }
  return known.length === 1 ? known[0] : undefined;
}

/** Beside a known policy an unknown key is a misspelt setting; alone it is a misspelt policy. */
function addUnknown(
  name: string,
  hasPolicy: boolean,
  path: DocumentPath,
  catalog: PolicyCatalog,
  issues: IssueList,
): void {
  const place = [...path, name];
  if (!hasPolicy) {
    const setting = nearest(name, SETTING_NAMES);
    const suggestion = setting === undefined ? catalog.suggestionFor(name) : `did you mean "${setting}"?`;
    issues.add(place, `unknown policy "${name}"`, suggestion);
    return;
  }
  const suggestion = didYouMean(name, SETTING_NAMES) ?? `settings: ${SETTING_NAMES.join(', ')}`;
  issues.add(place, `unknown key "${name}"`, suggestion);
}
