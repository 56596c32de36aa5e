import { canonicalJson } from '../../lib/canonical-json.ts';
import { type DocumentPath, formatPath } from '../document-path.ts';
import { isObject, memberOf, textOf } from '../json-shape.ts';
import { shownValue } from './shown-value.ts';

/** One value that differs. */
export interface ValueChange {
  /** Below what has changed: `match.path`, `rate-limit.limit`; '' for all of it. */
  readonly path: string;
  /** As it was; left out where there was none. Of a list that is told item by item: one that is gone. */
  readonly before?: unknown;
  /** As it is; left out where there is none. Of a list that is told item by item: one that is new. */
  readonly after?: unknown;
}

/** Lists whose order says nothing. */
const SETS: ReadonlySet<string> = new Set(
  'groups allGroups scopes allScopes methods hosts paths listeners consumers deny allow entries trustedProxies origins'.split(
    ' ',
  ),
);

/** What differs between two values, leaf by leaf. Values are as they may be shown. */
export function valueChanges(
  before: unknown,
  after: unknown,
  base: DocumentPath,
  path: DocumentPath = [],
): readonly ValueChange[] {
  if (before === undefined && after === undefined) return [];
  if (before !== undefined && after !== undefined) {
    if (canonicalJson(before) === canonicalJson(after)) return [];
    if (isObject(before) && isObject(after)) return objectChanges(before, after, base, path);
    if (Array.isArray(before) && Array.isArray(after)) return listChanges(before, after, base, path);
  }
  return [change(before, after, base, path)];
}

function change(before: unknown, after: unknown, base: DocumentPath, path: DocumentPath): ValueChange {
  const place = [...base, ...path];
  return {
    path: formatPath(path),
    ...(before === undefined ? {} : { before: shownValue(before, place) }),
    ...(after === undefined ? {} : { after: shownValue(after, place) }),
  };
}

type Members = Readonly<Record<string, unknown>>;

function objectChanges(
  before: Members,
  after: Members,
  base: DocumentPath,
  path: DocumentPath,
): readonly ValueChange[] {
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return keys.flatMap((key) =>
    valueChanges(memberOf(before, key), memberOf(after, key), base, [...path, key]),
  );
}

/** An item that is there on both sides, at whatever place, has not changed; of the others, objects are paired. */
function listChanges(
  before: readonly unknown[],
  after: readonly unknown[],
  base: DocumentPath,
  path: DocumentPath,
): readonly ValueChange[] {
  const gone = without(before, after);
  const come = without(after, before);
  if (gone.length + come.length === 0) {
    const isSet = SETS.has(String([...base, ...path].at(-1)));
    return isSet ? [] : [change(before, after, base, path)];
  }
  const pairs = pairsOf(gone, come);
  const paired = new Set(pairs.values());
  const place = (i: number, item: unknown): DocumentPath => (isObject(item) ? [...path, i] : path);
  return [
    ...gone.flatMap(([i, item]) => {
      const pair = pairs.get(i);
      return pair === undefined
        ? [change(item, undefined, base, place(i, item))]
        : valueChanges(item, after[pair], base, [...path, pair]);
    }),
    ...come.flatMap(([i, item]) => (paired.has(i) ? [] : [change(undefined, item, base, place(i, item))])),
  ];
}

/** Which object has become which, by place: of those with one name, or with one first key, the first the first. */
function pairsOf(
  gone: readonly (readonly [number, unknown])[],
  come: readonly (readonly [number, unknown])[],
): ReadonlyMap<number, number> {
  const free = new Map<string, number[]>();
  for (const [i, item] of come) {
    const key = pairKey(item);
    if (key !== undefined) addTo(free, key, i);
  }
  const pairs = new Map<number, number>();
  for (const [i, item] of gone) {
    const pair = free.get(pairKey(item) ?? '')?.shift();
    if (pair !== undefined) pairs.set(i, pair);
  }
  return pairs;
}

/** The items that another list does not have, each as often as it has it less, with their places. */
function without(list: readonly unknown[], other: readonly unknown[]): [number, unknown][] {
  const counts = new Map<string, number>();
  for (const item of other) {
    const key = canonicalJson(item);
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const left: [number, unknown][] = [];
  for (const [i, item] of list.entries()) {
    const key = canonicalJson(item);
    const count = counts.get(key) ?? 0;
    if (count > 0) counts.set(key, count - 1);
    else left.push([i, item]);
  }
  return left;
}

function addTo(lists: Map<string, number[]>, key: string, i: number): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [i]);
  else list.push(i);
}

/** Undefined for what is no object: one text does not become another, it goes and another comes. */
function pairKey(item: unknown): string | undefined {
  if (!isObject(item)) return undefined;
  const name = textOf(item.name);
  return name === undefined ? `key ${Object.keys(item)[0] ?? ''}` : `name ${name}`;
}
