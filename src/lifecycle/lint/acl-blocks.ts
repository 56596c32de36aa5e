import {
  type DocumentAttachment,
  type DocumentPath,
  isObject,
  listOf,
  memberOf,
  textOf,
} from '../../config/index.ts';
import { canonicalJson } from '../../lib/canonical-json.ts';
import { holdsNetwork, parseCidr } from '../../lib/cidr.ts';
import { type PathPattern, parsePathPattern } from '../../lib/path-trie.ts';

/** A block of an `acl`: keys are ANDed, the values of a key ORed. */
export interface AclBlock {
  readonly path: DocumentPath;
  /** As the record names it, e.g. `deny[2]`. */
  readonly rule: string;
  readonly keys: Readonly<Record<string, unknown>>;
}

/** What an `acl` says. `everyone`: `allow` lets on all that `deny` does not name. */
export interface AclRules {
  readonly attachment: DocumentAttachment;
  readonly allow: readonly AclBlock[];
  readonly deny: readonly AclBlock[];
  readonly everyone: boolean;
}

/** What an attachment says, if it is an `acl`. */
export function aclRulesOf(attachment: DocumentAttachment): AclRules | undefined {
  if (attachment.definition.name !== 'acl') return undefined;
  return {
    attachment,
    allow: blocksOf(attachment, 'allow'),
    deny: blocksOf(attachment, 'deny'),
    everyone: memberOf(attachment.config, 'allow') === 'everyone',
  };
}

function blocksOf({ config, path }: DocumentAttachment, side: 'allow' | 'deny'): readonly AclBlock[] {
  const written = memberOf(config, side);
  if (isObject(written)) return [{ path: [...path, 'acl', side], rule: side, keys: written }];
  return listOf(written).flatMap((keys, i) =>
    isObject(keys) ? [{ path: [...path, 'acl', side, i], rule: `${side}[${i}]`, keys }] : [],
  );
}

/** Whether every request that `inner` holds for is one that `outer` holds for. Where that cannot be seen, it is not said. */
export function coversBlock(outer: AclBlock, inner: AclBlock): boolean {
  return Object.entries(outer.keys).every(([key, value]) => {
    return COVERS[key]?.(value, inner.keys, key) ?? false;
  });
}

type Covers = (value: unknown, inner: AclBlock['keys'], key: string) => boolean;

const texts = (value: unknown): readonly string[] => listOf(value).flatMap((item) => textOf(item) ?? []);

/** One of these: the other asks for one of fewer, or for all of several of which one is among these. */
const oneOf =
  (all?: string): Covers =>
  (value, inner, key) => {
    const mine = new Set(texts(value));
    const own = texts(inner[key]);
    if (own.length > 0 && own.every((text) => mine.has(text))) return true;
    return all !== undefined && texts(inner[all]).some((text) => mine.has(text));
  };

const allOf: Covers = (value, inner, key) => {
  const own = new Set(texts(inner[key]));
  return texts(value).every((text) => own.has(text));
};

const isSame: Covers = (value, inner, key) =>
  inner[key] !== undefined && canonicalJson(value) === canonicalJson(inner[key]);

const COVERS: Readonly<Record<string, Covers>> = Object.freeze({
  consumers: oneOf(),
  groups: oneOf('allGroups'),
  scopes: oneOf('allScopes'),
  allGroups: allOf,
  allScopes: allOf,
  methods: oneOf(),
  claims: (value, inner) =>
    isObject(value) &&
    Object.entries(value).every(([name, values]) => {
      const own = listOf(memberOf(inner.claims, name));
      return own.length > 0 && own.every((one) => listOf(values).includes(one));
    }),
  paths: everyIn((outer, inner) => coversPath(outer, inner)),
  addresses: everyIn((outer, inner) => {
    if (outer === inner) return true;
    const [one, other] = [parseCidr(outer), parseCidr(inner)];
    return !('fault' in one) && !('fault' in other) && holdsNetwork(one, other);
  }),
  times: isSame,
  when: isSame,
});

/** So many values are compared each with each. */
const MAX_COMPARED = 200;

function everyIn(covers: (outer: string, inner: string) => boolean): Covers {
  return (value, inner, key) => {
    const [mine, own] = [texts(value), texts(inner[key])];
    if (own.length === 0 || mine.length > MAX_COMPARED || own.length > MAX_COMPARED) return false;
    return own.every((text) => mine.some((one) => covers(one, text)));
  };
}

/** Whether a path pattern matches every path that another does. */
export function coversPath(outer: string, inner: string): boolean {
  const [one, other] = [parsePathPattern(outer), parsePathPattern(inner)];
  if (typeof one === 'string' || typeof other === 'string') return false;
  const fits = one.segments.every(
    (segment, i) => i < other.segments.length && holds(segment, other.segments[i]),
  );
  if (!fits) return false;
  return one.rest || (!other.rest && one.segments.length === other.segments.length);
}

const holds = (outer: string | undefined, inner: string | undefined): boolean =>
  outer === undefined ? inner !== '' : outer === inner;

/** Whether some path matches both patterns. */
export function pathsMeet(one: string, other: string): boolean {
  const [a, b] = [parsePathPattern(one), parsePathPattern(other)];
  if (typeof a === 'string' || typeof b === 'string') return true;
  const common = Math.min(a.segments.length, b.segments.length);
  for (let i = 0; i < common; i++) if (!meet(a.segments[i], b.segments[i])) return false;
  return goesOn(a, b) && goesOn(b, a);
}

/** Whether a pattern takes what the other has more. */
const goesOn = (one: PathPattern, other: PathPattern): boolean =>
  one.rest || other.segments.length <= one.segments.length;

const meet = (one: string | undefined, other: string | undefined): boolean =>
  one === undefined ? other !== '' : other === undefined ? one !== '' : one === other;
