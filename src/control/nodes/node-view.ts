import type { StoredNode } from '../../store/index.ts';
import { type NodeStatus, statusIn } from './node-status.ts';

/** Who was not heard of for so long is taken for gone. */
export const LOST_MS = 10_000;

export const NODE_STATES = ['ok', 'drift', 'failing', 'cut-off', 'lost', 'unknown'] as const;

/**
 * - `ok`: serves what the store says is active.
 * - `drift`: serves something else.
 * - `failing`: no worker of it serves.
 * - `cut-off`: this node itself, which does not reach the store: it serves its last good revision.
 * - `lost`: was not heard of for ten seconds: it is gone, stands still, or is cut off.
 * - `unknown`: nobody knows, since this node does not reach the store; or a newer program speaks of itself in other words.
 */
export type NodeState = (typeof NODE_STATES)[number];

/** A node as others see it. */
export interface NodeView extends Pick<StoredNode, 'id' | 'name' | 'version' | 'startedAt' | 'silentMs'> {
  readonly state: NodeState;
  /** What it said last. */
  readonly status: NodeStatus | undefined;
}

/** `active`: what the store says is active; undefined before the first. */
export function viewOf(node: StoredNode, active: string | undefined): NodeView {
  const { id, name, version, startedAt, silentMs } = node;
  const status = statusIn(node);
  return { id, name, version, startedAt, silentMs, status, state: stateOf(status, silentMs, active) };
}

function stateOf(status: NodeStatus | undefined, silentMs: number, active: string | undefined): NodeState {
  if (silentMs >= LOST_MS) return 'lost';
  if (status === undefined) return 'unknown';
  if (!status.workers.includes('serving')) return 'failing';
  return status.revision === active || (active !== undefined && status.settled === active) ? 'ok' : 'drift';
}
