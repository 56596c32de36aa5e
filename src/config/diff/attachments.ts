import { canonicalJson } from '../../lib/canonical-json.ts';
import { isObject, memberOf, textOf } from '../json-shape.ts';
import { ATTACHMENT_SETTINGS } from '../schema/attachment.ts';

/** An item of a `policies` list, read without a catalog: revisions may name policies that are no more. */
export interface DiffAttachment {
  /** As records name it. */
  readonly id: string;
  readonly index: number;
  readonly policy: string;
  readonly name: string | undefined;
  /** With what is left out put in, so that what means the same is the same. */
  readonly value: Readonly<Record<string, unknown>>;
  readonly text: string;
}

const DEFAULTS = Object.freeze({ mode: 'enforce', onError: 'reject' });

/** The attachments of a place; `place` is what their ids begin with, e.g. `route:orders`. */
export function attachmentsOf(items: readonly unknown[], place: string): readonly DiffAttachment[] {
  const counts = new Map<string, number>();
  return items.map((item, index) => {
    const members = isObject(item) ? item : {};
    const policy = Object.keys(members).find((key) => !Object.hasOwn(ATTACHMENT_SETTINGS, key)) ?? '';
    const name = textOf(members.name);
    const base = `${place}/${policy}`;
    const count = (counts.get(base) ?? 0) + (name === undefined ? 1 : 0);
    counts.set(base, count);
    const value = { ...DEFAULTS, ...members, [policy]: memberOf(members, policy) ?? {} };
    const id = name === undefined ? (count === 1 ? base : `${base}#${count}`) : `${base}@${name}`;
    return { id, index, policy, name, value, text: canonicalJson(value) };
  });
}

export interface AttachmentPair {
  readonly before: DiffAttachment | undefined;
  readonly after: DiffAttachment | undefined;
  /** Whether it stands at another place among those that stayed: they are asked in order. */
  readonly moved: boolean;
}

/**
 * Which attachment has become which: one that says the same first, then one of that name, then the next of its kind.
 * In the order they have now, with those that are gone at the end.
 */
export function pairAttachments(
  before: readonly DiffAttachment[],
  after: readonly DiffAttachment[],
): readonly AttachmentPair[] {
  const free = new Set(before);
  const pairs = new Map<DiffAttachment, DiffAttachment>();
  for (const isSame of [sameText, sameName, sameKind]) {
    for (const one of after) {
      if (pairs.has(one)) continue;
      const match = [...free].find((other) => isSame(one, other));
      if (match === undefined) continue;
      free.delete(match);
      pairs.set(one, match);
    }
  }
  const stayed = inOrder([...after].flatMap((one) => pairs.get(one)?.index ?? []));
  const now = after.map((one) => {
    const was = pairs.get(one);
    return { before: was, after: one, moved: was !== undefined && !stayed.has(was.index) };
  });
  return [...now, ...[...free].map((one) => ({ before: one, after: undefined, moved: false }))];
}

type Same = (one: DiffAttachment, other: DiffAttachment) => boolean;

const sameText: Same = (one, other) => one.text === other.text;
const sameName: Same = (one, other) =>
  one.policy === other.policy && one.name !== undefined && one.name === other.name;
/** Names that differ are two rules. */
const sameKind: Same = (one, other) =>
  one.policy === other.policy && (one.name === undefined || other.name === undefined);

/** The longest run of places that still follow each other: the fewest others have moved. */
function inOrder(places: readonly number[]): ReadonlySet<number> {
  let best: readonly number[] = [];
  const runs: (readonly number[])[] = [];
  for (const place of places) {
    const before = runs.filter((run) => (run.at(-1) ?? -1) < place);
    const longest = before.reduce<readonly number[]>(
      (one, other) => (other.length > one.length ? other : one),
      [],
    );
    const run = [...longest, place];
    runs.push(run);
    if (run.length > best.length) best = run;
  }
  return new Set(best);
}
