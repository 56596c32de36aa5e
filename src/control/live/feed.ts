import { createHash } from 'node:crypto';
import type { FeedPlan } from '../../config/index.ts';
import type { Clock, ListContent, Logger } from '../../contract/index.ts';
import type { Cidr } from '../../lib/cidr.ts';
import { type FeedFault, readFeed } from '../../lib/network-feed/index.ts';
import { SortedNetworks } from '../../lib/sorted-networks.ts';
import { finishInSlices } from '../../lib/steps.ts';
import type { HeldVersion, ListState } from '../../store/index.ts';
import { judgeRefresh } from './feed-guard.ts';
import { type FeedMark, type FeedRead, type FeedReader, NO_MARK } from './feed-reader.ts';
import { type ListShelf, versionOf } from './list-shelf.ts';

/**
 * What became of a refresh.
 * - `applied`, `unchanged`: the list is what its source says
 * - `held`: a person is to look at it
 * - `rejected`: the source still says what a person has turned down
 * - `failed`: the source could not be read, or not understood
 * - `pinned`: the source was not asked, since a person chose a version
 */
export type RefreshOutcome = 'applied' | 'unchanged' | 'held' | 'rejected' | 'failed' | 'pinned';

export interface Attempt {
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  readonly outcome: RefreshOutcome;
  /** Why, or what came of it, in words. */
  readonly detail: string;
}

export interface FeedDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly reader: FeedReader;
  readonly shelf: ListShelf;
  /** Addresses of this machine. */
  readonly own: () => readonly Cidr[];
  /** Brings content to everybody who decides by it. */
  readonly publish: (list: string, content: ListContent) => Promise<void>;
  /** Told of every refresh. */
  readonly onRefresh: (list: string, outcome: RefreshOutcome) => void;
}

/** A person asked for what is not there (`not-found`), or not so any more (`conflict`). */
export class ListError extends Error {
  override readonly name = 'ListError';
  readonly code: 'not-found' | 'conflict';

  constructor(code: 'not-found' | 'conflict', message: string) {
    super(message);
    this.code = code;
  }
}

/** What a source has. */
interface Offer {
  readonly version: string;
  readonly networks: SortedNetworks;
  readonly mark: FeedMark;
}

const SYSTEM = 'system';

/** One list and its source: what it holds, what waits for a person, and what was the matter last. Steps are taken in turn. */
export class Feed {
  readonly #deps: FeedDeps;
  #plan: FeedPlan;
  #state: ListState;
  #current: SortedNetworks | undefined;
  #attempt: Attempt | undefined = undefined;
  /** Refreshes that failed one after the other. */
  #failures = 0;
  /** Whether it was told that the list is stale. */
  #isStaleTold = false;
  #isClosed = false;
  /** What waits for a person, whether a store took it or not. */
  readonly #unstored = new Map<string, SortedNetworks>();
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(plan: FeedPlan, state: ListState, current: SortedNetworks | undefined, deps: FeedDeps) {
    this.#plan = plan;
    this.#state = state;
    this.#current = current;
    this.#deps = deps;
  }

  /** Takes up the list where it stood, with its last good content. The source is not asked yet. */
  static async open(plan: FeedPlan, deps: FeedDeps): Promise<Feed> {
    const state = (await deps.shelf.state(plan.name)) ?? newState(plan.name);
    const { current } = state;
    const networks = current === undefined ? undefined : await deps.shelf.networks(plan.name, current);
    const known = networks === undefined ? { ...state, current: undefined, pinned: false } : state;
    const feed = new Feed(plan, known, networks, deps);
    if (networks === undefined || known.current === undefined) return feed;
    if (feed.isStale && plan.onStale === 'drop' && !known.pinned) await feed.tellIfStale();
    else await feed.#publish(known.current, networks);
    return feed;
  }

  get plan(): FeedPlan {
    return this.#plan;
  }

  get state(): ListState {
    return this.#state;
  }

  /** Of what it holds; undefined while nothing was ever loaded. */
  get entries(): number | undefined {
    return this.#current?.size;
  }

  get lastAttempt(): Attempt | undefined {
    return this.#attempt;
  }

  get failures(): number {
    return this.#failures;
  }

  get isStale(): boolean {
    const { refreshedAt } = this.#state;
    return refreshedAt !== undefined && this.#deps.clock.now() - refreshedAt > this.#plan.staleAfterMs;
  }

  /** Whether its entries were dropped for being stale. */
  get isDropped(): boolean {
    return this.#isStaleTold && this.#plan.onStale === 'drop';
  }

  /** True: the source is to be asked at once, since it is another, or what waits may be taken by other settings. */
  follow(plan: FeedPlan): boolean {
    const isOther =
      sourceKey(plan) !== sourceKey(this.#plan) ||
      (this.#state.held !== undefined && guardKey(plan) !== guardKey(this.#plan));
    if (plan.onStale !== this.#plan.onStale) this.#isStaleTold = false;
    this.#plan = plan;
    return isOther;
  }

  /** Nothing is published any more. */
  close(): void {
    this.#isClosed = true;
  }

  /** Asks the source; one refresh at a time. Never rejects. */
  async refresh(): Promise<Attempt> {
    try {
      return await this.#refresh();
    } catch (error) {
      this.#deps.log.error('list-refresh-defect', { list: this.#plan.name, error });
      return this.#failed('an unexpected error');
    }
  }

  /** Takes the version that waits. @throws ListError */
  approve(version: string, actor: string): Promise<void> {
    return this.#inTurn(async () => {
      const { held } = this.#state;
      if (held?.version !== version)
        throw new ListError('conflict', 'That version does not wait for approval.');
      const networks = await this.#stored(version);
      this.#state = { ...this.#state, pinned: false, refreshedAt: held.at };
      await this.#apply(version, networks);
      await this.#told('list.approve', version, actor);
    });
  }

  /** Turns the version down that waits: it is not offered again. @throws ListError */
  reject(version: string, actor: string): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#state.held?.version !== version) {
        throw new ListError('conflict', 'That version does not wait for approval.');
      }
      await this.#keep({ held: undefined, rejected: version });
      await this.#told('list.reject', version, actor);
    });
  }

  /** Goes back (or on) to a version and stays there until `release`. @throws ListError */
  rollBack(version: string, actor: string, reason: string): Promise<void> {
    return this.#inTurn(async () => {
      const networks = await this.#stored(version);
      this.#state = { ...this.#state, pinned: true };
      await this.#apply(version, networks);
      await this.#told('list.rollback', version, actor, reason);
    });
  }

  /** Follows the source again. @throws ListError */
  release(actor: string): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#state.pinned) throw new ListError('conflict', 'The list is not pinned to a version.');
      await this.#keep({ pinned: false });
      await this.#told('list.release', this.#state.current ?? '', actor);
    });
  }

  /** The content of a version. @throws ListError */
  networks(version: string): Promise<SortedNetworks> {
    return this.#stored(version);
  }

  /** A file that is as it was read is as good as read again. */
  noteUnchanged(): void {
    const { outcome } = this.#attempt ?? {};
    if (outcome !== 'applied' && outcome !== 'unchanged') return;
    this.#state = { ...this.#state, refreshedAt: this.#deps.clock.now() };
  }

  /** Tells once of a list that has become stale, and drops its entries where that was asked for. */
  async tellIfStale(): Promise<void> {
    if (this.#isStaleTold || this.#state.pinned || this.#current === undefined || !this.isStale) return;
    this.#isStaleTold = true;
    const { name: list, onStale } = this.#plan;
    this.#deps.log.error('list-stale', { list, onStale, refreshedAt: this.#state.refreshedAt });
    if (onStale === 'drop')
      await this.#inTurn(() => this.#publish(versionOf(SortedNetworks.EMPTY), SortedNetworks.EMPTY));
  }

  /** What a person does meanwhile waits for no source, which may take its time. */
  async #refresh(): Promise<Attempt> {
    const plan = this.#plan;
    if (this.#state.pinned) return this.#pinned();
    const mark = this.#knownMark();
    const read = await this.#deps.reader.read(plan, mark);
    if (read.kind === 'failed') return this.#failed(read.reason);
    const offer = read.kind === 'same' ? await this.#sameAsBefore(mark) : await this.#understood(read, plan);
    if (offer === undefined) {
      await this.#inTurn(() => this.#keep({ fetched: undefined, etag: undefined, lastModified: undefined }));
      return await this.#refresh();
    }
    if ('fault' in offer) return this.#failed(offer.message);
    return await this.#inTurn(async () => {
      if (sourceKey(plan) !== sourceKey(this.#plan))
        return this.#failed('its source became another meanwhile');
      return this.#state.pinned ? this.#pinned() : await this.#offered(offer);
    });
  }

  #pinned(): Attempt {
    return this.#end('pinned', 'it stays at the version that a person chose');
  }

  async #understood(
    read: Extract<FeedRead, { kind: 'content' }>,
    plan: FeedPlan,
  ): Promise<Offer | FeedFault> {
    const networks = await finishInSlices(readFeed(read.bytes, plan.form));
    return 'fault' in networks ? networks : { version: versionOf(networks), networks, mark: read.mark };
  }

  #knownMark(): FeedMark {
    const { etag, lastModified, source, fetched } = this.#state;
    return fetched !== undefined && source === sourceKey(this.#plan) ? { etag, lastModified } : NO_MARK;
  }

  /** The source has what it had. That may wait for a person, or come again after a rollback. */
  async #sameAsBefore(mark: FeedMark): Promise<Offer | undefined> {
    const { fetched: version } = this.#state;
    const networks = version === undefined ? undefined : await this.#find(version);
    return version === undefined || networks === undefined ? undefined : { version, networks, mark };
  }

  async #offered({ version, networks, mark }: Offer): Promise<Attempt> {
    const { current, held, rejected } = this.#state;
    this.#failures = 0;
    this.#state = { ...this.#state, ...mark, fetched: version, source: sourceKey(this.#plan) };
    if (version === current) return await this.#unchanged(version, networks);
    if (version === rejected) {
      await this.#keep({});
      return this.#end('rejected', 'it is what a person has turned down');
    }
    const isWaiting = version === held?.version;
    if (!isWaiting) await this.#keepVersion(version, networks);
    // Again and again: what it is judged by may be other settings by now.
    const judgement = await finishInSlices(
      judgeRefresh(this.#current, networks, this.#plan, this.#deps.own()),
    );
    const { reasons } = judgement;
    if (reasons.length > 0 && isWaiting) return await this.#holdOn({ ...held, reasons });
    if (reasons.length > 0) return await this.#hold(version, networks, reasons);
    await this.#apply(version, networks, this.#deps.clock.now());
    const { added, removed } = judgement;
    const { name: list } = this.#plan;
    this.#deps.log.info('list-refreshed', { list, version, entries: networks.size, added, removed });
    await this.#told('list.refresh', version, SYSTEM, `${added} added, ${removed} removed`);
    return this.#end('applied', `${added} added, ${removed} removed`);
  }

  async #unchanged(version: string, networks: SortedNetworks): Promise<Attempt> {
    if (this.isDropped) await this.#publish(version, networks);
    this.#isStaleTold = false;
    await this.#keep({ held: undefined, rejected: undefined, refreshedAt: this.#deps.clock.now() });
    return this.#end('unchanged', `${networks.size} entries`);
  }

  /** It waited before, and was told then. */
  async #holdOn(held: HeldVersion): Promise<Attempt> {
    await this.#keep({ held });
    return this.#end('held', held.reasons.join('; '));
  }

  async #hold(version: string, networks: SortedNetworks, reasons: readonly string[]): Promise<Attempt> {
    const { name: list } = this.#plan;
    await this.#keep({ held: { version, at: this.#deps.clock.now(), reasons } });
    this.#deps.log.warn('list-refresh-held', { list, version, entries: networks.size, reasons });
    await this.#told('list.hold', version, SYSTEM, reasons.join('; '));
    return this.#end('held', reasons.join('; '));
  }

  #failed(reason: string): Attempt {
    this.#failures++;
    this.#deps.log.warn('list-refresh-failed', { list: this.#plan.name, source: this.#plan.shown, reason });
    return this.#end('failed', reason);
  }

  #end(outcome: RefreshOutcome, detail: string): Attempt {
    const attempt = { atMs: this.#deps.clock.now(), outcome, detail };
    this.#attempt = attempt;
    if (!this.#isClosed) this.#deps.onRefresh(this.#plan.name, outcome);
    return attempt;
  }

  /** Everybody decides by it before it is noted down: an emergency waits for no disk. */
  async #apply(
    version: string,
    networks: SortedNetworks,
    refreshedAt = this.#state.refreshedAt,
  ): Promise<void> {
    await this.#publish(version, networks);
    this.#current = networks;
    this.#isStaleTold = false;
    await this.#keep({ current: version, held: undefined, rejected: undefined, refreshedAt });
  }

  async #publish(version: string, networks: SortedNetworks): Promise<void> {
    if (this.#isClosed) return;
    const set = await finishInSlices(networks.set());
    await this.#deps.publish(this.#plan.name, {
      version,
      networks: set.share(),
      prefixes: networks.prefixes(),
    });
  }

  async #keepVersion(id: string, networks: SortedNetworks): Promise<void> {
    const { name: list, shown: source } = this.#plan;
    const createdAt = this.#deps.clock.now();
    await this.#deps.shelf.keep({ list, id, entries: networks.size, source, createdAt }, networks);
    this.#unstored.set(id, networks);
  }

  async #find(version: string): Promise<SortedNetworks | undefined> {
    if (version === this.#state.current && this.#current !== undefined) return this.#current;
    return this.#unstored.get(version) ?? (await this.#deps.shelf.networks(this.#plan.name, version));
  }

  async #stored(version: string): Promise<SortedNetworks> {
    const networks = await this.#find(version);
    if (networks === undefined) throw new ListError('not-found', 'There is no such version of the list.');
    return networks;
  }

  async #keep(change: Partial<ListState>): Promise<void> {
    this.#state = { ...this.#state, ...change };
    const { held } = this.#state;
    for (const id of this.#unstored.keys()) if (id !== held?.version) this.#unstored.delete(id);
    await this.#deps.shelf.keepState(this.#state);
  }

  #told(action: string, version: string, actor: string, reason = ''): Promise<void> {
    return this.#deps.shelf.audit({ actor, action, subject: this.#plan.name, detail: { version, reason } });
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(step);
    this.#tail = turn.catch(() => {});
    return turn;
  }
}

const newState = (list: string): ListState => ({
  list,
  current: undefined,
  pinned: false,
  fetched: undefined,
  etag: undefined,
  lastModified: undefined,
  source: '',
  refreshedAt: undefined,
  held: undefined,
  rejected: undefined,
});

/** What a refresh is judged by. */
const guardKey = ({ maxChange, allowPrivate, protect }: FeedPlan): string =>
  JSON.stringify([maxChange, allowPrivate, protect]);

/** Of one key is what is read in one way from one place: a mark is good for that alone. A URL may hold a secret. */
const sourceKey = ({ source, form }: FeedPlan): string =>
  createHash('sha256')
    .update(JSON.stringify([source, form]))
    .digest('hex');
