import { canonicalJson } from '../../lib/canonical-json.ts';
import { type DocumentPath, formatPath } from '../document-path.ts';
import { isObject, listOf, memberOf, textOf } from '../json-shape.ts';
import { type AttachmentPair, attachmentsOf, pairAttachments } from './attachments.ts';
import { type ValueChange, valueChanges } from './values.ts';

/** What a change is about. `setting`: any other key of the document. `file`: a file that the document names. */
export type ChangeSubject =
  | 'listener'
  | 'route'
  | 'policy'
  | 'upstream'
  | 'list'
  | 'consumer'
  | 'test'
  | 'setting'
  | 'file';

export type ChangeKind = 'added' | 'removed' | 'changed' | 'moved';

/** One thing that is no longer as it was. Holds neither secrets nor what credentials are recognised by. */
export interface DocumentChange {
  readonly kind: ChangeKind;
  readonly subject: ChangeSubject;
  /** Its name; of a policy the attachment's id. */
  readonly name: string;
  /** Where it stands in the document that has it, the later one where both do. */
  readonly path: string;
  /** Empty for what was only moved, and for files. */
  readonly values: readonly ValueChange[];
  /** Of a policy that is asked at another place than before, from 0. */
  readonly moved?: { readonly from: number; readonly to: number };
  /** Id that a policy had, where it has another now: what it counted under that is counted anew. */
  readonly was?: string;
}

/** A document to compare: not validated, since an old revision may say what is no longer understood. */
export interface DiffSide {
  readonly document: Readonly<Record<string, unknown>>;
  /** What tells contents of files apart, by the name they have in the document; only those known on both sides count. */
  readonly files?: Readonly<Record<string, string>>;
}

/** What the second document says that the first did not, and the other way round: by meaning, whatever the text. */
export function diffDocuments(before: DiffSide, after: DiffSide): readonly DocumentChange[] {
  const [was, is] = [before.document, after.document];
  const keys = [...new Set([...ORDER, ...Object.keys(was), ...Object.keys(is)])];
  return [
    ...keys.flatMap((key) => sectionChanges(key, memberOf(was, key), memberOf(is, key))),
    ...fileChanges(before.files ?? {}, after.files ?? {}),
  ];
}

/** Sections in the order in which they are told; others follow. */
const ORDER = ['listeners', 'routes', 'upstreams', 'lists', 'consumers'];
const SUBJECTS: Readonly<Record<string, ChangeSubject>> = Object.freeze({
  listeners: 'listener',
  routes: 'route',
  upstreams: 'upstream',
  lists: 'list',
  consumers: 'consumer',
  tests: 'test',
});
/** For editors alone. */
const MEANS_NOTHING: ReadonlySet<string> = new Set(['$schema']);

function sectionChanges(key: string, before: unknown, after: unknown): readonly DocumentChange[] {
  if (MEANS_NOTHING.has(key)) return [];
  const subject = SUBJECTS[key];
  if (subject === undefined) return settingChanges(key, before, after);
  const [was, is] = [thingsOf(key, before), thingsOf(key, after)];
  const changes: DocumentChange[] = [];
  for (const [name, one] of is) changes.push(...thingChanges(subject, name, was.get(name), one));
  for (const [name, one] of was)
    if (!is.has(name)) changes.push(...thingChanges(subject, name, one, undefined));
  return changes;
}

function settingChanges(key: string, before: unknown, after: unknown): readonly DocumentChange[] {
  const values = valueChanges(before, after, [key]);
  if (values.length === 0) return [];
  const kind = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
  return [{ kind, subject: 'setting', name: key, path: formatPath([key]), values }];
}

interface Thing {
  readonly path: DocumentPath;
  readonly value: Readonly<Record<string, unknown>>;
}

/** Members of a list by their name, of an object by their key. One that has no name is called by its place. */
function thingsOf(key: string, section: unknown): ReadonlyMap<string, Thing> {
  const things = new Map<string, Thing>();
  for (const [i, item] of listOf(section).entries()) {
    const value = isObject(item) ? item : {};
    things.set(textOf(value.name) ?? `#${i}`, { path: [key, i], value });
  }
  for (const [name, item] of Object.entries(isObject(section) ? section : {}))
    things.set(name, { path: [key, name], value: isObject(item) ? item : {} });
  return things;
}

function thingChanges(
  subject: ChangeSubject,
  name: string,
  before: Thing | undefined,
  after: Thing | undefined,
): readonly DocumentChange[] {
  const { path } = after ?? before ?? { path: [] };
  const [was, is] = alike(before?.value, after?.value);
  const place = formatPath(path);
  const head = { subject, name, path: place };
  const values = valueChanges(ownOf(was), ownOf(is), path);
  const policies = policyChanges(`${subject}:${name}`, before, after);
  if (before === undefined || after === undefined)
    return [
      { kind: before === undefined ? 'added' : 'removed', ...head, values: flattened(values) },
      ...policies,
    ];
  return values.length === 0 ? policies : [{ kind: 'changed', ...head, values }, ...policies];
}

/** What a thing says of itself: its name is its name, and its policies are told by themselves. */
function ownOf(value: Thing['value'] | undefined): Thing['value'] | undefined {
  if (value === undefined) return undefined;
  return Object.fromEntries(Object.entries(value).filter(([key]) => key !== 'name' && key !== 'policies'));
}

/** Of what is wholly new or gone: its keys one by one. */
function flattened(values: readonly ValueChange[]): readonly ValueChange[] {
  return values.flatMap((value) => {
    const side = 'after' in value ? 'after' : 'before';
    const whole = value[side];
    if (value.path !== '' || !isObject(whole)) return [value];
    return Object.entries(whole).map(([key, member]) => ({ path: formatPath([key]), [side]: member }));
  });
}

/** Two forms of one thing in one form: `path` and `paths` of a route, targets of an upstream with and without keys. */
function alike(
  before: Thing['value'] | undefined,
  after: Thing['value'] | undefined,
): readonly [Thing['value'] | undefined, Thing['value'] | undefined] {
  const needsPaths = [before, after].some((value) => memberOf(value?.match, 'paths') !== undefined);
  const form = (value: Thing['value'] | undefined): Thing['value'] | undefined => {
    if (value === undefined) return undefined;
    const { match, targets } = value;
    return {
      ...value,
      ...(needsPaths && isObject(match) ? { match: withPaths(match) } : {}),
      ...(Array.isArray(targets) ? { targets: targets.map(bareTarget) } : {}),
    };
  };
  return [form(before), form(after)];
}

function withPaths({ path, ...match }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return path === undefined ? match : { ...match, paths: [path] };
}

const bareTarget = (target: unknown): unknown =>
  isObject(target) && (target.weight ?? 1) === 1 && typeof target.url === 'string' ? target.url : target;

function policyChanges(
  place: string,
  before: Thing | undefined,
  after: Thing | undefined,
): readonly DocumentChange[] {
  const was = attachmentsOf(listOf(before?.value.policies), place);
  const is = attachmentsOf(listOf(after?.value.policies), place);
  return pairAttachments(was, is).flatMap((pair) => policyChange(pair, before, after));
}

function policyChange(
  pair: AttachmentPair,
  before: Thing | undefined,
  after: Thing | undefined,
): readonly DocumentChange[] {
  const one = pair.after ?? pair.before;
  const path = pair.after === undefined ? before?.path : after?.path;
  if (one === undefined || path === undefined) return [];
  const place = [...path, 'policies', one.index];
  const head = { subject: 'policy', name: one.id, path: formatPath(place) } as const;
  const values = valueChanges(pair.before?.value, pair.after?.value, place);
  if (pair.before === undefined || pair.after === undefined) {
    const kind = pair.before === undefined ? 'added' : 'removed';
    return [{ kind, ...head, values: flattened(values).filter((value) => !isDefault(value)) }];
  }
  const { id, index } = pair.before;
  const more = {
    ...(pair.moved ? { moved: { from: index, to: one.index } } : {}),
    ...(id === one.id ? {} : { was: id }),
  };
  if (values.length > 0) return [{ kind: 'changed', ...head, values, ...more }];
  return Object.keys(more).length === 0
    ? []
    : [{ kind: pair.moved ? 'moved' : 'changed', ...head, values, ...more }];
}

/** What is put in for what is left out says nothing of a policy that is new or gone. */
const isDefault = ({ path, before, after }: ValueChange): boolean =>
  ['mode enforce', 'onError reject'].includes(`${path} ${String(after ?? before)}`);

function fileChanges(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): readonly DocumentChange[] {
  return Object.keys(after)
    .filter(
      (name) => Object.hasOwn(before, name) && canonicalJson(before[name]) !== canonicalJson(after[name]),
    )
    .map((name) => ({ kind: 'changed', subject: 'file', name, path: '', values: [] }));
}
