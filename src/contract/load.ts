/** How busy this worker is. Offline nothing is ever busy. */
export interface Load {
  /** How late the event loop is with what is due, in milliseconds; 0 when it is not. */
  readonly lagMs: number;
}

export const NEVER_BUSY: Load = Object.freeze({ lagMs: 0 });

/** What a limiter does beside deciding, and somebody may want to be told of. A bounded set: it is a metric's label. */
export type Notice =
  /** Who calls could not be told as the document asks: limited by address. */
  | 'key-undecided'
  /** The cost of a request could not be told: the most it may cost was taken. */
  | 'cost-undecided'
  /** The shared store did not answer, and the attachment's `onStateLoss` said what to do. */
  | 'state-lost'
  /** A limit that moves by itself became tighter, or wider again. */
  | 'limit-tightened'
  | 'limit-restored';

/** Counts them, by attachment. Offline they are counted nowhere. */
export interface Notices {
  count(attachment: string, notice: Notice): void;
}

export const NOBODY_TOLD: Notices = Object.freeze({ count: () => {} });
