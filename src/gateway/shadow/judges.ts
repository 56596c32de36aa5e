import type { BanList, CounterState, Snapshot } from '../../contract/index.ts';
import type { DataPlaneServices } from '../services.ts';
import { ShadowBans } from './bans.ts';
import { ShadowScopes } from './counters.ts';
import { SecondJudge } from './second-judge.ts';

/** What it takes to judge a second time without touching anything live. */
export interface ShadowWorld {
  /** Counters in memory of their own, shared by all workers. */
  readonly state: CounterState;
  /** Bans of nobody, that know whom no policy may ban. */
  bans(): BanList;
  /** Compiles a revision once more, with policies and resources of its own. */
  compile(revision: string): Promise<Snapshot>;
}

/** Those who judge a second time in one rollout, by revision. They are there once they are compiled. */
export class SecondJudges {
  readonly #world: ShadowWorld;
  readonly #services: DataPlaneServices;
  readonly #rollout: string;
  readonly #judges = new Map<string, SecondJudge | 'failed' | undefined>();
  #isClosed = false;

  constructor(world: ShadowWorld, services: DataPlaneServices, rollout: string) {
    this.#world = world;
    this.#services = services;
    this.#rollout = rollout;
  }

  /** Undefined while it is not there; `failed` where it never will be. */
  of(revision: string): SecondJudge | 'failed' | undefined {
    return this.#judges.get(revision);
  }

  /** Has it compiled, unless it is already. What fails is told to the log: nothing live hangs on it. */
  async want(revision: string): Promise<void> {
    if (this.#judges.has(revision) || this.#isClosed) return;
    this.#judges.set(revision, undefined);
    try {
      const judge = this.#judgeBy(await this.#world.compile(revision), revision);
      if (this.#isClosed) await judge.close();
      else this.#judges.set(revision, judge);
    } catch (cause) {
      if (this.#isClosed) return;
      this.#judges.set(revision, 'failed');
      this.#services.log.error('shadow-not-compiled', { revision, cause: textOf(cause) });
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const [revision, judge] of this.#judges) {
      if (judge === undefined || judge === 'failed') continue;
      judge.close().catch((cause: unknown) => {
        this.#services.log.error('snapshot-dispose-failed', { revision, cause: textOf(cause) });
      });
    }
    this.#judges.clear();
  }

  #judgeBy(snapshot: Snapshot, revision: string): SecondJudge {
    const { evaluation, log } = this.#services;
    const { clock, random, load, bans } = evaluation;
    const scopes = new ShadowScopes(this.#world.state, this.#rollout, revision);
    return new SecondJudge(snapshot, {
      clock,
      random,
      load,
      scopes,
      bans: new ShadowBans(this.#world.bans(), bans),
      onDefect: (cause) => log.warn('shadow-end-failed', { revision, cause: textOf(cause) }),
    });
  }
}

const textOf = (cause: unknown): string => (cause instanceof Error ? cause.message : String(cause));
