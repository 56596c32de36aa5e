import type { Trial } from '../../contract/index.ts';
import { type Rollout, TrialEndedError } from '../../lifecycle/index.ts';
import type { PublishRequest, PublishResult } from '../publisher.ts';
import { Follower } from './follower.ts';
import { Leadership } from './leadership.ts';
import { hasPrepared, OtherNodes, serves, tries } from './others.ts';
import type { RolloutBundle, RolloutDeps } from './ports.ts';
import { RolloutRunner } from './runner.ts';
import { RolloutSeat } from './seat.ts';
import { keptFigures } from './stored-figures.ts';

/** What a node needs that shares rollouts with others. */
export interface FleetParts {
  /** Of this start of the program. */
  readonly run: string;
  /** By now: it may have to take another. */
  readonly nodeId: () => string;
  /** Others are to hear how this node is, now. */
  readonly beat: () => void;
  /** Whether this node has activated something that the store does not know of yet. */
  readonly isBehind: () => boolean;
}

export interface SharedRollouts<B extends RolloutBundle> {
  readonly seat: RolloutSeat<B>;
  readonly runner: RolloutRunner<B>;
  readonly follower: Follower<B>;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Has a rollout go its way on all nodes of a store: what the runner does here waits for the others. */
export function shareRollouts<B extends RolloutBundle>(
  deps: RolloutDeps<B>,
  fleet: FleetParts & { readonly pause?: (ms: number) => Promise<void> },
  isBase: (rollout: Rollout) => Promise<boolean>,
): SharedRollouts<B> {
  const { activation } = deps;
  const leadership = new Leadership({ ...deps, holder: fleet.run });
  const others = new OtherNodes({ ...deps, run: fleet.run, pause: fleet.pause ?? pause });
  const runner = new RolloutRunner<B>({
    ...deps,
    fence: () => leadership.fence,
    activation: everywhere(activation, others),
    publish: (request) => publishEverywhere(request),
    figures: async () => {
      const own = await deps.figures();
      const trial = activation.candidate?.trial;
      return own === undefined || trial === undefined ? own : await others.sum(trial, own);
    },
  });

  /** Decided is it when all have prepared it, and in force when the store says so: from there on it only goes forward. */
  async function publishEverywhere(request: PublishRequest<B>): Promise<PublishResult> {
    const { id, revision } = runner.open ?? { id: '', revision: '' };
    try {
      await others.allHave(hasPrepared(id, revision));
      if (!leadership.isHeld) throw new TrialEndedError();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      return { outcome: 'refused', revision, issues: [{ path: '', message }] };
    }
    const result = await deps.publish({ ...request, fence: leadership.fence });
    if (result.outcome !== 'activated' && result.outcome !== 'unchanged') return result;
    await others.allHave(serves(id, revision)).catch((error: unknown) => {
      deps.log.error('rollout-node-not-live', { rollout: id, revision, error });
    });
    return result;
  }

  const follower = new Follower<B>({ ...deps, isBehind: fleet.isBehind });
  const tellFigures = figuresTeller(deps, fleet);
  const seat = new RolloutSeat<B>({
    ...deps,
    runner,
    follower,
    leadership,
    isBase,
    tellFigures,
    beat: fleet.beat,
  });
  return { seat, runner, follower };
}

/** The workers of all nodes, as far as trying goes. */
function everywhere<B extends RolloutBundle>(
  activation: RolloutDeps<B>['activation'],
  others: OtherNodes,
): RolloutDeps<B>['activation'] {
  return {
    get active() {
      return activation.active;
    },
    get candidate() {
      return activation.candidate;
    },
    get lostTrial() {
      return activation.lostTrial;
    },
    try: async (bundle, trial) => {
      await activation.try(bundle, trial);
      await others.allHave(tries(trial));
    },
    endTrial: async () => {
      others.giveUp();
      await activation.endTrial();
    },
  };
}

/** Keeps what this node has seen of a trial for who drives it, as long as there is one. */
function figuresTeller<B extends RolloutBundle>(
  { activation, figures, store }: RolloutDeps<B>,
  { run, nodeId }: FleetParts,
): () => Promise<void> {
  let told: Trial | undefined;
  return async () => {
    const trial = activation.candidate?.trial;
    if (trial === undefined && told === undefined) return;
    const seen = trial === undefined ? undefined : await figures();
    if (trial !== undefined && seen === undefined) return;
    const kept = trial === undefined || seen === undefined ? undefined : keptFigures(trial, seen);
    await store()?.nodes.putFigures(nodeId(), run, kept);
    told = trial;
  };
}
