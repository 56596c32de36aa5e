import type {
  Clock,
  Counter,
  Gauge,
  ImposedBan,
  LiveUpdate,
  Logger,
  TrialFigures,
} from '../contract/index.ts';
import { type Activatable, type Activation, type Deadline, withDeadline } from '../lifecycle/index.ts';
import type { MeterSnapshot, MetricTotals } from '../observability/index.ts';
import type { RecordingPlace } from '../recording/index.ts';
import type { QuotaNote } from '../state/index.ts';
import { TrialLedger } from './trial-ledger.ts';
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
  /** Told of each ban that a policy imposed in a worker. */
  readonly onBan?: (ban: ImposedBan) => void;
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
  /** On its way to the place of `thread`, which serves until then. */
  heir: WorkerThread<B> | undefined;
  /** Settles when the replacement under way is over, the old thread's drain included. */
  replacing: Promise<void> | undefined;
  isServing: boolean;
  restarts: number;
  lastEnd: string | undefined;
}

const METRICS_TIMEOUT_MS = 500;
const LIVE_TIMEOUT_MS = 1000;
/** Far longer than a compile holds a thread, since that pauses for others all the time. */
const SILENT_MS = 20_000;
/** On top of a drain's own deadline: time for the answer to arrive. */
const DRAIN_GRACE_MS = 1000;

/** Starts the data side's threads, starts them again when they die, and ends them gracefully. */
export class WorkerPool<B extends Activatable> {
  readonly #deps: WorkerPoolDeps<B>;
  readonly #slots: Slot<B>[] = [];
  /** All that have not ended: those in slots, their heirs, and those that drain. */
  readonly #threads = new Set<WorkerThread<B>>();
  readonly #drains = new WeakMap<WorkerThread<B>, Promise<void>>();
  readonly #heardAtMs = new WeakMap<WorkerThread<B>, number>();
  /** The latest of each subject: what a new thread has to know before it serves. */
  readonly #live = new Map<string, LiveUpdate>();
  /** Told and not asked for yet, also by threads that have ended since. */
  #toldQuotas: QuotaNote[] = [];
  readonly #trials = new TrialLedger();
  #lastAddresses: readonly BoundAddress[] = [];
  #recordingPlace: RecordingPlace | undefined = undefined;
  #nextThreadId = 1;
  #isStopping = false;

  constructor(deps: WorkerPoolDeps<B>) {
    this.#deps = deps;
  }

  /** Starts `count` threads at once; they serve when the first revision is activated. */
  async start(count: number): Promise<void> {
    for (let id = 0; id < count; id++) {
      this.#slots.push({
        id,
        backoff: new RestartBackoff(),
        thread: undefined,
        heir: undefined,
        replacing: undefined,
        isServing: false,
        restarts: 0,
        lastEnd: undefined,
      });
    }
    await Promise.all(this.#slots.map((slot) => this.#fill(slot)));
  }

  status(): readonly WorkerStatus[] {
    return this.#slots.map(({ id, thread, heir, isServing, restarts, lastEnd }) => {
      const state = isServing ? 'serving' : (thread ?? heir) === undefined ? 'waiting' : 'starting';
      return { id, state, restarts, lastEnd };
    });
  }

  /**
   * Replaces a worker: the new one serves before the old one drains, and the old one serves on where the new one
   * cannot. Requests under way end (for at most `drainMs`); on an idle connection the next request is still answered
   * for a second, then it is closed: a client that sends at that very moment has to try again. Asked again
   * meanwhile, it is the same replacement. False: no such worker.
   */
  async replace(id: number, drainMs: number): Promise<boolean> {
    const slot = this.#slots.find((s) => s.id === id);
    if (slot === undefined || this.#isStopping) return false;
    slot.replacing ??= this.#replace(slot, drainMs).finally(() => {
      slot.replacing = undefined;
    });
    await slot.replacing;
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
    await Promise.all([...this.#threads].map((thread) => this.#drain(thread, drainMs)));
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

  /**
   * Brings a change of live data to every worker, and to each that is started later. Resolves when all that are up
   * have it; one that does not answer in time is left to the watch over silent ones, and logged. `whole` is what one that
   * is started later has to know of the subject, where the update tells only what has changed.
   */
  async update(update: LiveUpdate, whole = update): Promise<void> {
    this.#live.set(subjectOf(whole), whole);
    const deadline = this.#deps.deadline ?? withDeadline;
    await this.#each(async (thread) => {
      const applied = thread.live(update);
      // One that is not up yet takes its orders in turn: this one before the first revision.
      if (!thread.hasAnswered) return void applied.catch(() => {});
      try {
        await deadline(applied, LIVE_TIMEOUT_MS, 'bringing live data to a worker');
      } catch (error) {
        this.#deps.log.error('live-update-failed', { thread: thread.id, subject: update.subject, error });
      }
    });
  }

  /** What the address lists hold, as a thread that is started now would be told. */
  get lists(): readonly LiveUpdate[] {
    return [...this.#live.values()].filter(({ subject }) => subject === 'list');
  }

  /** Ids of the credentials that were used since this was last asked; what a worker tells too late is lost. */
  async collectUses(): Promise<ReadonlySet<string>> {
    const deadline = this.#deps.deadline ?? withDeadline;
    const used = new Set<string>();
    await this.#each(async (thread) => {
      for (const id of await deadline(thread.uses(), METRICS_TIMEOUT_MS, 'collecting uses')) used.add(id);
    });
    return used;
  }

  /** Quotas that were charged since this was last asked; what a worker tells too late it tells the next time. */
  async collectQuotas(): Promise<readonly QuotaNote[]> {
    await this.#each((thread) => this.#takeQuotas(thread));
    const told = this.#toldQuotas;
    this.#toldQuotas = [];
    return told;
  }

  /**
   * What the trial under way has shown, or the one that ended last; undefined before the first. Of a worker that has
   * ended, or does not answer in time, it is what it told last.
   */
  async trialFigures(): Promise<TrialFigures | undefined> {
    await this.#each((thread) => this.#takeReport(thread));
    const trial = this.#deps.activation.lastTrial;
    return trial === undefined ? undefined : this.#trials.sum(trial);
  }

  async #takeReport(thread: WorkerThread<B>): Promise<void> {
    const deadline = this.#deps.deadline ?? withDeadline;
    const told = thread.trialReport();
    const report = await deadline(told, METRICS_TIMEOUT_MS, 'collecting figures of a trial');
    if (report !== undefined) this.#trials.keep(thread.id, report);
  }

  async #takeQuotas(thread: WorkerThread<B>): Promise<void> {
    const deadline = this.#deps.deadline ?? withDeadline;
    const told = thread.quotas().then((notes) => {
      for (const note of notes) this.#toldQuotas.push(note);
    });
    await deadline(told, METRICS_TIMEOUT_MS, 'collecting quotas');
  }

  /** Has every worker record what it serves, and each that is started later. Resolves when those that are up do. */
  async recordTo(place: RecordingPlace): Promise<void> {
    this.#recordingPlace = place;
    await this.#each((thread) => thread.recordTo(place));
  }

  /** Has every worker write what it has recorded so far. One that does not answer in time is not waited for. */
  async flushRecording(): Promise<void> {
    const deadline = this.#deps.deadline ?? withDeadline;
    await this.#each((thread) => deadline(thread.flushRecording(), LIVE_TIMEOUT_MS, 'writing records'));
  }

  /** Has every worker open its record file by its name again (after a rotation). */
  async reopenRecords(): Promise<void> {
    await this.#each((thread) => thread.reopenRecords());
  }

  /** What the workers listen on: all on the same, so the first that answers tells. */
  async addresses(): Promise<readonly BoundAddress[]> {
    for (const { thread, isServing } of this.#slots) {
      if (!isServing || thread === undefined) continue;
      try {
        this.#lastAddresses = await thread.addresses();
        break;
      } catch (error) {
        this.#deps.log.warn('worker-addresses-unknown', { thread: thread.id, error });
      }
    }
    // Where none answers, those that are being started again listen there as well.
    return this.#lastAddresses;
  }

  #spawn(slot: Slot<B>): WorkerThread<B> {
    const { clock, spawn, onBan } = this.#deps;
    const startedMs = clock.monotonic();
    const threadId = this.#nextThreadId++;
    const thread = new WorkerThread<B>(threadId, spawn(threadId), onBan);
    this.#threads.add(thread);
    for (const update of this.#live.values()) void thread.live(update).catch(() => {});
    void thread.ended.then((why) => this.#onEnd(slot, thread, why, clock.monotonic() - startedMs));
    return thread;
  }

  /** Starts a thread in an empty slot and takes it in. Never rejects: one that fails is replaced by its end. */
  async #fill(slot: Slot<B>): Promise<void> {
    const thread = this.#spawn(slot);
    slot.thread = thread;
    if (!(await this.#admit(slot, thread))) return;
    slot.isServing = true;
    this.#countServing();
  }

  /** Never rejects; false: the thread has ended, or will. */
  async #admit(slot: Slot<B>, thread: WorkerThread<B>): Promise<boolean> {
    const { activation, log } = this.#deps;
    try {
      await activation.admit(thread);
    } catch (error) {
      if (!this.#isStopping) log.error('worker-not-admitted', { worker: slot.id, error });
      return false;
    }
    // Before the first revision a thread joins without a word, even a dead one.
    if (!thread.isAlive) activation.remove(thread);
    // Only now, since what records is loaded for it.
    if (this.#recordingPlace !== undefined) void thread.recordTo(this.#recordingPlace).catch(() => {});
    return thread.isAlive;
  }

  async #replace(slot: Slot<B>, drainMs: number): Promise<void> {
    const { activation, log } = this.#deps;
    log.info('worker-replacing', { worker: slot.id });
    const heir = this.#spawn(slot);
    slot.heir = heir;
    const isIn = await this.#admit(slot, heir);
    slot.heir = undefined;
    if (!isIn) return await this.#onLostHeir(slot, heir);
    const old = slot.thread;
    slot.thread = heir;
    slot.isServing = true;
    this.#countServing();
    if (old !== undefined) {
      await activation.release(old);
      await this.#drain(old, drainMs);
    }
    log.info('worker-replaced', { worker: slot.id });
  }

  async #onLostHeir(slot: Slot<B>, heir: WorkerThread<B>): Promise<void> {
    const reason = await heir.ended;
    if (this.#isStopping) return;
    this.#deps.log.error('worker-not-replaced', { worker: slot.id, reason });
    if (slot.thread === undefined) this.#restartLater(slot, slot.backoff.delayAfter(0));
  }

  #onEnd(slot: Slot<B>, thread: WorkerThread<B>, why: string, livedMs: number): void {
    this.#threads.delete(thread);
    this.#deps.activation.died(thread);
    this.#deps.totals.retire(String(thread.id));
    if (slot.thread !== thread) return;
    slot.thread = undefined;
    slot.isServing = false;
    slot.lastEnd = why;
    this.#countServing();
    if (this.#isStopping) return;
    // With an heir on its way there is nothing to start: it takes the place, or `#onLostHeir` sees to it.
    const restartInMs = slot.heir === undefined ? slot.backoff.delayAfter(livedMs) : undefined;
    this.#deps.log.error('worker-ended', { worker: slot.id, reason: why, restartInMs });
    if (restartInMs !== undefined) this.#restartLater(slot, restartInMs);
  }

  #restartLater(slot: Slot<B>, delayMs: number): void {
    const restart = () => {
      if (this.#isStopping || (slot.thread ?? slot.heir) !== undefined) return;
      slot.restarts++;
      this.#deps.restarts.add(1);
      void this.#fill(slot);
    };
    if (delayMs === 0) restart();
    else this.#deps.schedule(restart, delayMs);
  }

  /** Once for each thread, whoever asks: the end of the program may meet a replacement. */
  #drain(thread: WorkerThread<B>, drainMs: number): Promise<void> {
    const drain = this.#drains.get(thread) ?? this.#drainAndEnd(thread, drainMs);
    this.#drains.set(thread, drain);
    return drain;
  }

  async #drainAndEnd(thread: WorkerThread<B>, drainMs: number): Promise<void> {
    this.#deps.activation.remove(thread);
    try {
      const drained = thread.drain(drainMs);
      this.#keep(thread, await withDeadline(drained, drainMs + DRAIN_GRACE_MS, 'draining a worker'));
    } catch (error) {
      this.#deps.log.warn('worker-drain-cut-short', { thread: thread.id, error });
    }
    await this.#takeQuotas(thread).catch(() => {});
    await this.#takeReport(thread).catch(() => {});
    thread.retire('it was replaced or the program ends');
    await thread.ended;
  }

  async #each(work: (thread: WorkerThread<B>) => Promise<void>): Promise<void> {
    await Promise.allSettled([...this.#threads].map(work));
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

const subjectOf = (update: LiveUpdate): string =>
  update.subject === 'list' ? `list ${update.name}` : update.subject;
