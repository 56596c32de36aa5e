import type {
  Ban,
  BanList,
  BanSubject,
  ImposedBan,
  Imposition,
  ImpositionOutcome,
  LiveUpdate,
} from '../../contract/index.ts';
import { type Cidr, holdsNetwork, parseCidr } from '../../lib/cidr.ts';
import type { IpAddress } from '../../lib/ip-address.ts';
import { type TimedNetwork, TimedNetworks } from '../../lib/timed-networks.ts';
import { banKey, ImposedBans, imposedOf, networkTextOf } from './imposed-bans.ts';

export interface CurrentBansOptions {
  /** Told of each ban that a policy imposed here. */
  readonly report?: (ban: ImposedBan) => void;
  /** Addresses that no policy bans, beside the own networks that it is told of. */
  readonly protects?: (address: IpAddress) => boolean;
}

/** Twice what the control side keeps: reached only where that does not answer. */
const MAX_IMPOSED = 20_000;

/** The bans as they stand. Where one around an address is over, a wider one that still stands is found. */
export class CurrentBans implements BanList {
  #bans: readonly Ban[] = [];
  #networks: TimedNetworks | undefined = undefined;
  readonly #imposed = new ImposedBans();
  readonly #report: (ban: ImposedBan) => void;
  readonly #protects: (address: IpAddress) => boolean;
  #own: readonly Cidr[] = [];

  constructor({ report = () => {}, protects = () => false }: CurrentBansOptions = {}) {
    this.#report = report;
    this.#protects = protects;
  }

  /** A network that is banned twice is banned until the later time. A network that cannot be read throws. */
  replace(bans: readonly Ban[]): void {
    const longest = new Map<string, Ban>();
    for (const ban of bans) {
      const known = longest.get(ban.network);
      if (known === undefined || known.untilMs < ban.untilMs) longest.set(ban.network, ban);
    }
    const kept = [...longest.values()];
    const networks = kept.length === 0 ? undefined : new TimedNetworks(kept.map(timed));
    this.#bans = kept;
    this.#networks = networks;
  }

  /** What the control side says of bans that policies imposed. One imposed here since, of a later round, stays. */
  change({ whole, bans, forgotten }: Extract<LiveUpdate, { subject: 'imposed-bans' }>): void {
    if (whole) this.#imposed.clear();
    for (const key of forgotten) this.#imposed.delete(key);
    for (const ban of bans) {
      const known = this.#imposed.get(banKey(ban));
      const isLater = known !== undefined && known.round > ban.round && known.forgetMs > ban.sinceMs;
      if (!isLater) this.#imposed.put(ban);
    }
  }

  /** The operator's own networks. One that cannot be read throws. */
  protect(networks: readonly string[]): void {
    this.#own = networks.map((text) => readNetwork(text, 'a network of your own'));
  }

  find(address: IpAddress, nowMs: number): Pick<Ban, 'id' | 'network'> | undefined {
    const at = this.#networks === undefined ? -1 : this.#networks.lookup(address, nowMs);
    if (at !== -1) return this.#bans[at];
    const imposed = this.#imposed.around(address);
    return imposed !== undefined && imposed.untilMs > nowMs ? imposed : undefined;
  }

  findCaller(caller: string, nowMs: number): ImposedBan | undefined {
    const imposed = this.#imposed.ofCaller(caller);
    return imposed !== undefined && imposed.untilMs > nowMs ? imposed : undefined;
  }

  imposedOn(subject: BanSubject, shadow: boolean, nowMs: number): ImposedBan | undefined {
    const imposed = this.#imposed.of(subject, shadow);
    return imposed !== undefined && imposed.forgetMs > nowMs ? imposed : undefined;
  }

  impose(imposition: Imposition): ImpositionOutcome {
    const { address } = imposition;
    if (address !== undefined && this.isOwn(address)) return 'protected';
    const ban = imposedOf(imposition);
    const known = this.#imposed.get(banKey(ban));
    if (known !== undefined && known.round >= ban.round && known.forgetMs > ban.sinceMs) return 'known';
    if (known === undefined && this.#imposed.size >= MAX_IMPOSED) return 'full';
    this.#imposed.put(ban);
    this.#report(ban);
    return 'imposed';
  }

  /** Whether no policy may ban it: it is the operator's own, or protected otherwise. */
  isOwn(address: IpAddress): boolean {
    if (this.#protects(address)) return true;
    const network = readNetwork(networkTextOf(address), 'an address');
    return this.#own.some((own) => holdsNetwork(own, network) || holdsNetwork(network, own));
  }
}

function timed({ id, network: text, untilMs }: Ban): TimedNetwork {
  return { network: readNetwork(text, `the ban ${id}`), untilMs };
}

function readNetwork(text: string, what: string): Cidr {
  const network = parseCidr(text);
  if ('fault' in network) throw new TypeError(`${what} names no network`);
  return network;
}
