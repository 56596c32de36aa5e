import type { Trial } from '../../contract/index.ts';
import type { StoreState } from '../../store/index.ts';
import type { Refusal } from '../publisher.ts';
import type { WorkerStatus } from '../workers.ts';
import type { NodeFault, NodeStatus } from './node-status.ts';
import { trialKey } from './trial-key.ts';
import { trialText } from './trial-text.ts';

export interface OwnFacts {
  readonly activation: {
    readonly active: { readonly revision: string } | undefined;
    readonly candidate: { readonly trial: Trial } | undefined;
  };
  readonly workers: readonly Pick<WorkerStatus, 'state'>[];
  readonly storeState: StoreState;
  readonly refusal: Refusal | undefined;
  /** Of the rollout that all share; undefined for a node alone. */
  readonly followed: Pick<NodeStatus, 'refused' | 'settled'> | undefined;
}

/** How this node is, from what its parts say. */
export function ownStatus({
  activation,
  workers,
  storeState,
  refusal,
  followed,
}: OwnFacts): Omit<NodeStatus, 'listeners'> {
  const trial = activation.candidate?.trial;
  return {
    revision: activation.active?.revision,
    candidate:
      trial === undefined
        ? undefined
        : { rollout: trial.rollout, revision: trial.revision, step: trialText(trial), key: trialKey(trial) },
    workers: workers.map(({ state }) => state),
    store: storeState,
    refused: followed?.refused,
    settled: followed?.settled,
    error: refusal === undefined ? undefined : faultOf(refusal),
  };
}

function faultOf({ atMs, issues }: Refusal): NodeFault {
  const [first] = issues;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
  const place = first === undefined || first.path === '' ? '' : `${first.path}: `;
  return { at: atMs, message: `a document was refused: ${place}${first?.message ?? ''}${more}` };
}
