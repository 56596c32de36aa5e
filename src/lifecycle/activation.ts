/**
 * All workers swap to a revision or none does. Two phases: every worker prepares and says so, only then
 * is the swap ordered. Whatever fails on the way (a refusal, a crash, silence) ends with every worker on
 * the revision that served before; a worker that cannot be brought back to it is retired, because a
 * worker of unknown state must not serve. The same holds for a candidate that judges part of the traffic.
 */
import type { Trial } from '../contract/index.ts';
import { InternalError } from '../errors.ts';
import { WorkerOrders } from './worker-orders.ts';
import {
  type Activatable,
  type ActivationTimeouts,
  DEFAULT_TIMEOUTS,
  type Deadline,
  type WorkerPort,
  withDeadline,
} from './worker-port.ts';

/** A revision that every worker has prepared, and the part it has beside the active one. */
export interface Candidate<B extends Activatable> {
  readonly bundle: B;
  readonly trial: Trial;
}

/** A trial that nobody asked to end. */
export interface LostTrial {
  readonly trial: Trial;
  /** A worker's failure, or that another revision is active by now. */
  readonly cause: unknown;
}

/** One may end for any reason; so many in one trial most probably do for the candidate. */
const MAX_DEATHS = 3;

/** A trial was ended before every worker had taken it. */
export class TrialEndedError extends Error {
  override readonly name = 'TrialEndedError';

  constructor() {
    super('the trial was ended meanwhile');
  }
}

/**
 * The set of serving workers, the one revision they serve and the one they try. Everything here happens one at a time,
 * but for the end of a trial, which waits for nothing.
 */
export class Activation<B extends Activatable> {
  readonly #orders: WorkerOrders<B>;
  readonly #workers = new Map<number, WorkerPort<B>>();
  /** Those that are not taken in yet and are just told of the trial. */
  readonly #joining = new Set<WorkerPort<B>>();
  #active: B | undefined;
  #candidate: Candidate<B> | undefined;
  #lastTrial: Trial | undefined;
  #lostTrial: LostTrial | undefined;
  /** How often a trial was ended: what was begun under another number is not gone on with. */
  #endings = 0;
  /** Workers that have ended while the candidate was tried. */
  #deaths = 0;
  #tail: Promise<unknown> = Promise.resolve();

  constructor(deadline: Deadline = withDeadline, timeouts: ActivationTimeouts = DEFAULT_TIMEOUTS) {
    this.#orders = new WorkerOrders(deadline, timeouts, (worker, cause) => this.#retire(worker, cause));
  }

  /** What every serving worker serves, or undefined before the first activation. */
  get active(): B | undefined {
    return this.#active;
  }

  /** What every serving worker tries beside it. */
  get candidate(): Candidate<B> | undefined {
    return this.#candidate;
  }

  /** The trial under way or, where none is, the one that ended last: its figures can still be asked for. */
  get lastTrial(): Trial | undefined {
    return this.#lastTrial;
  }

  /** The last trial where it ended unasked; undefined once another has begun. */
  get lostTrial(): LostTrial | undefined {
    return this.#lostTrial;
  }

  /** Ids of the workers that serve. */
  get serving(): readonly number[] {
    return [...this.#workers.keys()];
  }

  /**
   * Takes a started worker in: it serves the active revision, and tries the candidate, before it counts. Before the
   * first activation it just joins. Rejects (and retires the worker) when it cannot serve that revision. Where it is
   * the candidate that it cannot prepare, the trial ends everywhere: a candidate is to cost no worker.
   */
  admit(worker: WorkerPort<B>): Promise<void> {
    return this.#inTurn(async () => {
      try {
        if (this.#active !== undefined) await this.#orders.restore(worker, this.#active);
        if (this.#candidate !== undefined) await this.#join(worker, this.#candidate);
        this.#workers.set(worker.id, worker);
      } finally {
        this.#joining.delete(worker);
      }
    });
  }

  /** Takes a worker out at once: it drains. Pending steps with it fail by themselves. */
  remove(worker: WorkerPort<B>): void {
    if (this.#workers.get(worker.id) === worker) this.#workers.delete(worker.id);
  }

  /** The same for one that has ended by itself. When several do while a candidate is tried, that is over. */
  died(worker: WorkerPort<B>): void {
    if (this.#workers.get(worker.id) !== worker) return;
    this.#workers.delete(worker.id);
    if (this.#candidate === undefined || ++this.#deaths < MAX_DEATHS) return;
    void this.#loseTrial(new Error(`${MAX_DEATHS} workers have ended while it was tried`));
  }

  /** Takes a worker out in its turn, so that no swap under way fails with its end. For one that is to be ended. */
  release(worker: WorkerPort<B>): Promise<void> {
    return this.#inTurn(async () => this.remove(worker));
  }

  /**
   * Brings all workers to `bundle`, after those asked for before. `approve` runs beside the workers'
   * preparation and refuses by rejecting. Rejects with ActivationError, or with what `approve` said. The candidate is
   * prepared already. Whichever revision becomes active, a trial ends with that; so it does where a swap that was
   * ordered fails.
   */
  publish(bundle: B, approve: () => Promise<void> = async () => {}): Promise<void> {
    return this.#inTurn(() => this.#swap(bundle, approve));
  }

  /**
   * Has `bundle` judge part of the traffic beside the active revision, in all workers or in none. Of the revision that
   * is tried already only the part changes; where a worker does not take it, it stays what it was. Rejects with
   * ActivationError, or TrialEndedError where the trial was ended meanwhile.
   */
  try(bundle: B, trial: Trial): Promise<void> {
    const endings = this.#endings;
    return this.#inTurn(() => this.#try({ bundle, trial }, () => this.#endings !== endings));
  }

  /**
   * Ends the trial in every worker, without waiting for what is under way: for the activation it is over when this
   * returns, for every worker when it resolves. A worker that does not confirm in time is retired.
   */
  async endTrial(): Promise<void> {
    this.#endings++;
    this.#candidate = undefined;
    const workers = [...this.#workers.values(), ...this.#joining];
    await Promise.all(workers.map((w) => this.#orders.endTrial(w)));
  }

  async #swap(bundle: B, approve: () => Promise<void>): Promise<void> {
    const workers = this.#present();
    const before = this.#active;
    const candidate = this.#candidate;
    const isTried = candidate?.bundle.revision === bundle.revision;
    const toPrepare = isTried ? [] : workers;
    const prepared = [approve(), ...toPrepare.map((w) => this.#orders.prepare(w, bundle))];
    const refusal = firstFailure(await Promise.allSettled(prepared));
    if (refusal !== undefined) {
      await Promise.all(toPrepare.map((w) => this.#orders.drop(w, bundle)));
      throw refusal.reason;
    }
    if (isTried && this.#candidate !== candidate) throw new TrialEndedError();
    const activated = workers.map((w) => this.#orders.activate(w, bundle));
    const failure = firstFailure(await Promise.allSettled(activated));
    if (failure !== undefined) {
      await this.#loseTrial(failure.reason);
      await Promise.all(workers.map((w) => this.#rollBack(w, bundle, before)));
      throw failure.reason;
    }
    // What the workers have prepared, even where what was offered now differs in its files.
    this.#active = isTried ? candidate.bundle : bundle;
    if (isTried) this.#candidate = undefined;
    else await this.#loseTrial(new Error(`revision ${bundle.revision} became active`));
  }

  /** After the swap was ordered nobody knows who did it: all go back, or go. Never rejects. */
  async #rollBack(worker: WorkerPort<B>, bundle: B, before: B | undefined): Promise<void> {
    if (before === undefined) {
      this.#retire(worker, new Error('the first revision could not be activated'));
      return;
    }
    try {
      await this.#orders.restore(worker, before);
      await this.#orders.drop(worker, bundle);
    } catch {
      // `restore` has retired it.
    }
  }

  async #try(next: Candidate<B>, isOver: () => boolean): Promise<void> {
    const { bundle, trial } = next;
    const before = this.#candidate;
    if (this.#active === undefined) throw new InternalError('nothing is active to try a candidate beside');
    if (trial.revision !== bundle.revision) throw new InternalError('a trial is of another revision');
    if (this.#active.revision === bundle.revision) throw new InternalError('the candidate is active already');
    if (before !== undefined && before.bundle.revision !== bundle.revision) {
      throw new InternalError(`revision ${before.bundle.revision} is tried already`);
    }
    if (isOver()) throw new TrialEndedError();
    const workers = this.#present();
    if (before === undefined) await this.#prepareAll(workers, bundle);
    if (isOver()) {
      await Promise.all(workers.map((w) => this.#orders.drop(w, bundle)));
      throw new TrialEndedError();
    }
    const bundles = this.#judgedBy(bundle, trial);
    const taken = workers.map((w) => this.#orders.setTrial(w, trial, bundles));
    const failure = firstFailure(await Promise.allSettled(taken));
    // Whoever ended it has told the workers after this had.
    if (isOver()) throw new TrialEndedError();
    if (failure === undefined) {
      if (before === undefined) this.#deaths = 0;
      this.#candidate = before === undefined ? next : { bundle: before.bundle, trial };
      this.#lastTrial = trial;
      this.#lostTrial = undefined;
      return;
    }
    await Promise.all(
      workers.map((w) => (before === undefined ? this.#dropTried(w, bundle) : this.#resetTrial(w, before))),
    );
    throw failure.reason;
  }

  /** What a worker needs to judge requests a second time, by the revision that did not decide them. */
  #judgedBy(candidate: B, { shadow }: Trial): readonly B[] {
    return shadow === undefined || this.#active === undefined ? [] : [candidate, this.#active];
  }

  #resetTrial(worker: WorkerPort<B>, { bundle, trial }: Candidate<B>): Promise<boolean> {
    return this.#orders.resetTrial(worker, trial, this.#judgedBy(bundle, trial));
  }

  async #prepareAll(workers: readonly WorkerPort<B>[], bundle: B): Promise<void> {
    const prepared = await Promise.allSettled(workers.map((w) => this.#orders.prepare(w, bundle)));
    const failure = firstFailure(prepared);
    if (failure === undefined) return;
    await Promise.all(workers.map((w) => this.#orders.drop(w, bundle)));
    throw failure.reason;
  }

  /** Of a worker that may have taken the trial, or not. */
  async #dropTried(worker: WorkerPort<B>, bundle: B): Promise<void> {
    if (await this.#orders.endTrial(worker)) await this.#orders.drop(worker, bundle);
  }

  async #join(worker: WorkerPort<B>, candidate: Candidate<B>): Promise<void> {
    try {
      await this.#orders.prepare(worker, candidate.bundle);
      // What is ended from here on is told to it, too.
      this.#joining.add(worker);
      const { bundle, trial } = candidate;
      if (this.#candidate === candidate)
        await this.#orders.setTrial(worker, trial, this.#judgedBy(bundle, trial));
    } catch (cause) {
      if (this.#candidate === candidate) await this.#loseTrial(cause);
    }
    if (this.#candidate === candidate) return;
    if (!(await this.#orders.drop(worker, candidate.bundle))) {
      throw new Error('it could not drop a candidate that is not tried any more');
    }
  }

  async #loseTrial(cause: unknown): Promise<void> {
    const lost = this.#candidate;
    if (lost === undefined) return;
    this.#lostTrial = { trial: lost.trial, cause };
    await this.endTrial();
  }

  #present(): readonly WorkerPort<B>[] {
    if (this.#workers.size === 0) throw new InternalError('no worker is there to serve');
    return [...this.#workers.values()];
  }

  #retire(worker: WorkerPort<B>, cause: unknown): void {
    this.died(worker);
    worker.retire(cause instanceof Error ? cause.message : String(cause));
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(step);
    this.#tail = turn.catch(() => {});
    return turn;
  }
}

const firstFailure = (results: readonly PromiseSettledResult<void>[]): PromiseRejectedResult | undefined =>
  results.find((result) => result.status === 'rejected');
