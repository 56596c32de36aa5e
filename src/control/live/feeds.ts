import { setTimeout as delay } from 'node:timers/promises';
import type { FeedPlan } from '../../config/index.ts';
import type { Gauge, ListContent, Meter, Random } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { type Cidr, formatCidr } from '../../lib/cidr.ts';
import type { NetworkSelection } from '../../lib/sorted-networks.ts';
import { finishInSlices } from '../../lib/steps.ts';
import type { HeldVersion } from '../../store/index.ts';
import { type Attempt, Feed, type FeedDeps, ListError } from './feed.ts';
import { FeedSchedule } from './feed-schedule.ts';

export interface FeedsDeps extends Omit<FeedDeps, 'onRefresh' | 'publish'> {
  readonly random: Random;
  readonly meter: Meter;
  /** Brings content to everybody who decides by it; undefined: as if it was never loaded. */
  readonly publish: (list: string, content: ListContent | undefined) => Promise<void>;
  /** Runs once after `delayMs`. */
  readonly schedule: (work: () => void, delayMs: number) => void;
  /** How long a new list is waited for before what names it is served. Default 5 s. */
  readonly firstLoadMs?: number;
}

/** The lists of a document, as the control side keeps them. */
export interface ListsInService {
  readonly feeds: readonly FeedPlan[];
  /** How many entries stand in the document itself, by the list's name; of every list that is declared. */
  readonly inline: Readonly<Record<string, number>>;
  /** Networks of the proxies that listeners trust. */
  readonly proxies: readonly Cidr[];
}

export const NO_LISTS: ListsInService = Object.freeze({ feeds: [], inline: {}, proxies: [] });

/** One list as people see it. Times are milliseconds since the epoch. */
export interface ListStatus {
  readonly name: string;
  /** Undefined for a list kept by hand alone. */
  readonly source: string | undefined;
  /** Of the source; undefined while nothing was ever loaded, or for a list kept by hand alone. */
  readonly entries: number | undefined;
  /** That stand in the document. */
  readonly inline: number;
  readonly version: string | undefined;
  readonly pinned: boolean;
  readonly stale: boolean;
  /** Whether the entries of the source were dropped for being stale. */
  readonly dropped: boolean;
  readonly refreshedAtMs: number | undefined;
  /** When a URL is asked next. */
  readonly nextRefreshMs: number | undefined;
  readonly held: HeldVersion | undefined;
  readonly lastAttempt: Attempt | undefined;
}

/** What one version has and another has not. */
export interface ListDiff {
  readonly from: string;
  readonly to: string;
  readonly added: Side;
  readonly removed: Side;
}
interface Side {
  readonly count: number;
  /** The first of them. */
  readonly networks: readonly string[];
}

/** Longer than any request is under way that may still ask. */
const FORGET_MS = 600_000;
const FIRST_LOAD_MS = 5_000;

interface Entry {
  readonly feed: Feed;
  readonly schedule: FeedSchedule;
}

/** Keeps the lists of the document in service fresh. `tick` is to be called about once a second. */
export class Feeds {
  readonly #deps: FeedsDeps;
  readonly #entries = new Map<string, Entry>();
  readonly #opening = new Map<string, Promise<Entry>>();
  #inline: Readonly<Record<string, number>> = {};

  constructor(deps: FeedsDeps) {
    this.#deps = deps;
  }

  /**
   * Loads what a document names that is about to be served: from the store, else from the source itself, for which a
   * moment is waited. A file that cannot be read, and was never read before, rejects with ConfigError where
   * `badFile` is `refuse`; else, as of a URL that does not answer, the list counts as never loaded until it can be.
   */
  async offer(plans: readonly FeedPlan[], badFile: 'refuse' | 'go-on' = 'refuse'): Promise<void> {
    const fresh = plans.filter(({ name }) => !this.#entries.has(name));
    await Promise.all(fresh.map((plan) => this.#introduce(plan, badFile)));
  }

  /** These lists are in service from now on, and no others. */
  follow({ feeds, inline }: Pick<ListsInService, 'feeds' | 'inline'>): void {
    this.#inline = inline;
    const plans = new Map(feeds.map((plan) => [plan.name, plan]));
    for (const [name, { feed, schedule }] of this.#entries) {
      const plan = plans.get(name);
      if (plan === undefined) this.#let(name, feed);
      else if (feed.follow(plan)) schedule.now();
    }
    for (const plan of feeds) {
      if (!this.#entries.has(plan.name)) void this.#open(plan).then(({ schedule }) => schedule.now());
    }
  }

  /** Looks at what is due. */
  tick(): void {
    for (const { feed, schedule } of this.#entries.values()) {
      void feed.tellIfStale();
      void schedule.tick();
    }
  }

  /** @throws ListError for a list without a source, or none at all */
  feed(name: string): Feed {
    return this.#entry(name).feed;
  }

  /** Asks the source now. @throws ListError */
  async refresh(name: string): Promise<Attempt> {
    return await this.#entry(name).schedule.run();
  }

  status(): readonly ListStatus[] {
    const names = new Set([...Object.keys(this.#inline), ...this.#entries.keys()]);
    return [...names].sort().map((name) => this.#statusOf(name));
  }

  /** `limit`: so many networks of each side are named. @throws ListError */
  async diff(name: string, from: string, to: string, limit: number): Promise<ListDiff> {
    const feed = this.feed(name);
    const [before, after] = [await feed.networks(from), await feed.networks(to)];
    const { added, removed } = await finishInSlices(before.differenceTo(after));
    return { from, to, added: sideOf(added, limit), removed: sideOf(removed, limit) };
  }

  /** Brings the metrics of lists up to date. */
  measure(): void {
    const nowMs = this.#deps.clock.now();
    for (const { name, entries = 0, inline, dropped, held, refreshedAtMs } of this.status()) {
      this.#gauge('sallyport_list_entries', name).set((dropped ? 0 : entries) + inline);
      this.#gauge('sallyport_list_held', name).set(held === undefined ? 0 : 1);
      if (refreshedAtMs !== undefined) {
        this.#gauge('sallyport_list_age_seconds', name).set((nowMs - refreshedAtMs) / 1000);
      }
    }
  }

  async #introduce(plan: FeedPlan, badFile: 'refuse' | 'go-on'): Promise<void> {
    const { feed, schedule } = await this.#open(plan);
    if (plan.source.kind === 'file') {
      const { outcome, detail } = await schedule.run();
      if (outcome !== 'failed' || feed.entries !== undefined || badFile === 'go-on') return;
      this.#let(plan.name, feed);
      // Only now: a start loads what compiles documents after its workers are on their way.
      const { formatPath } = await import('../../config/index.ts');
      throw new ConfigError([
        { path: formatPath(['lists', plan.name, 'source']), message: `${plan.shown}: ${detail}` },
      ]);
    }
    if (feed.entries !== undefined) return;
    const patience = delay(this.#deps.firstLoadMs ?? FIRST_LOAD_MS, undefined, { ref: false });
    await Promise.race([schedule.run(), patience]);
    if (feed.entries !== undefined) return;
    this.#deps.log.error('list-not-loaded', {
      list: plan.name,
      source: plan.shown,
      why: feed.lastAttempt?.detail,
    });
  }

  /** One feed of a name, whoever asks at the same time. */
  #open(plan: FeedPlan): Promise<Entry> {
    const known = this.#entries.get(plan.name);
    if (known !== undefined) return Promise.resolve(known);
    const opening = this.#opening.get(plan.name) ?? this.#openNew(plan);
    this.#opening.set(plan.name, opening);
    return opening;
  }

  async #openNew(plan: FeedPlan): Promise<Entry> {
    const { meter, reader, clock, random } = this.#deps;
    try {
      const feed = await Feed.open(plan, {
        ...this.#deps,
        onRefresh: (list, outcome) =>
          meter.counter('sallyport_list_refreshes_total', { list, outcome }).add(1),
      });
      const entry = { feed, schedule: new FeedSchedule(feed, { reader, clock, random }) };
      this.#entries.set(plan.name, entry);
      return entry;
    } finally {
      this.#opening.delete(plan.name);
    }
  }

  /** Requests under way may still ask: what it holds is taken away a good while later. */
  #let(name: string, feed: Feed): void {
    feed.close();
    this.#entries.delete(name);
    for (const metric of ['sallyport_list_entries', 'sallyport_list_held', 'sallyport_list_age_seconds']) {
      this.#gauge(metric, name).set(0);
    }
    this.#deps.schedule(() => {
      if (!this.#entries.has(name)) void this.#deps.publish(name, undefined);
    }, FORGET_MS);
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry !== undefined) return entry;
    const isKept = Object.hasOwn(this.#inline, name);
    throw new ListError(
      'not-found',
      isKept ? `The list "${name}" has no source: it stands in the document.` : `There is no list "${name}".`,
    );
  }

  #statusOf(name: string): ListStatus {
    const inline = Object.hasOwn(this.#inline, name) ? this.#inline[name] : 0;
    const entry = this.#entries.get(name);
    if (entry === undefined) return { ...NOTHING, name, inline };
    const { feed, schedule } = entry;
    const { current, pinned, refreshedAt, held } = feed.state;
    return {
      name,
      source: feed.plan.shown,
      entries: feed.entries,
      inline,
      version: current,
      pinned,
      stale: feed.isStale,
      dropped: feed.isDropped,
      refreshedAtMs: refreshedAt,
      nextRefreshMs: schedule.nextMs,
      held,
      lastAttempt: feed.lastAttempt,
    };
  }

  #gauge(metric: string, list: string): Gauge {
    return this.#deps.meter.gauge(metric, { list });
  }
}

const NOTHING = Object.freeze({
  source: undefined,
  entries: undefined,
  version: undefined,
  pinned: false,
  stale: false,
  dropped: false,
  refreshedAtMs: undefined,
  nextRefreshMs: undefined,
  held: undefined,
  lastAttempt: undefined,
});

const sideOf = (networks: NetworkSelection, limit: number): Side => ({
  count: networks.size,
  networks: Array.from({ length: Math.min(networks.size, limit) }, (_, i) => formatCidr(networks.at(i))),
});
