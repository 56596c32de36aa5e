import type { BanSubject, ImposedBan, ImposedNetworkBan, Imposition } from '../../contract/index.ts';
import { formatCidr, networkOf, parseCidr } from '../../lib/cidr.ts';
import { type AddressWords, parseIpAddress } from '../../lib/ip-address.ts';

/** One subscriber commonly holds a whole /64; nothing wider is ever banned by a policy. */
const SUBSCRIBER_BITS = 64;

/** Whom a ban is of, as the text that shows and names it: a network, or a caller. */
export const bannedText = (ban: ImposedBan): string => ban.network ?? ban.caller;

/** Names the one place that bans of a subject share. */
export const banKey = (ban: ImposedBan): string => placeOf(bannedText(ban), ban.shadow);

/** What is asked for, as it is kept and told to others. */
export function imposedOf(imposition: Imposition): ImposedBan {
  const { address, caller, ...terms } = imposition;
  return address === undefined ? { ...terms, caller } : { ...terms, network: networkTextOf(address) };
}

/** The network that a policy bans of an address. */
export const networkTextOf = (address: AddressWords): string => formatCidr(networkAround(address));

const networkAround = (address: AddressWords) =>
  networkOf(address, address.family === 4 ? 32 : SUBSCRIBER_BITS);

const placeOf = (text: string, shadow: boolean): string => `${shadow ? 'shadow' : 'enforce'} ${text}`;

/**
 * Bans of policies, each looked up by what it is of: made to change by one at a time, since who attacks chooses how many
 * there are. One of an earlier round never takes the place of a later one.
 */
export class ImposedBans {
  readonly #all = new Map<string, ImposedBan>();
  /** Those in force, for the way of every request. */
  readonly #v4 = new Map<number, ImposedNetworkBan>();
  readonly #v6 = new Map<string, ImposedNetworkBan>();
  readonly #callers = new Map<string, ImposedBan>();

  get size(): number {
    return this.#all.size;
  }

  values(): Iterable<ImposedBan> {
    return this.#all.values();
  }

  get(key: string): ImposedBan | undefined {
    return this.#all.get(key);
  }

  of(subject: BanSubject, shadow: boolean): ImposedBan | undefined {
    if (this.#all.size === 0) return undefined;
    const { address, caller } = subject;
    return this.#all.get(placeOf(address === undefined ? caller : networkTextOf(address), shadow));
  }

  ofCaller(caller: string): ImposedBan | undefined {
    return this.#callers.size === 0 ? undefined : this.#callers.get(caller);
  }

  around(address: AddressWords): ImposedNetworkBan | undefined {
    if (address.family === 4) return this.#v4.size === 0 ? undefined : this.#v4.get(address.d);
    return this.#v6.size === 0 ? undefined : this.#v6.get(prefixOf(address));
  }

  /** Throws, and keeps nothing, where it is of a network that is no subscriber's. */
  put(ban: ImposedBan): void {
    if (!ban.shadow) {
      if (ban.network === undefined) this.#callers.set(ban.caller, ban);
      else this.#index(ban);
    }
    this.#all.set(banKey(ban), ban);
  }

  delete(key: string): void {
    const ban = this.#all.get(key);
    if (ban === undefined) return;
    this.#all.delete(key);
    if (ban.shadow) return;
    if (ban.network === undefined) {
      this.#callers.delete(ban.caller);
      return;
    }
    const words = wordsOf(ban.network);
    if (words.family === 4) this.#v4.delete(words.d);
    else this.#v6.delete(prefixOf(words));
  }

  clear(): void {
    this.#all.clear();
    this.#v4.clear();
    this.#v6.clear();
    this.#callers.clear();
  }

  #index(ban: ImposedNetworkBan): void {
    const words = wordsOf(ban.network);
    if (words.family === 4) this.#v4.set(words.d, ban);
    else this.#v6.set(prefixOf(words), ban);
  }
}

const prefixOf = ({ a, b }: AddressWords): string => `${a} ${b}`;

/** Throws where it is no network of one subscriber: such a one would ban others, or nobody. */
function wordsOf(network: string): AddressWords {
  const parsed = parseCidr(network);
  const isOne = !('fault' in parsed) && parsed.bits === (parsed.family === 4 ? 32 : SUBSCRIBER_BITS);
  if (!isOne) throw new TypeError(`${network} is no address and no /64`);
  return parsed;
}

/** The address and /64 of a text that an operator wrote, as bans have it; undefined for anything else. */
export function bannedNetwork(text: string): string | undefined {
  const address = parseIpAddress(text);
  if (address !== undefined) return networkTextOf(address);
  const network = parseCidr(text);
  return 'fault' in network ? undefined : formatCidr(network);
}
