import { type DocumentAttachment, listOf } from '../../config/index.ts';
import { type Cidr, parseCidr } from '../../lib/cidr.ts';
import { type AclRules, coversBlock } from './acl-blocks.ts';
import { type AddressRules, type AddressSide, isNetwork } from './address-entries.ts';
import { alwaysBefore, isAlwaysEnforced, type LintContext, type LintPlace } from './context.ts';
import type { LintRule } from './finding.ts';

/** A wall: nobody gets past it, and what stands behind it is never asked. */
export const refusesEverybody: LintRule = {
  id: 'refuses-everybody',
  severity: 'warning',
  summary: 'A policy that lets nobody on, so that nothing behind it is ever asked',
  *check(c) {
    for (const place of c.places) {
      for (const [i, attachment] of place.attachments.entries()) {
        yield undefined;
        if (!isAlwaysEnforced(attachment)) continue;
        const why = reasonOf(c, place, attachment);
        if (why === undefined) continue;
        yield {
          path: [...attachment.path, attachment.definition.name],
          message: `${attachment.id} lets nobody on: ${why}${behind(c, place, i)}`,
          fix: 'let somebody on, or take the route out',
        };
        break;
      }
    }
  },
};

function behind(c: LintContext, place: LintPlace, at: number): string {
  const policies = place.attachments.slice(at + 1).filter(({ mode }) => mode !== 'off').length;
  const routes =
    place.kind === 'listener' ? c.routes.filter((r) => r.listeners.some((l) => l.path === place.path)) : [];
  const parts = [counted(policies, 'policy', 'policies'), counted(routes.length, 'route', 'routes')];
  const told = parts.filter((part) => part !== undefined);
  return told.length === 0
    ? ''
    : `; ${told.join(' and ')} behind it ${isOne(policies, routes.length)} never asked`;
}

const isOne = (policies: number, routes: number): string => (policies + routes === 1 ? 'is' : 'are');

const counted = (n: number, one: string, many: string): string | undefined =>
  n === 0 ? undefined : `${n} ${n === 1 ? one : many}`;

function reasonOf(c: LintContext, place: LintPlace, attachment: DocumentAttachment): string | undefined {
  const addresses = c.addressRules(attachment);
  if (addresses !== undefined) return ofAddresses(c, place, attachment, addresses);
  const acl = c.aclRules(attachment);
  return acl === undefined ? undefined : ofBlocks(acl);
}

/** All of IPv4 and all of IPv6. */
const EVERYWHERE: readonly Cidr[] = ['0.0.0.0/0', '::/0'].flatMap((text) => {
  const network = parseCidr(text);
  return 'fault' in network ? [] : [network];
});

const holdsAll = (side: AddressSide): boolean =>
  EVERYWHERE.every(
    (network) =>
      side.holderOf({ network, path: [], text: '', untilMs: Number.POSITIVE_INFINITY, list: undefined }) !==
      undefined,
  );

function ofAddresses(
  c: LintContext,
  place: LintPlace,
  attachment: DocumentAttachment,
  { deny, allow }: AddressRules,
): string | undefined {
  if (deny !== undefined && holdsAll(deny)) return 'every address is denied';
  if (allow === undefined || allow.isOpen) return undefined;
  if (allow.entries.length === 0) return 'everything it allowed has expired';
  if (deny !== undefined && allow.entries.every((entry) => deny.holderOf(entry) !== undefined))
    return 'whatever is allowed is denied as well';
  const before = alwaysBefore(place, attachment).map((list) => list.find((one) => isWallTo(allow, one, c)));
  if (before.length === 0 || before.includes(undefined)) return undefined;
  return `${before[0]?.id} before it lets on none of the addresses that are allowed here`;
}

/** Whether what one list allows is, all of it, denied or not allowed by another. */
function isWallTo(allow: AddressSide, attachment: DocumentAttachment, c: LintContext): boolean {
  const other = c.addressRules(attachment);
  return allow.entries.every(
    (entry) =>
      other?.deny?.holderOf(entry) !== undefined ||
      (isNetwork(entry) && other?.allow?.mayMeet(entry) === false),
  );
}

/** So many blocks are compared each with each. */
const MAX_BLOCKS = 200;

function ofBlocks({ allow, deny, everyone }: AclRules): string | undefined {
  if (allow.length > MAX_BLOCKS || deny.length > MAX_BLOCKS) return undefined;
  const all = deny.find(({ keys }) => Object.entries(keys).every(([key, value]) => isAnything(key, value)));
  if (all !== undefined) return `${all.rule} holds for every request`;
  if (everyone || allow.length === 0) return undefined;
  const isBeaten = allow.every((block) => deny.some((one) => coversBlock(one, block)));
  return isBeaten ? 'whatever is allowed is denied as well' : undefined;
}

function isAnything(key: string, value: unknown): boolean {
  const items = listOf(value);
  if (key === 'paths') return items.includes('/**');
  return key === 'addresses' && items.includes('0.0.0.0/0') && items.includes('::/0');
}
