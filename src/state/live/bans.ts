import type { Ban, BanList } from '../../contract/index.ts';
import { parseCidr } from '../../lib/cidr.ts';
import type { IpAddress } from '../../lib/ip-address.ts';
import { type TimedNetwork, TimedNetworks } from '../../lib/timed-networks.ts';

/** The bans as they stand. Where one around an address is over, a wider one that still stands is found. */
export class CurrentBans implements BanList {
  #bans: readonly Ban[] = [];
  #networks: TimedNetworks | undefined = undefined;

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

  find(address: IpAddress, nowMs: number): Ban | undefined {
    if (this.#networks === undefined) return undefined;
    const at = this.#networks.lookup(address, nowMs);
    return at === -1 ? undefined : this.#bans[at];
  }
}

function timed({ id, network: text, untilMs }: Ban): TimedNetwork {
  const network = parseCidr(text);
  if ('fault' in network) throw new TypeError(`the ban ${id} names no network`);
  return { network, untilMs };
}
