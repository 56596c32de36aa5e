import { networkInterfaces } from 'node:os';
import type { Clock, LiveUpdate, Logger, Meter, Network, Random } from '../../contract/index.ts';
import { type Cidr, parseCidr } from '../../lib/cidr.ts';
import type { Store } from '../../store/index.ts';
import { Bans } from './bans.ts';
import { createFeedReader } from './feed-reader.ts';
import { Feeds, type ListsInService, NO_LISTS } from './feeds.ts';
import { ListShelf } from './list-shelf.ts';

export interface AddressControlDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly meter: Meter;
  readonly network: Network;
  readonly store: () => Store | undefined;
  /** Folder that files of the document are relative to. */
  readonly folder: string;
  /** Of this program. */
  readonly version: string;
  /** Brings a change to every worker, and to whatever else decides by live data. */
  readonly update: (update: LiveUpdate) => Promise<void>;
}

const TICK_MS = 1000;

/** What decides about addresses without a revision: lists with their feeds, and bans. */
export class AddressControl {
  readonly feeds: Feeds;
  readonly bans: Bans;
  #lists = NO_LISTS;
  #timer: NodeJS.Timeout | undefined;

  constructor({ network, folder, version, update, ...deps }: AddressControlDeps) {
    this.feeds = new Feeds({
      ...deps,
      reader: createFeedReader({ network, folder, version }),
      shelf: new ListShelf(deps),
      own: machineNetworks,
      publish: (name, content) => update({ subject: 'list', name, content }),
      schedule: (work, delayMs) => void setTimeout(work, delayMs).unref(),
    });
    this.bans = new Bans({
      ...deps,
      publish: (bans) => update({ subject: 'bans', bans }),
      own: () => [...machineNetworks(), ...this.#protected()],
      count: deps.meter.gauge('sallyport_bans'),
    });
  }

  /** Takes up the bans, and looks after both from now on. */
  async start(): Promise<void> {
    await this.bans.load();
    this.#timer = setInterval(() => {
      this.feeds.tick();
      void this.bans.tick();
    }, TICK_MS);
    this.#timer.unref();
  }

  /** The lists of the document in service. */
  follow(lists: ListsInService): void {
    this.#lists = lists;
    this.feeds.follow(lists);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #protected(): readonly Cidr[] {
    return [...this.#lists.proxies, ...this.#lists.feeds.flatMap(({ protect }) => protect)];
  }
}

/** Addresses of this machine on its networks. Loopback and link-local ones are nobody's own. */
function machineNetworks(): readonly Cidr[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) =>
    addresses.flatMap(({ address, internal }) => {
      const network = internal ? undefined : parseCidr(address);
      return network === undefined || 'fault' in network ? [] : [network];
    }),
  );
}
