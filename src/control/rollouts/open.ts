import { certificateFiles } from '../../config/index.ts';
import type { Gates } from '../../contract/index.ts';
import { GateWatch, type Rollout } from '../../lifecycle/index.ts';
import type { DocumentSources } from '../document-sources.ts';
import type { ListsInService } from '../live/feeds.ts';
import { NO_LISTS } from '../live/feeds.ts';
import type { NodeStatus } from '../nodes/index.ts';
import type { OfferedBundle } from '../offered-bundle.ts';
import type { PublishResult } from '../publisher.ts';
import { RolloutDesk } from './desk.ts';
import { RolloutDiversion } from './diversion.ts';
import type { RolloutDeps } from './ports.ts';
import { pruneStore } from './prune.ts';
import { RolloutRunner } from './runner.ts';
import type { RolloutSeat } from './seat.ts';
import { type FleetParts, type SharedRollouts, shareRollouts } from './share.ts';

export interface RolloutsDeps
  extends Omit<RolloutDeps<OfferedBundle>, 'onChange' | 'recompile' | 'repeat' | 'watch'> {
  readonly sources: Pick<DocumentSources, 'documentHashOf' | 'fromStored'>;
  /** Undefined for a node alone. */
  readonly fleet: FleetParts | undefined;
  /** Told when another rollout may begin, or lists are needed that were not. */
  readonly onChange: () => void;
}

/** Forgotten is what is old, soon after the start and a few times a day. */
const FIRST_PRUNE_MS = 60_000;
const PRUNE_MS = 6 * 3_600_000;

/** Those who look after the ways of revisions. */
export class Rollouts {
  readonly diversion: RolloutDiversion<OfferedBundle>;
  readonly desk: RolloutDesk<OfferedBundle>;
  readonly #deps: RolloutsDeps;
  readonly #runner: RolloutRunner<OfferedBundle>;
  readonly #shared: SharedRollouts<OfferedBundle> | undefined;
  readonly #stops: (() => void)[] = [];

  constructor(deps: RolloutsDeps) {
    this.#deps = deps;
    const recompile = deps.sources.fromStored.bind(deps.sources);
    const repeat = (work: () => void, everyMs: number) => {
      const timer = setInterval(work, everyMs);
      return () => clearInterval(timer);
    };
    const own = { ...deps, recompile, repeat, watch: (gates: Gates) => new GateWatch(gates) };
    const isBase = (rollout: Rollout) => this.#isBase(rollout);
    this.#shared = deps.fleet === undefined ? undefined : shareRollouts(own, deps.fleet, isBase);
    this.#runner = this.#shared?.runner ?? new RolloutRunner(own);
    const parts = { ...deps, runner: this.#seat };
    this.diversion = new RolloutDiversion({
      ...parts,
      certificatesOf: (json) => certificateFiles(JSON.parse(json)),
    });
    this.desk = new RolloutDesk({ ...parts, recompile, active: () => deps.activation.active });
  }

  /** Goes on with what was under way, once a first revision is served. */
  async takeUp(): Promise<void> {
    const { log } = this.#deps;
    try {
      if (this.#shared === undefined) await this.#runner.takeUp((rollout) => this.#isBase(rollout));
      else await this.#shared.seat.start();
    } catch (error) {
      log.error('rollout-not-taken-up', { error });
    }
    const prune = () => void pruneStore(this.#deps);
    const timers = [setTimeout(prune, FIRST_PRUNE_MS), setInterval(prune, PRUNE_MS)];
    for (const timer of timers) {
      timer.unref();
      this.#stops.push(() => clearTimeout(timer));
    }
  }

  /** To be told of what became of every offer. */
  async onPublished(result: PublishResult): Promise<void> {
    const { active } = this.#deps.activation;
    if (result.outcome !== 'activated' || active === undefined) return;
    this.desk.remember(active);
    await this.#seat.onOtherLive();
  }

  get isOpen(): boolean {
    return this.#seat.open !== undefined;
  }

  /** Lists of what is live and of what is tried beside it. Of one name it is the live one's. */
  lists(): ListsInService {
    const live = this.#deps.activation.active?.lists ?? NO_LISTS;
    const tried = this.#seat.candidate?.lists ?? NO_LISTS;
    const known = new Set(live.feeds.map(({ name }) => name));
    return {
      feeds: [...live.feeds, ...tried.feeds.filter(({ name }) => !known.has(name))],
      inline: { ...tried.inline, ...live.inline },
      proxies: [...live.proxies, ...tried.proxies],
    };
  }

  /** What all nodes share has changed, or may have. */
  notice(): void {
    this.#shared?.seat.notice();
  }

  /** What this node could not do of what all nodes share. */
  get followed(): Pick<NodeStatus, 'refused' | 'settled'> | undefined {
    return this.#shared?.follower;
  }

  get #seat(): RolloutRunner<OfferedBundle> | RolloutSeat<OfferedBundle> {
    return this.#shared?.seat ?? this.#runner;
  }

  async #isBase({ base }: Rollout): Promise<boolean> {
    const { activation, sources, store } = this.#deps;
    const { active } = activation;
    if (active === undefined || active.revision === base) return active !== undefined;
    const stored = await store()?.getRevision(base);
    return stored !== undefined && sources.documentHashOf(stored.document) === active.documentHash;
  }

  /** Others go on with what this node drives. */
  async leave(): Promise<void> {
    await this.#shared?.seat.close();
  }

  async close(): Promise<void> {
    await this.#seat.close();
    for (const stop of this.#stops) stop();
  }
}
