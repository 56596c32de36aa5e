import { networkInterfaces } from 'node:os';
import type { Clock, LiveUpdate, Logger, Meter, Network, Random } from '../../contract/index.ts';
import { type Cidr, formatCidr, parseCidr } from '../../lib/cidr.ts';
import type { Store } from '../../store/index.ts';
import { BanDesk } from './ban-desk.ts';
import { Bans } from './bans.ts';
import { createFeedReader } from './feed-reader.ts';
import { Feeds, type ListsInService, NO_LISTS } from './feeds.ts';
import { ListShelf } from './list-shelf.ts';
import { PolicyBans } from './policy-bans.ts';

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
  readonly update: (update: LiveUpdate, whole?: LiveUpdate) => Promise<void>;
}

const TICK_MS = 1000;

/** What decides about addresses without a revision: lists with their feeds, and bans. */
export class AddressControl {
  readonly feeds: Feeds;
  readonly bans: BanDesk;
  /** Those that policies impose in workers. */
  readonly policyBans: PolicyBans;
  readonly #ordered: Bans;
  readonly #update: AddressControlDeps['update'];
  #ownNetworks = '';
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
    const own = (): readonly Cidr[] => this.#own();
    this.#update = update;
    this.#ordered = new Bans({
      ...deps,
      publish: (bans) => update({ subject: 'bans', bans }),
      own,
      count: deps.meter.gauge('sallyport_bans'),
    });
    this.policyBans = new PolicyBans({
      ...deps,
      spread: update,
      own,
      count: deps.meter.gauge('sallyport_imposed_bans'),
      displaced: deps.meter.counter('sallyport_imposed_bans_displaced_total'),
      schedule: (work, delayMs) => void setTimeout(work, delayMs).unref(),
    });
    this.bans = new BanDesk(this.#ordered, this.policyBans);
  }

  /** Takes up the bans, and looks after both from now on. */
  async start(): Promise<void> {
    await this.#ordered.load();
    await this.policyBans.load();
    await this.#tellOwn();
    this.#timer = setInterval(() => {
      this.feeds.tick();
      void this.#ordered.tick();
      this.policyBans.tick();
      void this.#tellOwn();
    }, TICK_MS);
    this.#timer.unref();
  }

  /**
   * Takes up the bans that others have asked for or lifted, and those of policies that could not be read at the start.
   * Rejects with StoreError.
   */
  async refreshBans(): Promise<void> {
    await this.#ordered.refresh();
    await this.policyBans.loadLate();
  }

  /** The lists of the document in service. */
  follow(lists: ListsInService): void {
    this.#lists = lists;
    this.feeds.follow(lists);
    void this.#tellOwn();
  }

  /** Keeps what workers have told of bans until now. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.policyBans.flush();
  }

  /** Workers ban at once, and ask nobody: they know beforehand whom not. Addresses of this machine may change. */
  async #tellOwn(): Promise<void> {
    const networks = this.#own().map(formatCidr);
    const told = networks.join();
    if (told === this.#ownNetworks) return;
    this.#ownNetworks = told;
    await this.#update({ subject: 'own-networks', networks });
  }

  #own(): readonly Cidr[] {
    const { proxies, feeds } = this.#lists;
    return [...machineNetworks(), ...proxies, ...feeds.flatMap(({ protect }) => protect)];
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
