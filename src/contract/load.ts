/** How busy this worker is. Offline nothing is ever busy. */
export interface Load {
  /** How late the event loop is with what is due, in milliseconds; 0 when it is not. */
  readonly lagMs: number;
}

/** What a worker measures of itself, for deciding whom it can still serve. */
export interface WorkerLoad extends Load {
  /** What a request waits now for its turn, or for a thread of the pool, in milliseconds. */
  readonly turnMs: number;
  /** Cores that the process had in the last tenth of a second. */
  readonly cpuShare: number;
  /** Of a core, what this worker's thread had of it. */
  readonly threadShare: number;
  /** Heap used, as a share of the most this worker may have; 0 to 1. */
  readonly heapShare: number;
  /** Resident memory of the process. */
  readonly residentBytes: number;
  /** What the process may have: its container's limit, or all there is. */
  readonly residentLimitBytes: number;
  /** `work` is called after each measurement: every tenth of a second at least, and later when the loop is late. */
  watch(work: () => void): void;
}

export const NEVER_BUSY: Load = Object.freeze({ lagMs: 0 });

/** What a limiter does beside deciding, and somebody may want to be told of. A bounded set: it is a metric's label. */
export type Notice =
  /** Who calls could not be told as the document asks: limited by address. */
  | 'key-undecided'
  /** The cost of a request could not be told: the most it may cost was taken. */
  | 'cost-undecided'
  /** How much a request matters could not be told: the route's priority was taken. */
  | 'priority-undecided'
  /** The shared store did not answer, and the attachment's `onStateLoss` said what to do. */
  | 'state-lost'
  /** A limit that moves by itself became tighter, or wider again. */
  | 'limit-tightened'
  | 'limit-restored'
  /** Somebody was banned; or would have been, by an attachment in shadow. */
  | 'ban-imposed'
  | 'ban-in-shadow'
  /** Nobody was banned: it would have shut out networks of the operator's own. */
  | 'ban-protected'
  /** Nobody was banned: there are too many bans. */
  | 'ban-no-room';

/** Counts them, by attachment. Offline they are counted nowhere. */
export interface Notices {
  count(attachment: string, notice: Notice): void;
}

export const NOBODY_TOLD: Notices = Object.freeze({ count: () => {} });
