import type { DocumentAttachment } from '../../config/index.ts';
import { type AclBlock, coversBlock } from './acl-blocks.ts';
import { type AddressEntry, isNetwork } from './address-entries.ts';
import { alwaysBefore, type LintContext, type LintPlace } from './context.ts';
import { ofEachAttachment } from './each-attachment.ts';
import type { Found, LintRule } from './finding.ts';

/** What is allowed in one place and denied in another, so that the allowance does nothing. */
export const contradictoryList: LintRule = {
  id: 'contradictory-list',
  severity: 'warning',
  summary: 'Something that is allowed, and denied as well',
  check: ofEachAttachment(function* (c, place, attachment) {
    yield* ofAddresses(c, place, attachment);
    yield* ofBlocks(c, place, attachment);
  }),
};

const FIX = 'take it out of allow, or make the denial narrower: deny wins';

function* ofAddresses(c: LintContext, place: LintPlace, attachment: DocumentAttachment): Generator<Found> {
  const rules = c.addressRules(attachment);
  if (rules?.allow === undefined) return;
  const before = alwaysBefore(place, attachment);
  for (const entry of rules.allow.entries) {
    if (entry.list !== undefined) continue;
    const own = rules.deny?.holderOf(entry);
    if (own !== undefined) {
      yield { path: entry.path, message: `${entry.text} is allowed, and denied by ${nameOf(own)}`, fix: FIX };
      continue;
    }
    const earlier = before.map((list) => deniedBy(c, list, entry) ?? notAllowedBy(c, list, entry));
    if (earlier.length === 0 || earlier.includes(undefined)) continue;
    yield { path: entry.path, message: `${entry.text} is allowed here, and ${earlier[0]}`, fix: FIX };
  }
}

const nameOf = ({ text, path }: AddressEntry): string => `deny[${String(path.at(-1))}] (${text})`;

function deniedBy(
  c: LintContext,
  list: readonly DocumentAttachment[],
  entry: AddressEntry,
): string | undefined {
  for (const earlier of list) {
    const holder = c.addressRules(earlier)?.deny?.holderOf(entry);
    if (holder !== undefined) return `denied before by ${earlier.id} (${holder.text})`;
  }
  return undefined;
}

function notAllowedBy(
  c: LintContext,
  list: readonly DocumentAttachment[],
  entry: AddressEntry,
): string | undefined {
  if (!isNetwork(entry)) return undefined;
  const earlier = list.find((a) => c.addressRules(a)?.allow?.mayMeet(entry) === false);
  return earlier === undefined ? undefined : `${earlier.id} before it does not let it on`;
}

/** So many blocks are compared each with each. */
const MAX_BLOCKS = 200;

function* ofBlocks(c: LintContext, place: LintPlace, attachment: DocumentAttachment): Generator<Found> {
  const rules = c.aclRules(attachment);
  if (rules === undefined || rules.allow.length > MAX_BLOCKS || rules.deny.length > MAX_BLOCKS) return;
  const before = alwaysBefore(place, attachment);
  for (const block of rules.allow) {
    const own = rules.deny.find((deny) => coversBlock(deny, block));
    if (own !== undefined) {
      const message = `everything ${block.rule} lets on is refused by ${own.rule}`;
      yield { path: block.path, message, fix: FIX };
      continue;
    }
    const earlier = before.map((list) => list.find((a) => denies(c, a, block)));
    if (earlier.length === 0 || earlier.includes(undefined)) continue;
    const message = `everything ${block.rule} lets on is refused before by ${earlier[0]?.id}`;
    yield { path: block.path, message, fix: FIX };
  }
}

function denies(c: LintContext, earlier: DocumentAttachment, block: AclBlock): boolean {
  const deny = c.aclRules(earlier)?.deny ?? [];
  return deny.length <= MAX_BLOCKS && deny.some((one) => coversBlock(one, block));
}
