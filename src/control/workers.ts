import type { Clock, Counter, Gauge, Logger } from '../contract/index.ts';
import { type Activatable, type Activation, type Deadline, withDeadline } from '../lifecycle/index.ts';
import type { MeterSnapshot, MetricTotals } from '../observability/index.ts';
import { RestartBackoff } from './worker-backoff.ts';
import type { BoundAddress } from './worker-protocol.ts';
import { type Thread, WorkerThread } from './worker-thread.ts';

export interface WorkerPoolDeps<B extends Activatable> {
  readonly clock: Clock;
  readonly log: Logger;
  readonly activation: Activation<B>;
  readonly totals: MetricTotals;
  /** `sallyport_workers` and `sallyport_worker_restarts_total`. */
  readonly serving: Gauge;
  readonly restarts: Counter;
  /** Starts a thread; the id is new for each. */
  readonly spawn: (threadId: number) => Thread;
  /** Default: the real one. */
  readonly deadline?: Deadline;
  readonly schedule: (work: () => void, delayMs: number) => void;
}

export interface WorkerStatus {
  readonly id: number;
  readonly state: 'starting' | 'serving' | 'waiting';
  readonly restarts: number;
  /** Why the last thread of this slot ended, or undefined. */
  readonly lastEnd: string | undefined;
}

/** A place for one worker; threads in it come and go. */
interface Slot<B extends Activatable> {
  readonly id: number;
  readonly backoff: RestartBackoff;
  thread: WorkerThread<B> | undefined;
  isServing: boolean;
  restarts: number;
  lastEnd: string | undefined;
}

const METRICS_TIMEOUT_MS = 500;
/** Far longer than a compile holds a thread, since that pauses for others all the time. */
const SILENT_MS = 20_000;
/** On top of a drain's own deadline: time for the answer to arrive. */
const DRAIN_GRACE_MS = 1000;

/** Starts the data side's threads, starts them again when they die, and ends them gracefully. */
export class WorkerPool<B extends Activatable> {
  readonly #deps: WorkerPoolDeps<B>;
  readonly #slots: Slot<B>[] = [];
  readonly #heardAtMs = new WeakMap<WorkerThread<B>, number>();
  #nextThreadId = 1;
  #isStopping = false;

  constructor(deps: WorkerPoolDeps<B>) {
    this.#deps = deps;
  }

  /** Starts `count` threads at once; they serve when the first revision is activated. */
  async start(count: number): Promise<void> {
    for (let id = 0; id < count; id++) {
      const backoff = new RestartBackoff();
      this.#slots.push({ id, backoff, thread: undefined, isServing: false, restarts: 0, lastEnd: undefined });
    }
    await Promise.all(this.#slots.map((slot) => this.#fill(slot)));
  }

  status(): readonly WorkerStatus[] {
    return this.#slots.map(({ id, thread, isServing, restarts, lastEnd }) => {
      const state = isServing ? 'serving' : thread === undefined ? 'waiting' : 'starting';
      return { id, state, restarts, lastEnd };
    });
  }

  /** Replaces a worker without loss: the new one serves before the old one drains. False: no such worker. */
  async replace(id: number, drainMs: number): Promise<boolean> {
    const slot = this.#slots.find((s) => s.id === id);
    if (slot === undefined || this.#isStopping) return false;
    const old = slot.thread;
    this.#deps.log.info('worker-replacing', { worker: id });
    slot.thread = undefined;
    await this.#fill(slot);
    if (old !== undefined) await this.#drainThread(old, drainMs);
    this.#deps.log.info('worker-replaced', { worker: id });
    return true;
  }

  /** Ends a worker as a crash would: no drain. Its requests are lost; the others never stop. */
  kill(id: number): boolean {
    const thread = this.#slots.find((s) => s.id === id)?.thread;
    thread?.retire('it was told to end at once');
    return thread !== undefined;
  }

  /** Lets every worker finish its requests, for at most `drainMs`, then ends it. No thread is started again. */
  async stop(drainMs: number): Promise<void> {
    this.#isStopping = true;
    const threads = this.#slots.map((s) => s.thread).filter((t) => t !== undefined);
    await Promise.all(threads.map((thread) => this.#drainThread(thread, drainMs)));
  }

  /**
   * Brings the totals up to date; a worker that does not answer in time counts with its last figures. Done now
   * and then as well, so that little is lost with a worker that dies.
   */
  async collectMetrics(why: 'scrape' | 'keep'): Promise<void> {
    const deadline = this.#deps.deadline ?? withDeadline;
    await this.#each(async (thread) => {
      const metrics = thread.metrics(why === 'scrape');
      try {
        this.#keep(thread, await deadline(metrics, METRICS_TIMEOUT_MS, 'collecting metrics'));
      } catch {
        this.#endIfSilent(thread);
      }
    });
  }

  /** Has every worker open its record file by its name again (after a rotation). */
  async reopenRecords(): Promise<void> {
    await this.#each((thread) => thread.reopenRecords());
  }

  /** What the first serving worker listens on; all listen on the same. */
  async addresses(): Promise<readonly BoundAddress[]> {
    const serving = this.#slots.find((s) => s.isServing)?.thread;
    return serving === undefined ? [] : await serving.addresses();
  }

  /** Starts a thread in a slot and takes it in. Never rejects: a thread that fails is replaced by its end. */
  async #fill(slot: Slot<B>): Promise<void> {
    const { activation, log, clock } = this.#deps;
    const startedMs = clock.monotonic();
    const threadId = this.#nextThreadId++;
    const thread = new WorkerThread<B>(threadId, this.#deps.spawn(threadId));
    slot.thread = thread;
    void thread.ended.then((why) => this.#onEnd(slot, thread, why, clock.monotonic() - startedMs));
    try {
      await activation.admit(thread);
    } catch (error) {
      log.error('worker-not-admitted', { worker: slot.id, error });
      return;
    }
    if (!thread.isAlive) return activation.remove(thread);
    slot.isServing = true;
    this.#countServing();
  }

  #onEnd(slot: Slot<B>, thread: WorkerThread<B>, why: string, livedMs: number): void {
    this.#deps.activation.remove(thread);
    this.#deps.totals.retire(String(thread.id));
    if (slot.thread !== thread) return;
    slot.thread = undefined;
    slot.isServing = false;
    slot.lastEnd = why;
    this.#countServing();
    if (this.#isStopping) return;
    const delayMs = slot.backoff.delayAfter(livedMs);
    this.#deps.log.error('worker-ended', { worker: slot.id, reason: why, restartInMs: delayMs });
    this.#restartLater(slot, delayMs);
  }

  #restartLater(slot: Slot<B>, delayMs: number): void {
    const restart = () => {
      if (this.#isStopping || slot.thread !== undefined) return;
      slot.restarts++;
      this.#deps.restarts.add(1);
      void this.#fill(slot);
    };
    if (delayMs === 0) restart();
    else this.#deps.schedule(restart, delayMs);
  }

  async #drainThread(thread: WorkerThread<B>, drainMs: number): Promise<void> {
    this.#deps.activation.remove(thread);
    try {
      const drained = thread.drain(drainMs);
      this.#keep(thread, await withDeadline(drained, drainMs + DRAIN_GRACE_MS, 'draining a worker'));
    } catch (error) {
      this.#deps.log.warn('worker-drain-cut-short', { thread: thread.id, error });
    }
    thread.retire('it was replaced or the program ends');
    await thread.ended;
  }

  async #each(work: (thread: WorkerThread<B>) => Promise<void>): Promise<void> {
    const threads = this.#slots.map((s) => s.thread).filter((t) => t !== undefined);
    await Promise.allSettled(threads.map(work));
  }

  /** A thread that is caught in a loop serves nobody, and dies of nothing by itself. */
  #endIfSilent(thread: WorkerThread<B>): void {
    const nowMs = this.#deps.clock.monotonic();
    const heardAtMs = this.#heardAtMs.get(thread);
    if (heardAtMs === undefined) this.#heardAtMs.set(thread, nowMs);
    else if (nowMs - heardAtMs >= SILENT_MS) thread.retire(`it has not answered for ${SILENT_MS} ms`);
  }

  #keep(thread: WorkerThread<B>, snapshot: MeterSnapshot): void {
    this.#heardAtMs.set(thread, this.#deps.clock.monotonic());
    if (!thread.isAlive) return;
    this.#deps.totals.update(String(thread.id), snapshot);
  }

  #countServing(): void {
    this.#deps.serving.set(this.#slots.filter((s) => s.isServing).length);
  }
}
