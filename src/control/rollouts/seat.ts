import type { Clock, Logger } from '../../contract/index.ts';
import type { Rollout, RolloutEvent } from '../../lifecycle/index.ts';
import { StoreError } from '../../store/index.ts';
import type { Follower } from './follower.ts';
import { LEASE_MS, type Leadership } from './leadership.ts';
import type { RolloutBundle, RolloutDeps } from './ports.ts';
import type { DispatchRefusal, RolloutOrder, RolloutRunner, RolloutView } from './runner.ts';

export interface SeatDeps<B extends RolloutBundle> extends Pick<RolloutDeps<B>, 'onChange' | 'repeat'> {
  readonly clock: Clock;
  readonly log: Logger;
  readonly activation: Pick<RolloutDeps<B>['activation'], 'active' | 'candidate' | 'endTrial'>;
  readonly runner: RolloutRunner<B>;
  readonly follower: Follower<B>;
  readonly leadership: Leadership;
  /** Whether what is live is what a rollout was tried beside. */
  readonly isBase: (rollout: Rollout) => Promise<boolean>;
  /** Keeps what this node has seen of a trial; undefined: of none. */
  readonly tellFigures: () => Promise<void>;
  /** Others are to hear how this node is, now. */
  readonly beat: () => void;
}

const TICK_MS = 2000;
const GUARD_MS = 1000;

/**
 * The part of a node in the rollout that all nodes of a store share: one drives it, the others follow. Who drives holds a
 * lease; when it runs out another goes on. What a person decides goes by any of them.
 */
export class RolloutSeat<B extends RolloutBundle> {
  readonly #deps: SeatDeps<B>;
  readonly #listeners = new Set<() => void>();
  #drives = false;
  #beginning = 0;
  #isTicking = false;
  #hasEnded = false;
  #isDue = false;
  #shown = '';
  #wasOpen = false;
  #contactMs: number;
  readonly #stops: (() => void)[] = [];

  constructor(deps: SeatDeps<B>) {
    this.#deps = deps;
    this.#contactMs = deps.clock.monotonic();
    this.#stops.push(deps.runner.subscribe(() => this.#tell()));
  }

  get drives(): boolean {
    return this.#drives;
  }

  get open(): Rollout | undefined {
    return this.#drives ? this.#deps.runner.open : this.#deps.follower.rollout;
  }

  get candidate(): B | undefined {
    return this.#drives ? this.#deps.runner.candidate : this.#deps.follower.candidate;
  }

  get view(): RolloutView | undefined {
    const { runner, follower } = this.#deps;
    const { rollout } = follower;
    if (this.#drives || rollout === undefined) return runner.view;
    return { rollout, live: undefined, replay: undefined, waitsForStore: false };
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Rejects with StoreError: `conflict` where another node drives, or has begun, another. */
  async begin(bundle: B, order: RolloutOrder): Promise<Rollout> {
    const { leadership, runner } = this.#deps;
    this.#beginning++;
    try {
      if (!(await leadership.take())) throw new StoreError('conflict', 'another node drives a rollout');
      this.#drives = true;
      return await runner.begin(bundle, order);
    } finally {
      this.#beginning--;
      this.notice();
    }
  }

  async dispatch(event: RolloutEvent): Promise<Rollout | DispatchRefusal> {
    const { runner, follower } = this.#deps;
    try {
      return await (this.#drives ? runner.dispatch(event) : follower.dispatch(event));
    } finally {
      this.notice();
    }
  }

  async onOtherLive(): Promise<void> {
    if (this.#drives) await this.#deps.runner.onOtherLive();
    else this.#deps.follower.renew();
    this.notice();
  }

  /** Comes up to date, and stays so. */
  async start(): Promise<void> {
    const { repeat } = this.#deps;
    await this.#tick();
    this.#stops.push(
      repeat(() => this.notice(), TICK_MS),
      repeat(() => void this.#guard(), GUARD_MS),
    );
  }

  /** Something has changed in the store, or may have. */
  notice(): void {
    this.#isDue = true;
    if (!this.#isTicking) void this.#tickAll();
  }

  async close(): Promise<void> {
    for (const stop of this.#stops) stop();
    this.#deps.runner.close();
    if (this.#drives) await this.#deps.leadership.release().catch(() => {});
    this.#drives = false;
    this.#hasEnded = true;
  }

  async #tickAll(): Promise<void> {
    this.#isTicking = true;
    try {
      while (this.#isDue && !this.#hasEnded) {
        this.#isDue = false;
        await this.#tick();
      }
    } finally {
      this.#isTicking = false;
    }
  }

  async #tick(): Promise<void> {
    const { clock, follower, log, beat } = this.#deps;
    try {
      if (this.#drives) await this.#renew();
      await follower.look(this.#drives ? 'live' : 'all');
      this.#contactMs = clock.monotonic();
      if (!this.#drives) await this.#takeOver();
    } catch (error) {
      // A store that is lost is told of by its health.
      if (!(error instanceof StoreError)) log.error('rollout-not-followed', { error });
    }
    if (this.#tell()) beat();
  }

  /** Goes on driving, or leaves it to another: who stood still for long does not have the lease any more. */
  async #renew(): Promise<void> {
    const { leadership, runner } = this.#deps;
    if (!(await leadership.take())) {
      await runner.refresh();
      return this.#stepDown();
    }
    await runner.refresh();
    if (runner.open !== undefined || runner.isUnsaved || this.#beginning > 0) return;
    this.#drives = false;
    await leadership.release();
  }

  async #takeOver(): Promise<void> {
    const { activation, follower, isBase, leadership, log, runner } = this.#deps;
    const { rollout } = follower;
    if (rollout === undefined || activation.active === undefined || !(await leadership.take())) return;
    log.info('rollout-driven-here', { rollout: rollout.id, phase: rollout.phase });
    this.#drives = true;
    await runner.takeUp(isBase);
  }

  #stepDown(): void {
    const { log, runner } = this.#deps;
    log.warn('rollout-left-to-others', { rollout: runner.open?.id });
    runner.stepDown();
    this.#drives = false;
  }

  /**
   * Who hears nothing from the store does not know what was decided: it serves what was live alone. Who comes back from
   * standing still is told by its own clock, before it has asked anybody.
   */
  async #guard(): Promise<void> {
    const { activation, clock, leadership, log, runner, tellFigures } = this.#deps;
    if (this.#drives && !leadership.isHeld && !runner.isUnsaved) this.#stepDown();
    if (clock.monotonic() - this.#contactMs < LEASE_MS) {
      if (!this.#drives) await tellFigures().catch(() => {});
      return;
    }
    if (activation.candidate === undefined) return;
    log.warn('trial-cut-off', { revision: activation.candidate.bundle.revision });
    await activation.endTrial();
  }

  /** Whether something is other than before. */
  #tell(): boolean {
    const { activation, follower, onChange } = this.#deps;
    const { open } = this;
    const { refused, settled } = follower;
    const state = [open, activation.active?.revision, activation.candidate?.trial, refused, settled];
    const shown = JSON.stringify(state);
    if (shown === this.#shown) return false;
    this.#shown = shown;
    if (this.#wasOpen !== (open !== undefined)) {
      this.#wasOpen = open !== undefined;
      if (!this.#drives) onChange();
    }
    for (const listener of this.#listeners) listener();
    return true;
  }
}
