import type { FeedPlan } from '../../config/index.ts';
import { type Cidr, formatCidr, holdsNetwork } from '../../lib/cidr.ts';
import { NetworkColumns } from '../../lib/cidr-boundaries.ts';
import { CidrSet } from '../../lib/cidr-set.ts';
import type { NetworkSelection, SortedNetworks } from '../../lib/sorted-networks.ts';
import { isTooWide, SPECIAL_NETWORKS } from '../../lib/special-networks.ts';
import type { Steps } from '../../lib/steps.ts';

/** A network that no list may shut out, and what to call it. */
interface Protected {
  readonly network: Cidr;
  readonly name: string;
}

/** What a refresh would do. */
export interface Judgement {
  /** Why a person is to look at it, in words; none: it may be taken. */
  readonly reasons: readonly string[];
  readonly added: number;
  readonly removed: number;
}

/** How many networks are told by name; the rest is told as a number. */
const MAX_TOLD = 10;

/**
 * Judges a refresh before it is taken. What the list held before is not judged again: a person has let it in.
 * `own` are addresses of this machine.
 */
export function* judgeRefresh(
  before: SortedNetworks | undefined,
  after: SortedNetworks,
  plan: Pick<FeedPlan, 'maxChange' | 'allowPrivate' | 'protect'>,
  own: readonly Cidr[],
): Steps<Judgement> {
  const { added, removed } =
    before === undefined ? { added: after, removed: { size: 0 } } : yield* before.differenceTo(after);
  const reasons: string[] = [];
  if (after.size === 0) reasons.push('it is empty');
  const change = changeReason(before, added.size, removed.size, plan.maxChange);
  if (change !== undefined) reasons.push(change);
  reasons.push(...(yield* protectedReasons(added, protectedBy(plan, own))));
  return { reasons, added: added.size, removed: removed.size };
}

function changeReason(
  before: SortedNetworks | undefined,
  added: number,
  removed: number,
  maxChange: number,
): string | undefined {
  if (before === undefined || before.size === 0) return undefined;
  const change = (added + removed) / before.size;
  if (change <= maxChange) return undefined;
  const percent = (share: number): string => `${Math.round(share * 1000) / 10} %`;
  return `it changes ${percent(change)} of ${before.size} entries (${added} added, ${removed} removed), more than ${percent(maxChange)}`;
}

function protectedBy(
  { allowPrivate, protect }: Pick<FeedPlan, 'allowPrivate' | 'protect'>,
  own: readonly Cidr[],
): readonly Protected[] {
  return [
    ...protect.map((network) => ({ network, name: 'protected' })),
    ...own.map((network) => ({ network, name: 'an address of this machine' })),
    ...(allowPrivate ? [] : SPECIAL_NETWORKS),
  ];
}

/** An added network touches a protected one that it is in, or that is in it. */
function* protectedReasons(added: NetworkSelection, all: readonly Protected[]): Steps<readonly string[]> {
  const guarded = CidrSet.from(all.map(({ network }, value) => ({ network, value })));
  const holders = { v4: new NetworkColumns(1), v6: new NetworkColumns(4) };
  const touching = new Map<number, string>();
  const wide: string[] = [];
  for (let i = 0; i < added.size; i++) {
    if (i % STEP === STEP - 1) yield;
    const network = added.at(i);
    if (isTooWide(network)) wide.push(formatCidr(network));
    else {
      const around = guarded.lookup(network);
      if (around !== -1 && holdsNetwork(all[around].network, network)) touching.set(i, all[around].name);
      // A single address holds no other network.
      const isV4 = network.family === 4;
      if (network.bits < (isV4 ? 32 : 128)) (isV4 ? holders.v4 : holders.v6).add(network, i);
    }
  }
  const set = yield* CidrSet.of(holders.v4, holders.v6);
  for (const { network, name } of all) {
    const at = set.lookup(network);
    if (at !== -1 && holdsNetwork(added.at(at), network)) touching.set(at, name);
  }
  const told = [...touching].map(([i, name]) => `${formatCidr(added.at(i))} (${name})`);
  return [...reason('it lists', told), ...reason('it lists what is wider than /8 (IPv6: /16):', wide)];
}

const STEP = 2048;

function reason(prefix: string, told: readonly string[]): string[] {
  if (told.length === 0) return [];
  const rest = told.length > MAX_TOLD ? ` and ${told.length - MAX_TOLD} more` : '';
  return [`${prefix} ${told.slice(0, MAX_TOLD).join(', ')}${rest}`];
}
