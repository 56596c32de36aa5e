import type { Trial } from '../contract/index.ts';
import {
  type Activatable,
  ActivationError,
  type ActivationPhase,
  type ActivationTimeouts,
  type Deadline,
  type WorkerPort,
} from './worker-port.ts';

/** Orders to one worker, each with its deadline. */
export class WorkerOrders<B extends Activatable> {
  readonly #deadline: Deadline;
  readonly #timeouts: ActivationTimeouts;
  readonly #retire: (worker: WorkerPort<B>, cause: unknown) => void;

  /** `retire` ends a worker that cannot be brought into a known state. */
  constructor(
    deadline: Deadline,
    timeouts: ActivationTimeouts,
    retire: (worker: WorkerPort<B>, cause: unknown) => void,
  ) {
    this.#deadline = deadline;
    this.#timeouts = timeouts;
    this.#retire = retire;
  }

  /** Rejects with ActivationError. */
  prepare(worker: WorkerPort<B>, bundle: B): Promise<void> {
    const { prepareMs } = this.#timeouts;
    return this.#order(worker, 'prepare', worker.prepare(bundle), prepareMs, 'preparing a revision');
  }

  /** Rejects with ActivationError. */
  activate(worker: WorkerPort<B>, { revision }: B): Promise<void> {
    const { activateMs } = this.#timeouts;
    return this.#order(worker, 'activate', worker.activate(revision), activateMs, 'activating a revision');
  }

  /** Rejects with ActivationError. */
  setTrial(worker: WorkerPort<B>, trial: Trial, bundles: readonly B[]): Promise<void> {
    const { activateMs } = this.#timeouts;
    return this.#order(worker, 'try', worker.setTrial(trial, bundles), activateMs, 'taking a trial');
  }

  /** Rejects where the worker cannot serve that revision, and then it is retired. */
  async restore(worker: WorkerPort<B>, bundle: B): Promise<void> {
    try {
      await this.prepare(worker, bundle);
      await this.activate(worker, bundle);
    } catch (cause) {
      this.#retire(worker, cause);
      throw cause;
    }
  }

  /** Never rejects: a worker that cannot even discard is retired. False: it was. */
  drop(worker: WorkerPort<B>, { revision }: B): Promise<boolean> {
    const { activateMs } = this.#timeouts;
    return this.#orRetire(worker, worker.discard(revision), activateMs, 'discarding a revision');
  }

  /** Never rejects: a worker that does not confirm in time is retired, which ends its trial too. */
  endTrial(worker: WorkerPort<B>): Promise<boolean> {
    const { endTrialMs } = this.#timeouts;
    return this.#orRetire(worker, worker.endTrial(), endTrialMs, 'ending a trial');
  }

  /** Never rejects: a worker that cannot go back to the trial it had is retired. */
  resetTrial(worker: WorkerPort<B>, trial: Trial, bundles: readonly B[]): Promise<boolean> {
    const { activateMs } = this.#timeouts;
    return this.#orRetire(worker, worker.setTrial(trial, bundles), activateMs, 'going back to a trial');
  }

  async #order(
    worker: WorkerPort<B>,
    phase: ActivationPhase,
    done: Promise<void>,
    ms: number,
    what: string,
  ): Promise<void> {
    try {
      await this.#deadline(done, ms, what);
    } catch (cause) {
      throw new ActivationError(worker.id, phase, cause);
    }
  }

  async #orRetire(worker: WorkerPort<B>, done: Promise<void>, ms: number, what: string): Promise<boolean> {
    try {
      await this.#deadline(done, ms, what);
      return true;
    } catch (cause) {
      this.#retire(worker, cause);
      return false;
    }
  }
}
