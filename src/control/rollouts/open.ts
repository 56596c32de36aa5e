import { certificateFiles } from '../../config/index.ts';
import { GateWatch } from '../../lifecycle/index.ts';
import type { DocumentSources } from '../document-sources.ts';
import type { ListsInService } from '../live/feeds.ts';
import { NO_LISTS } from '../live/feeds.ts';
import type { OfferedBundle } from '../offered-bundle.ts';
import type { PublishResult } from '../publisher.ts';
import { RolloutDesk } from './desk.ts';
import { RolloutDiversion } from './diversion.ts';
import type { RolloutDeps } from './ports.ts';
import { pruneStore } from './prune.ts';
import { RolloutRunner } from './runner.ts';

export interface RolloutsDeps
  extends Omit<RolloutDeps<OfferedBundle>, 'onChange' | 'recompile' | 'repeat' | 'watch'> {
  readonly sources: Pick<DocumentSources, 'documentHashOf' | 'fromStored'>;
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
  readonly #stops: (() => void)[] = [];

  constructor(deps: RolloutsDeps) {
    this.#deps = deps;
    const recompile = deps.sources.fromStored.bind(deps.sources);
    const repeat = (work: () => void, everyMs: number) => {
      const timer = setInterval(work, everyMs);
      return () => clearInterval(timer);
    };
    this.#runner = new RolloutRunner({
      ...deps,
      recompile,
      repeat,
      watch: (gates) => new GateWatch(gates),
    });
    const parts = { ...deps, runner: this.#runner };
    this.diversion = new RolloutDiversion({
      ...parts,
      certificatesOf: (json) => certificateFiles(JSON.parse(json)),
    });
    this.desk = new RolloutDesk({ ...parts, recompile, active: () => deps.activation.active });
  }

  /** Goes on with what was under way, once a first revision is served. */
  async takeUp(): Promise<void> {
    const { activation, log, sources, store } = this.#deps;
    try {
      await this.#runner.takeUp(async ({ base }) => {
        const { active } = activation;
        if (active === undefined || active.revision === base) return active !== undefined;
        const stored = await store()?.getRevision(base);
        return stored !== undefined && sources.documentHashOf(stored.document) === active.documentHash;
      });
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
    await this.#runner.onOtherLive();
  }

  get isOpen(): boolean {
    return this.#runner.open !== undefined;
  }

  /** Lists of what is live and of what is tried beside it. Of one name it is the live one's. */
  lists(): ListsInService {
    const live = this.#deps.activation.active?.lists ?? NO_LISTS;
    const tried = this.#runner.candidate?.lists ?? NO_LISTS;
    const known = new Set(live.feeds.map(({ name }) => name));
    return {
      feeds: [...live.feeds, ...tried.feeds.filter(({ name }) => !known.has(name))],
      inline: { ...tried.inline, ...live.inline },
      proxies: [...live.proxies, ...tried.proxies],
    };
  }

  close(): void {
    this.#runner.close();
    for (const stop of this.#stops) stop();
  }
}
