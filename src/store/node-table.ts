/** What a node says of itself. */
export interface NodeRow {
  /** Of the node's data folder: the same after a restart. */
  readonly id: string;
  /** Of this start of its program: two that have one id are told apart by it. */
  readonly run: string;
  /** For people; not unique. */
  readonly name: string;
  readonly version: string;
  /** Milliseconds since the epoch, by the clock of the node. */
  readonly startedAt: number;
  /** Plain data of whoever puts it; the store looks at none of it. Undefined members come back absent. */
  readonly state: object;
}

export interface StoredNode extends NodeRow {
  /** How long ago it was heard of, in milliseconds, by the clock of the store alone. */
  readonly silentMs: number;
}

/** What a node has seen of a trial. Plain data of whoever puts it. */
export interface NodeFigures extends Pick<NodeRow, 'id' | 'run'> {
  readonly figures: object;
}

/**
 * The nodes that have one store, one row each. What a node says is of the moment: it is no part of a backup, and other
 * nodes are not told of each change. Every method may reject with StoreError.
 */
export interface NodeTable {
  /** Puts the row of a program that starts, in the place of any other of its id. */
  join(node: NodeRow): Promise<void>;
  /** Puts the row again, also one that was forgotten. False: another run has taken its id; nothing was changed. */
  report(node: NodeRow): Promise<boolean>;
  /** Keeps what a run has seen of a trial, in the place of what it kept before; undefined: nothing any more. */
  putFigures(id: string, run: string, figures: object | undefined): Promise<void>;
  /** What runs have seen, whatever it is. */
  figures(): Promise<readonly NodeFigures[]>;
  /** Takes the row away of a run that ends. */
  leave(id: string, run: string): Promise<void>;
  /** By name and id; at most 1,000. */
  list(): Promise<readonly StoredNode[]>;
  /** Forgets those that were silent for at least so long; gives how many. */
  prune(silentMs: number): Promise<number>;
}
