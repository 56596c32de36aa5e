import {
  type DocumentAttachment,
  type DocumentPath,
  type GatewayDocument,
  isObject,
  listOf,
  memberOf,
} from '../../config/index.ts';
import { type Cidr, holdsNetwork, parseCidr } from '../../lib/cidr.ts';
import { parseExpiry } from '../../lib/expiry.ts';
import { NetworkIndex } from './network-index.ts';

/** One entry of an `ip-list`: a network, or a term (`list:`, `country:`, `asn:`) that is compared as it is written. */
export interface AddressEntry {
  readonly path: DocumentPath;
  readonly text: string;
  /** Undefined for a term. */
  readonly network: Cidr | undefined;
  /** Infinity for one that stays. */
  readonly untilMs: number;
  /** The list of the document that it stands in; undefined for what the policy itself names. */
  readonly list: string | undefined;
}

type NetworkEntry = AddressEntry & { readonly network: Cidr };

/** `deny` or `allow` of an `ip-list`, without what has expired. */
export class AddressSide {
  readonly entries: readonly AddressEntry[];
  /** Whether it lists more than can be seen here: files, feeds, countries, systems. */
  readonly isOpen: boolean;
  readonly #networks: NetworkIndex<NetworkEntry>;
  readonly #terms: ReadonlyMap<string, AddressEntry>;

  constructor(entries: readonly AddressEntry[], isOpen: boolean) {
    this.entries = entries;
    this.isOpen = isOpen;
    this.#networks = new NetworkIndex(entries.filter(isNetwork));
    const terms = entries.filter((entry) => !isNetwork(entry)).reverse();
    this.#terms = new Map(terms.map((entry) => [entry.text, entry]));
  }

  /** Another entry that lists all that this one does, for as long. */
  holderOf(entry: AddressEntry): AddressEntry | undefined {
    const isHolder = (other: AddressEntry): boolean => other !== entry && other.untilMs >= entry.untilMs;
    if (isNetwork(entry)) return this.#networks.holderOf(entry.network, isHolder);
    const twin = this.#terms.get(entry.text);
    return twin !== undefined && isHolder(twin) ? twin : undefined;
  }

  /** Whether it may list some address that this network holds. */
  mayMeet({ network }: NetworkEntry): boolean {
    if (this.isOpen || this.#networks.holderOf(network) !== undefined) return true;
    return this.entries.some((other) => isNetwork(other) && holdsNetwork(network, other.network));
  }
}

export const isNetwork = (entry: AddressEntry): entry is NetworkEntry => entry.network !== undefined;

/** What an `ip-list` says; undefined for a side that it leaves out. */
export interface AddressRules {
  readonly attachment: DocumentAttachment;
  readonly deny: AddressSide | undefined;
  readonly allow: AddressSide | undefined;
}

/** What an attachment says, if it is an `ip-list`. */
export function addressRulesOf(
  attachment: DocumentAttachment,
  lists: NonNullable<GatewayDocument['lists']>,
  nowMs: number,
): AddressRules | undefined {
  if (attachment.definition.name !== 'ip-list') return undefined;
  return {
    attachment,
    deny: sideOf(attachment, 'deny', lists, nowMs),
    allow: sideOf(attachment, 'allow', lists, nowMs),
  };
}

function sideOf(
  { config, path }: DocumentAttachment,
  side: 'deny' | 'allow',
  lists: NonNullable<GatewayDocument['lists']>,
  nowMs: number,
): AddressSide | undefined {
  const written = memberOf(config, side);
  const hasFile = memberOf(config, `${side}File`) !== undefined;
  if (written === undefined && !hasFile) return undefined;
  const entries = listOf(written)
    .map((item, i) => entryOf(item, [...path, 'ip-list', side, i]))
    .filter(({ untilMs }) => untilMs >= nowMs);
  const isOpen = entries.some((entry) => !isNetwork(entry));
  return new AddressSide([...entries, ...inlineOf(entries, lists)], hasFile || isOpen);
}

/** What the lists that are named hold by hand: their feeds add to it. */
function inlineOf(
  entries: readonly AddressEntry[],
  lists: NonNullable<GatewayDocument['lists']>,
): readonly AddressEntry[] {
  return entries.flatMap(({ text, path, untilMs }) => {
    const name = /^list:(.*)$/.exec(text)?.[1];
    if (name === undefined || !Object.hasOwn(lists, name)) return [];
    const listed = (lists[name].entries ?? []).map((item) => entryOf(item, path));
    return listed.map((one) => ({
      ...one,
      text: `${one.text} of ${text}`,
      untilMs: Math.min(one.untilMs, untilMs),
      list: name,
    }));
  });
}

function entryOf(item: unknown, path: DocumentPath): AddressEntry {
  const text = String(isObject(item) ? item.network : item);
  const expires = isObject(item) ? item.expires : undefined;
  const network = parseCidr(text);
  return {
    path,
    text,
    network: 'fault' in network ? undefined : network,
    untilMs: typeof expires === 'string' ? (parseExpiry(expires) ?? 0) : Number.POSITIVE_INFINITY,
    list: undefined,
  };
}
