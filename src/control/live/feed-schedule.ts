import type { Clock, Random } from '../../contract/index.ts';
import type { Attempt, Feed } from './feed.ts';
import type { FeedReader } from './feed-reader.ts';

export interface FeedScheduleDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly reader: FeedReader;
}

/** After a failure a source is asked again soon, then less and less often. */
const RETRY_MS = 30_000;
const MAX_DOUBLINGS = 12;

/** When a list's source is looked at: a URL at its times, a file when it has changed and come to rest. */
export class FeedSchedule {
  readonly #feed: Feed;
  readonly #deps: FeedScheduleDeps;
  #dueMs: number;
  #running: Promise<Attempt> | undefined = undefined;
  /** `now` was said, perhaps while it was asked. */
  #isDueAgain = false;
  /** What the file was when it was read last, and when it was looked at last. */
  #readStamp: string | undefined = undefined;
  #seenStamp: string | undefined = undefined;

  constructor(feed: Feed, deps: FeedScheduleDeps) {
    this.#feed = feed;
    this.#deps = deps;
    // After a restart the source is asked when it would have been: no crowd of nodes comes at once.
    const { refreshedAt } = feed.state;
    this.#dueMs = refreshedAt === undefined ? 0 : refreshedAt + this.#spread(feed.plan.refreshMs);
  }

  /** Milliseconds since the epoch; undefined for files, which are looked at all the time, and for pinned lists. */
  get nextMs(): number | undefined {
    const { plan, state } = this.#feed;
    return plan.source.kind === 'file' || state.pinned ? undefined : this.#dueMs;
  }

  /** The next tick asks. */
  now(): void {
    this.#isDueAgain = true;
    this.#dueMs = 0;
  }

  async tick(): Promise<void> {
    if (this.#running !== undefined || this.#feed.state.pinned) return;
    if (this.#isDueAgain || (await this.#isDue())) await this.run();
  }

  /** Asks now. Who asks meanwhile is told the same. */
  run(): Promise<Attempt> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async #run(): Promise<Attempt> {
    const { plan } = this.#feed;
    this.#isDueAgain = false;
    if (plan.source.kind === 'file') this.#readStamp = await this.#deps.reader.stamp(plan.source.at);
    const attempt = await this.#feed.refresh();
    if (!this.#isDueAgain) this.#dueMs = this.#deps.clock.now() + this.#spread(this.#waitAfter(attempt));
    return attempt;
  }

  async #isDue(): Promise<boolean> {
    if (this.#feed.plan.source.kind === 'file') return await this.#hasChanged();
    return this.#deps.clock.now() >= this.#dueMs;
  }

  /** A file counts as changed when it looks the same twice: one that is half written is not read. */
  async #hasChanged(): Promise<boolean> {
    const stamp = await this.#deps.reader.stamp(this.#feed.plan.source.at);
    const isAtRest = stamp === this.#seenStamp;
    this.#seenStamp = stamp;
    if (stamp !== this.#readStamp) return isAtRest;
    this.#feed.noteUnchanged();
    return false;
  }

  #waitAfter({ outcome }: Attempt): number {
    const { refreshMs } = this.#feed.plan;
    if (outcome !== 'failed') return refreshMs;
    return Math.min(refreshMs, RETRY_MS * 2 ** Math.min(this.#feed.failures - 1, MAX_DOUBLINGS));
  }

  /** Give or take a tenth, so that nodes do not ask in step. */
  #spread(ms: number): number {
    const share = Number.parseInt(this.#deps.random.hex(2), 16) / 0xffff;
    return Math.round(ms * (0.9 + 0.2 * share));
  }
}
