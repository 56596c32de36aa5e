import type { ImposedBan, LiveUpdate, Trial, TrialReport } from '../contract/index.ts';
import { ConfigError, InternalError } from '../errors.ts';
import type { Activatable, WorkerPort } from '../lifecycle/index.ts';
import type { MeterSnapshot } from '../observability/index.ts';
import type { RecordingPlace } from '../recording/index.ts';
import type { QuotaNote } from '../state/index.ts';
import {
  type AnswerMessage,
  type AnswerValue,
  type BanMessage,
  type BoundAddress,
  WorkerError,
  type WorkerFailure,
  type WorkerOrder,
} from './worker-protocol.ts';

/** The part of `worker_threads.Worker` that is used, so that a test needs no thread. */
export interface Thread {
  postMessage(message: unknown): void;
  terminate(): Promise<number>;
  on(event: 'message', listener: (message: AnswerMessage | BanMessage) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
}

interface Waiting {
  readonly done: (value: AnswerValue) => void;
  readonly fail: (error: Error) => void;
}

/** One running worker thread: sends orders, matches answers, and fails all that waits when it ends. */
export class WorkerThread<B extends Activatable> implements WorkerPort<B> {
  readonly id: number;
  /** Settles when the thread has ended, with why. */
  readonly ended: Promise<string>;
  readonly #thread: Thread;
  readonly #waiting = new Map<number, Waiting>();
  #nextOrder = 1;
  #cause: string | undefined;
  #isAlive = true;
  #hasAnswered = false;

  /** `onBan` is told of each ban that a policy imposed there. */
  constructor(id: number, thread: Thread, onBan: (ban: ImposedBan) => void = () => {}) {
    this.id = id;
    this.#thread = thread;
    thread.on('message', (message) => {
      if ('imposed' in message) onBan(message.imposed);
      else this.#onAnswer(message);
    });
    thread.on('error', (error) => {
      this.#cause = error instanceof Error ? error.message : String(error);
    });
    this.ended = new Promise((resolve) => {
      thread.on('exit', (code) => {
        this.#isAlive = false;
        const why = this.#cause ?? `it exited with code ${code}`;
        this.#failAll(why);
        resolve(why);
      });
    });
  }

  /** Whether it is up: it has answered an order. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  async prepare(bundle: B): Promise<void> {
    await this.#order({ kind: 'prepare', bundle });
  }

  async activate(revision: string): Promise<void> {
    await this.#order({ kind: 'activate', revision });
  }

  async discard(revision: string): Promise<void> {
    await this.#order({ kind: 'discard', revision });
  }

  async setTrial(trial: Trial, bundles: readonly B[]): Promise<void> {
    await this.#order({ kind: 'set-trial', trial, bundles });
  }

  async endTrial(): Promise<void> {
    await this.#order({ kind: 'end-trial' });
  }

  /** What it has seen of the trial it was told of last. */
  async trialReport(): Promise<TrialReport | undefined> {
    return reportIn(await this.#order({ kind: 'trial-report' }));
  }

  async live(update: LiveUpdate): Promise<void> {
    await this.#order({ kind: 'live', update });
  }

  async reopenRecords(): Promise<void> {
    await this.#order({ kind: 'reopen-records' });
  }

  async recordTo(place: RecordingPlace): Promise<void> {
    await this.#order({ kind: 'record-to', place });
  }

  /** Resolves when all that was recorded so far is written. */
  async flushRecording(): Promise<void> {
    await this.#order({ kind: 'flush-recording' });
  }

  async metrics(isScrape: boolean): Promise<MeterSnapshot> {
    return metricsIn(await this.#order({ kind: 'metrics', isScrape }));
  }

  async addresses(): Promise<readonly BoundAddress[]> {
    return addressesIn(await this.#order({ kind: 'addresses' }));
  }

  /** Ids of the credentials that were used since this was last asked. */
  async uses(): Promise<readonly string[]> {
    return usesIn(await this.#order({ kind: 'uses' }));
  }

  /** Quotas that were charged since this was last asked. */
  async quotas(): Promise<readonly QuotaNote[]> {
    return quotasIn(await this.#order({ kind: 'quotas' }));
  }

  /** Resolves with the thread's last metrics when its requests have ended or the deadline has passed. */
  async drain(deadlineMs: number): Promise<MeterSnapshot> {
    return metricsIn(await this.#order({ kind: 'drain', deadlineMs }));
  }

  retire(reason: string): void {
    this.#cause ??= reason;
    void this.#thread.terminate();
  }

  #order(body: WorkerOrder<B>): Promise<AnswerValue> {
    return new Promise((done, fail) => {
      if (!this.#isAlive) return fail(new WorkerError(`worker ${this.id} has ended`));
      const order = this.#nextOrder++;
      this.#waiting.set(order, { done, fail });
      this.#thread.postMessage({ order, body });
    });
  }

  #onAnswer(message: AnswerMessage): void {
    this.#hasAnswered = true;
    const waiting = this.#waiting.get(message.order);
    if (waiting === undefined) return;
    this.#waiting.delete(message.order);
    if (message.ok) waiting.done(message.value);
    else waiting.fail(errorOf(message.failure));
  }

  #failAll(why: string): void {
    for (const { fail } of this.#waiting.values()) fail(new WorkerError(`worker ${this.id} ended: ${why}`));
    this.#waiting.clear();
  }
}

function errorOf(failure: WorkerFailure): Error {
  if (failure.issues !== undefined) return new ConfigError(failure.issues);
  return new WorkerError(failure.message, failure.code);
}

const isMetrics = (value: AnswerValue): value is MeterSnapshot =>
  Array.isArray(value) && value.every((entry) => 'values' in entry);

const isAddresses = (value: AnswerValue): value is readonly BoundAddress[] =>
  Array.isArray(value) && value.every((entry) => 'listener' in entry);

function metricsIn(value: AnswerValue): MeterSnapshot {
  if (!isMetrics(value)) throw new InternalError('a worker answered without metrics');
  return value;
}

function addressesIn(value: AnswerValue): readonly BoundAddress[] {
  if (!isAddresses(value)) throw new InternalError('a worker answered without addresses');
  return value;
}

function quotasIn(value: AnswerValue): readonly QuotaNote[] {
  if (value === undefined || !('quotas' in value))
    throw new InternalError('a worker answered without quotas');
  return value.quotas;
}

function usesIn(value: AnswerValue): readonly string[] {
  if (value === undefined || !('used' in value)) throw new InternalError('a worker answered without uses');
  return value.used;
}

function reportIn(value: AnswerValue): TrialReport | undefined {
  if (value === undefined || !('report' in value))
    throw new InternalError('a worker answered without a report');
  return value.report;
}
