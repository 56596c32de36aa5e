import { DEFAULT_LIMITS, type DocumentAttachment, type DocumentPath } from '../../config/index.ts';
import { isAlwaysEnforced, type LintListener, type LintPlace } from './context.ts';
import type { Found, LintRule } from './finding.ts';
import {
  costOf,
  givesBack,
  isWithin,
  keyOf,
  type LimitShape,
  limitsOf,
  neverRefuses,
} from './limit-shapes.ts';

/** A limit that looks as if it protected something, and cannot. */
export const limitNeverTriggers: LintRule = {
  id: 'limit-never-triggers',
  severity: 'warning',
  summary: 'A limit that can never refuse anything',
  *check(c) {
    for (const { config, path } of c.listeners) yield* connections(config.limits ?? {}, [...path, 'limits']);
    for (const place of c.places) {
      yield undefined;
      yield* switchedOff(place.attachments);
      yield* beaten(place);
    }
  },
};

const LIMITERS: ReadonlySet<string> = new Set(['rate-limit', 'quota', 'adaptive-limit', 'concurrency']);

function* switchedOff(attachments: readonly DocumentAttachment[]): Generator<Found> {
  for (const { mode, definition, path, id } of attachments) {
    if (mode !== 'off' || !LIMITERS.has(definition.name)) continue;
    yield {
      path: [...path, 'mode'],
      severity: 'note',
      message: `${id} is off, and limits nothing`,
      fix: 'take it out, or try it in mode: shadow',
    };
  }
}

type ConnectionLimits = NonNullable<LintListener['config']['limits']>;

/** One client that may have as much as all together is held by the limit of all, and keeps everybody else out. */
function* connections(limits: ConnectionLimits, path: DocumentPath): Generator<Found> {
  const { connections: all, connectionsPerAddress: each } = { ...DEFAULT_LIMITS, ...limits };
  const isSaid = limits.connections !== undefined || limits.connectionsPerAddress !== undefined;
  if (isSaid && each >= all) {
    const key = limits.connectionsPerAddress === undefined ? 'connections' : 'connectionsPerAddress';
    const fallback = key === 'connections' ? `, which is ${each} by default,` : '';
    yield {
      path: [...path, key],
      message: `connectionsPerAddress${fallback} is never reached: all together may have ${all} connections`,
      fix: `set connectionsPerAddress below ${all}: one client could take all of them`,
    };
  }
  const { newConnections, newConnectionsPerAddress } = limits;
  if (newConnections === undefined || newConnectionsPerAddress === undefined) return;
  if (newConnectionsPerAddress < newConnections) return;
  yield {
    path: [...path, 'newConnectionsPerAddress'],
    message: `is never reached: all together may make ${newConnections} connections a second`,
    fix: `set it below ${newConnections}: one client could take all of them`,
  };
}

interface Counted {
  readonly shape: LimitShape;
  readonly key: string;
}

/** Of what comes before, only what always acts bounds what comes through. Of one that serves several, all must. */
function* beaten(place: LintPlace): Generator<Found> {
  if (!place.attachments.some(({ definition }) => LIMITERS.has(definition.name))) return;
  const chains = 'listeners' in place ? place.listeners.map((l) => l.attachments) : [[]];
  for (const attachment of place.attachments) {
    if (attachment.mode === 'off') continue;
    const own = place.attachments.slice(0, place.attachments.indexOf(attachment));
    const before = chains.map((chain) => countedOf([...chain, ...own], attachment));
    for (const [i, shape] of limitsOf(attachment).entries()) {
      const found = before.map(({ counted, key }) => finding({ shape, key }, counted, i));
      if (found.length > 0 && !found.includes(undefined))
        yield* found.slice(0, 1).filter((f) => f !== undefined);
    }
  }
}

/** The limits that bound what comes to an attachment: those before it, and its own others, which it asks at once. */
function countedOf(
  before: readonly DocumentAttachment[],
  attachment: DocumentAttachment,
): { readonly counted: readonly Counted[]; readonly key: string } {
  const counted: Counted[] = [];
  let hasIdentity = false;
  for (const earlier of before) {
    if (!isAlwaysEnforced(earlier)) continue;
    for (const shape of limitsOf(earlier)) counted.push({ shape, key: keyOf(shape, hasIdentity) });
    hasIdentity ||= earlier.authenticates;
  }
  const own = limitsOf(attachment).map((shape) => ({ shape, key: keyOf(shape, hasIdentity) }));
  return { counted: [...counted, ...own], key: own[0]?.key ?? '' };
}

function finding({ shape, key }: Counted, counted: readonly Counted[], at: number): Found | undefined {
  const bounds = counted.filter(
    ({ shape: other, key: wider }) =>
      other.path.join() !== shape.path.join() &&
      isWithin(key, wider) &&
      costOf(other) === costOf(shape) &&
      !givesBack(other),
  );
  const winner = bounds.find(({ shape: other }) => neverRefuses(shape, other) && isFirst(other, shape, at));
  if (winner === undefined) return undefined;
  const { attachment, text } = winner.shape;
  const where = attachment === shape.attachment ? 'its own limit of' : `${attachment.id} before it, with`;
  return {
    path: shape.path,
    message: `${shape.text} is never reached: ${where} ${text}, lets no more through`,
    fix: 'make it lower, or take it out',
  };
}

/** Of two limits of one attachment that are alike, one does refuse. */
const isFirst = (other: LimitShape, shape: LimitShape, at: number): boolean =>
  other.attachment !== shape.attachment ||
  !neverRefuses(other, shape) ||
  limitsOf(shape.attachment).findIndex(({ path }) => path.join() === other.path.join()) < at;
