import { orNull, type Static, Type } from '../../lib/schema.ts';
import { matches } from '../../lib/schema-check.ts';
import type { StoredNode, StoreState } from '../../store/index.ts';
import type { WorkerStatus } from '../workers.ts';

/** How a node is, in its own words. */
export interface NodeStatus {
  /** What it serves; undefined before the first. */
  readonly revision: string | undefined;
  /** What it tries beside it. */
  readonly candidate: NodeCandidate | undefined;
  readonly workers: readonly WorkerStatus['state'][];
  readonly store: StoreState;
  /** What it last refused, or could not do. */
  readonly error: NodeFault | undefined;
  readonly listeners: readonly NodeListener[];
  /** What it could not do of the rollout that all share. */
  readonly refused: NodeRefusal | undefined;
  /** What it serves as far as it can: with certificates of its own that is another revision. */
  readonly settled: string | undefined;
}

export interface NodeRefusal {
  /** See `trialKey`. */
  readonly key: string;
  readonly message: string;
}

export interface NodeCandidate {
  readonly rollout: string;
  readonly revision: string;
  /** For people, e.g. `canary 10 %`. */
  readonly step: string;
  /** See `trialKey`. */
  readonly key: string;
}

export interface NodeFault {
  /** Milliseconds since the epoch, by the clock of the node. */
  readonly at: number;
  readonly message: string;
}

export interface NodeListener {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

const MAX_MESSAGE = 500;
const MAX_LISTENERS = 50;

/** As it is kept: short, whatever a document says. */
export function stateOf({
  revision,
  candidate,
  error,
  listeners,
  refused,
  settled,
  ...status
}: NodeStatus): object {
  const state: Static<typeof StateSchema> = {
    ...status,
    workers: [...status.workers],
    revision: revision ?? null,
    candidate: candidate ?? null,
    error: error === undefined ? null : { ...error, message: error.message.slice(0, MAX_MESSAGE) },
    refused:
      refused === undefined ? null : { key: refused.key, message: refused.message.slice(0, MAX_MESSAGE) },
    settled: settled ?? null,
    listeners: listeners.slice(0, MAX_LISTENERS).map(({ name, host, port }) => ({ name, host, port })),
  };
  return state;
}

/** What a node has said; undefined where a newer program says it in other words. */
export function statusIn({ state }: StoredNode): NodeStatus | undefined {
  if (!matches(StateSchema, state)) return undefined;
  const { revision, candidate, error, refused, settled, ...status } = state;
  return {
    ...status,
    revision: revision ?? undefined,
    candidate: candidate ?? undefined,
    error: error ?? undefined,
    refused: refused ?? undefined,
    settled: settled ?? undefined,
  };
}

const Text = Type.String({ maxLength: 1000 });

const StateSchema = Type.Object({
  revision: orNull(Text),
  candidate: orNull(Type.Object({ rollout: Text, revision: Text, step: Text, key: Text })),
  workers: Type.Array(Type.Unsafe<WorkerStatus['state']>({ enum: ['starting', 'serving', 'waiting'] }), {
    maxItems: 1000,
  }),
  store: Type.Unsafe<StoreState>({ enum: ['ok', 'unavailable', 'damaged'] }),
  error: orNull(Type.Object({ at: Type.Integer(), message: Text })),
  refused: orNull(Type.Object({ key: Text, message: Text })),
  settled: orNull(Text),
  listeners: Type.Array(Type.Object({ name: Text, host: Text, port: Type.Integer() }), {
    maxItems: MAX_LISTENERS,
  }),
});
