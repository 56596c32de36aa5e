import type { Trial } from '../contract/index.ts';

/** What is activated: immutable, and named by its revision. */
export interface Activatable {
  readonly revision: string;
}

/** One worker as the protocol sees it. Every promise rejects when the worker dies. */
export interface WorkerPort<B extends Activatable> {
  readonly id: number;
  /** Compiles and opens what is new; what serves now is untouched. Rejects with the reason. */
  prepare(bundle: B): Promise<void>;
  /** Swaps to a prepared revision. A trial that is under way ends with it. */
  activate(revision: string): Promise<void>;
  /** Drops a prepared revision that will not be activated. */
  discard(revision: string): Promise<void>;
  /**
   * Has a prepared revision judge part of the traffic from now on, or another part. Done at once. `bundles`: the candidate
   * and what is active, where requests are to be judged a second time; else none.
   */
  setTrial(trial: Trial, bundles: readonly B[]): Promise<void>;
  /** From now on the active revision alone judges, and the candidate is dropped. Done at once; without a trial it is nothing. */
  endTrial(): Promise<void>;
  /** Ends a worker whose state is unknown; its supervisor starts another in its place. */
  retire(reason: string): void;
}

export interface ActivationTimeouts {
  /** Longest wait for one worker to compile. Default 30 s. */
  readonly prepareMs: number;
  /** Longest wait for one worker to swap, or to take a trial. Default 5 s. */
  readonly activateMs: number;
  /** Longest wait for one worker to end a trial: what it judges later is not waited for. Default 900 ms. */
  readonly endTrialMs: number;
}

/** Runs a promise against a deadline; rejects when it is not settled in time. Given in, so that tests own time. */
export type Deadline = <T>(work: Promise<T>, ms: number, what: string) => Promise<T>;

/** Which step a worker failed in. */
export type ActivationPhase = 'prepare' | 'activate' | 'try';

/** Why a revision is not served, or not tried: the first worker's reason, in its own error. */
export class ActivationError extends Error {
  override readonly name = 'ActivationError';
  readonly worker: number;
  readonly phase: ActivationPhase;

  constructor(worker: number, phase: ActivationPhase, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.worker = worker;
    this.phase = phase;
  }
}

export const DEFAULT_TIMEOUTS: ActivationTimeouts = {
  prepareMs: 30_000,
  activateMs: 5_000,
  endTrialMs: 900,
};

/** The deadline of the real world. The timer does not keep the process alive. */
export const withDeadline: Deadline = async (work, ms, what) => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${what} took longer than ${ms} ms`)), ms);
    timer.unref();
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};
