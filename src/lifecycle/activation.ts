/**
 * All workers swap to a revision or none does. Two phases: every worker prepares and says so, only then
 * is the swap ordered. Whatever fails on the way (a refusal, a crash, silence) ends with every worker on
 * the revision that served before; a worker that cannot be brought back to it is retired, because a
 * worker of unknown state must not serve.
 */
import { InternalError } from '../errors.ts';

/** What is activated: immutable, and named by its revision. */
export interface Activatable {
  readonly revision: string;
}

/** One worker as the protocol sees it. Every promise rejects when the worker dies. */
export interface WorkerPort<B extends Activatable> {
  readonly id: number;
  /** Compiles and opens what is new; what serves now is untouched. Rejects with the reason. */
  prepare(bundle: B): Promise<void>;
  /** Swaps to a prepared revision. */
  activate(revision: string): Promise<void>;
  /** Drops a prepared revision that will not be activated. */
  discard(revision: string): Promise<void>;
  /** Ends a worker whose state is unknown; its supervisor starts another in its place. */
  retire(reason: string): void;
}

export interface ActivationTimeouts {
  /** Longest wait for one worker to compile. Default 30 s. */
  readonly prepareMs: number;
  /** Longest wait for one worker to swap. Default 5 s. */
  readonly activateMs: number;
}

/** Runs a promise against a deadline; rejects when it is not settled in time. Given in, so that tests own time. */
export type Deadline = <T>(work: Promise<T>, ms: number, what: string) => Promise<T>;

/** Why a revision is not served: the first worker's reason, in its own error. */
export class ActivationError extends Error {
  override readonly name = 'ActivationError';
  readonly worker: number;
  readonly phase: 'prepare' | 'activate';

  constructor(worker: number, phase: 'prepare' | 'activate', cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause });
    this.worker = worker;
    this.phase = phase;
  }
}

const DEFAULT_TIMEOUTS: ActivationTimeouts = { prepareMs: 30_000, activateMs: 5_000 };

/** The set of serving workers and the one revision they serve. Everything here happens one at a time. */
export class Activation<B extends Activatable> {
  readonly #deadline: Deadline;
  readonly #timeouts: ActivationTimeouts;
  readonly #workers = new Map<number, WorkerPort<B>>();
  #active: B | undefined;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(deadline: Deadline = withDeadline, timeouts: ActivationTimeouts = DEFAULT_TIMEOUTS) {
    this.#deadline = deadline;
    this.#timeouts = timeouts;
  }

  /** What every serving worker serves, or undefined before the first activation. */
  get active(): B | undefined {
    return this.#active;
  }

  /** Ids of the workers that serve. */
  get serving(): readonly number[] {
    return [...this.#workers.keys()];
  }

  /**
   * Takes a started worker in: it serves the active revision before it counts. Before the first
   * activation it just joins. Rejects (and retires the worker) when it cannot serve that revision.
   */
  admit(worker: WorkerPort<B>): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#active !== undefined) await this.#restore(worker, this.#active);
      this.#workers.set(worker.id, worker);
    });
  }

  /** Takes a worker out at once: it is dead, or drains. Pending steps with it fail by themselves. */
  remove(worker: WorkerPort<B>): void {
    if (this.#workers.get(worker.id) === worker) this.#workers.delete(worker.id);
  }

  /** Takes a worker out in its turn, so that no swap under way fails with its end. For one that is to be ended. */
  release(worker: WorkerPort<B>): Promise<void> {
    return this.#inTurn(async () => this.remove(worker));
  }

  /**
   * Brings all workers to `bundle`, after those asked for before. `approve` runs beside the workers'
   * preparation and refuses by rejecting. Rejects with ActivationError, or with what `approve` said.
   */
  publish(bundle: B, approve: () => Promise<void> = async () => {}): Promise<void> {
    return this.#inTurn(() => this.#swap(bundle, approve));
  }

  async #swap(bundle: B, approve: () => Promise<void>): Promise<void> {
    const workers = [...this.#workers.values()];
    if (workers.length === 0) throw new InternalError('no worker is there to serve');
    const before = this.#active;
    const prepared = await Promise.allSettled([approve(), ...workers.map((w) => this.#prepare(w, bundle))]);
    const refusal = prepared.find((r) => r.status === 'rejected');
    if (refusal !== undefined) {
      await Promise.all(workers.map((w) => this.#drop(w, bundle)));
      throw refusal.reason;
    }
    const activated = await Promise.allSettled(workers.map((w) => this.#activate(w, bundle)));
    const failure = activated.find((r) => r.status === 'rejected');
    if (failure === undefined) {
      this.#active = bundle;
      return;
    }
    await Promise.all(workers.map((w) => this.#rollBack(w, bundle, before)));
    throw failure.reason;
  }

  async #prepare(worker: WorkerPort<B>, bundle: B): Promise<void> {
    try {
      await this.#deadline(worker.prepare(bundle), this.#timeouts.prepareMs, 'preparing a revision');
    } catch (cause) {
      throw new ActivationError(worker.id, 'prepare', cause);
    }
  }

  async #activate(worker: WorkerPort<B>, bundle: B): Promise<void> {
    try {
      await this.#deadline(
        worker.activate(bundle.revision),
        this.#timeouts.activateMs,
        'activating a revision',
      );
    } catch (cause) {
      throw new ActivationError(worker.id, 'activate', cause);
    }
  }

  /** Never rejects: a worker that cannot even discard is retired. */
  async #drop(worker: WorkerPort<B>, bundle: B): Promise<void> {
    try {
      await this.#deadline(
        worker.discard(bundle.revision),
        this.#timeouts.activateMs,
        'discarding a revision',
      );
    } catch (cause) {
      this.#retire(worker, cause);
    }
  }

  /** After the swap was ordered nobody knows who did it: all go back, or go. Never rejects. */
  async #rollBack(worker: WorkerPort<B>, bundle: B, before: B | undefined): Promise<void> {
    if (before === undefined) {
      this.#retire(worker, new Error('the first revision could not be activated'));
      return;
    }
    try {
      await this.#restore(worker, before);
      await this.#drop(worker, bundle);
    } catch {
      // `#restore` has retired it.
    }
  }

  async #restore(worker: WorkerPort<B>, bundle: B): Promise<void> {
    try {
      await this.#prepare(worker, bundle);
      await this.#activate(worker, bundle);
    } catch (cause) {
      this.#retire(worker, cause);
      throw cause;
    }
  }

  #retire(worker: WorkerPort<B>, cause: unknown): void {
    this.remove(worker);
    worker.retire(cause instanceof Error ? cause.message : String(cause));
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(step);
    this.#tail = turn.catch(() => {});
    return turn;
  }
}

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
