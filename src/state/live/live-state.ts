import type {
  AddressList,
  AddressLists,
  Ban,
  BanList,
  LiveConsumers,
  LiveData,
  LiveUpdate,
  Revocations,
} from '../../contract/index.ts';
import { parseCidr } from '../../lib/cidr.ts';
import { type CidrEntry, CidrSet } from '../../lib/cidr-set.ts';
import type { AddressWords, IpAddress } from '../../lib/ip-address.ts';

const NOBODY: LiveConsumers = Object.freeze({ find: () => undefined, consumer: () => undefined });

/** Live data as one thread sees it. Each update replaces all there is of its subject, at once. */
export class LiveState implements LiveData {
  readonly consumers: LiveConsumers;
  readonly bans = new CurrentBans();
  readonly lists = new CurrentLists();
  readonly revocations = new CurrentRevocations();

  /** `consumers`: those of the store, where there are any. */
  constructor(consumers: LiveConsumers = NOBODY) {
    this.consumers = consumers;
  }

  apply(update: LiveUpdate): void {
    if (update.subject === 'bans') this.bans.replace(update.bans);
    else if (update.subject === 'list')
      this.lists.list(update.name).replace(update.version, CidrSet.shared(update.networks));
    else this.revocations.replace(update);
  }
}

class CurrentBans implements BanList {
  #bans: readonly Ban[] = [];
  #set: CidrSet | undefined = undefined;

  /** A network that is banned twice is banned until the later time. A network that cannot be read throws. */
  replace(bans: readonly Ban[]): void {
    const longest = [...bans].sort((a, b) => b.untilMs - a.untilMs);
    const entries = longest.map((ban, value): CidrEntry => {
      const network = parseCidr(ban.network);
      if ('fault' in network) throw new TypeError(`the ban ${ban.id} names no network`);
      return { network, value };
    });
    this.#bans = longest;
    this.#set = entries.length === 0 ? undefined : CidrSet.from(entries);
  }

  find(address: IpAddress, nowMs: number): Ban | undefined {
    if (this.#set === undefined) return undefined;
    const at = this.#set.lookup(address);
    if (at === -1) return undefined;
    if (this.#bans[at].untilMs > nowMs) return this.#bans[at];
    // The narrowest ban is over; a wider one around it may still stand.
    return this.#bans.find((ban) => ban.untilMs > nowMs && holds(ban.network, address));
  }
}

function holds(text: string, address: IpAddress): boolean {
  const network = parseCidr(text);
  return !('fault' in network) && CidrSet.from([{ network, value: 0 }]).lookup(address) === 0;
}

class CurrentLists implements AddressLists {
  readonly #lists = new Map<string, CurrentList>();

  list(name: string): CurrentList {
    let list = this.#lists.get(name);
    if (list === undefined) {
      list = new CurrentList(name);
      this.#lists.set(name, list);
    }
    return list;
  }
}

class CurrentList implements AddressList {
  readonly #name: string;
  #set: CidrSet | undefined = undefined;
  version: string | undefined = undefined;

  constructor(name: string) {
    this.#name = name;
  }

  replace(version: string, set: CidrSet): void {
    this.#set = set;
    this.version = version;
  }

  lookup(address: AddressWords): number {
    if (this.#set === undefined) throw new Error(`the list "${this.#name}" was never loaded`);
    return this.#set.lookup(address);
  }
}

class CurrentRevocations implements Revocations {
  #credentials: ReadonlySet<string> = new Set();
  #consumers: ReadonlySet<string> = new Set();
  #tokens: ReadonlySet<string> = new Set();
  version = 0;

  replace(update: Extract<LiveUpdate, { subject: 'revocations' }>): void {
    this.#credentials = new Set(update.credentials);
    this.#consumers = new Set(update.consumers);
    this.#tokens = new Set(update.tokens.map(([issuer, id]) => tokenKey(issuer, id)));
    this.version++;
  }

  hasCredential(id: string): boolean {
    return this.#credentials.has(id);
  }

  hasConsumer(name: string): boolean {
    return this.#consumers.has(name);
  }

  hasToken(issuer: string, id: string): boolean {
    return this.#tokens.size > 0 && this.#tokens.has(tokenKey(issuer, id));
  }
}

/** Unambiguous: JSON knows where a text ends. */
const tokenKey = (issuer: string, id: string): string => JSON.stringify([issuer, id]);
