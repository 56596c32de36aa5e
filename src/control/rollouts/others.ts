import type { Clock, Logger, Trial, TrialFigures } from '../../contract/index.ts';
import { sumFigures, TrialEndedError } from '../../lifecycle/index.ts';
import { type Store, StoreError } from '../../store/index.ts';
import { LOST_MS, type NodeStatus, statusIn, trialKey } from '../nodes/index.ts';
import { figuresIn } from './stored-figures.ts';

export interface OthersDeps {
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined while there is no usable store. */
  readonly store: () => Store | undefined;
  /** Of this start of the program: which node is no other. */
  readonly run: string;
  readonly pause: (ms: number) => Promise<void>;
}

/** What each node is to have done. */
export interface Awaited {
  /** What a node names that could not do it. */
  readonly key: string;
  readonly isDone: (status: NodeStatus) => boolean;
}

/** A node could not do what the rollout asks of all. */
export class NodeFailure extends Error {
  override readonly name = 'NodeFailure';
}

const LOOK_MS = 200;
/** So long a node that is heard of may take: compiling, and starting what it prepares. */
const PATIENCE_MS = 60_000;
const FIGURES_MS = 1000;

/** A trial in which nobody is judged: what is tried is only prepared. */
export const preparing = (rollout: string, revision: string): Trial => ({
  rollout,
  revision,
  shadow: undefined,
  canary: undefined,
});

export const tries = (trial: Trial): Awaited => {
  const key = trialKey(trial);
  return { key, isDone: ({ candidate }) => candidate?.key === key };
};

/** Whether it is in the workers, in whatever part, or live. */
export const hasPrepared = (rollout: string, revision: string): Awaited => ({
  key: trialKey(preparing(rollout, revision)),
  isDone: (status) => status.candidate?.revision === revision || status.revision === revision,
});

export const serves = (rollout: string, revision: string): Awaited => ({
  key: trialKey(preparing(rollout, revision)),
  isDone: (status) => status.revision === revision || status.settled === revision,
});

/** The other nodes, as who drives a rollout sees them. */
export class OtherNodes {
  readonly #deps: OthersDeps;
  /** How often waiting was given up. */
  #endings = 0;
  #figures = new Map<string, TrialFigures>();
  #figuresOf = '';
  #figuresAtMs = Number.NEGATIVE_INFINITY;

  constructor(deps: OthersDeps) {
    this.#deps = deps;
  }

  /** Whoever waits does so no more. */
  giveUp(): void {
    this.#endings++;
  }

  /**
   * Waits until each node that is heard of has done it. One that is lost, or that serves nothing, is named in the log and
   * not waited for. Rejects with NodeFailure, which names who could not or takes too long, or with TrialEndedError.
   */
  async allHave(awaited: Awaited): Promise<void> {
    const { clock, pause } = this.#deps;
    const endings = this.#endings;
    const untilMs = clock.monotonic() + PATIENCE_MS;
    const without = new Set<string>();
    for (;;) {
      const behind = await this.#behind(awaited, without);
      if (this.#endings !== endings) throw new TrialEndedError();
      if (behind?.length === 0) return;
      if (clock.monotonic() >= untilMs) {
        throw new NodeFailure(`not done within ${PATIENCE_MS / 1000} s by node ${behind?.join(', ') ?? '?'}`);
      }
      await pause(LOOK_MS);
    }
  }

  /** What all nodes have seen of a trial; of those that are gone what they told last. */
  async sum(trial: Trial, own: TrialFigures): Promise<TrialFigures> {
    await this.#readFigures(trialKey(trial));
    return sumFigures(own, [own, ...this.#figures.values()]);
  }

  /** Undefined: the store does not say. */
  async #behind({ key, isDone }: Awaited, without: Set<string>): Promise<readonly string[] | undefined> {
    const { log, run, store } = this.#deps;
    const rows = await store()?.nodes.list().catch(ignored);
    return rows?.flatMap((row): string[] => {
      if (row.run === run) return [];
      const status = statusIn(row);
      const isHealthy = row.silentMs < LOST_MS && status?.workers.includes('serving') !== false;
      if (!isHealthy) {
        if (!without.has(row.id)) log.warn('rollout-goes-on-without', { node: row.id, name: row.name });
        without.add(row.id);
        return [];
      }
      if (status === undefined)
        throw new NodeFailure(`node ${row.name} is of another version (${row.version})`);
      if (isDone(status)) return [];
      if (status.refused?.key === key) throw new NodeFailure(`node ${row.name}: ${status.refused.message}`);
      return [row.name];
    });
  }

  async #readFigures(key: string): Promise<void> {
    const { clock, run, store } = this.#deps;
    if (this.#figuresOf !== key) this.#figures = new Map();
    else if (clock.monotonic() < this.#figuresAtMs + FIGURES_MS) return;
    this.#figuresOf = key;
    this.#figuresAtMs = clock.monotonic();
    const rows = await store()?.nodes.figures().catch(ignored);
    for (const row of rows ?? []) {
      const figures = row.run === run ? undefined : figuresIn(row.figures, key);
      if (figures !== undefined && this.#figuresOf === key) this.#figures.set(row.run, figures);
    }
  }
}

function ignored(error: unknown): undefined {
  if (!(error instanceof StoreError)) throw error;
}
