import type { Clock, Gauge, Logger, RecordedRequest } from '../../contract/index.ts';
import {
  openRecording,
  type Pruned,
  pruneRecording,
  type Recording,
  type RecordingKeys,
  type RecordingSummary,
} from '../../recording/index.ts';
import { type Store, StoreError } from '../../store/index.ts';

export interface RecordingDeskDeps {
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** Undefined while there is no usable store. */
  readonly store: () => Store | undefined;
  /** Those of all master keys that are at hand. */
  readonly keys: RecordingKeys;
  /** What the document in service says. */
  readonly retention: () => { readonly keepMs: number; readonly maxBytes: number };
  /** Has the workers write what they have recorded so far. */
  readonly flush: () => Promise<void>;
  /** `sallyport_recording_bytes`. */
  readonly size: Gauge;
}

/** Files are an hour old before they are too old: a minute more or less is none. */
const TICK_MS = 60_000;

/** Looks after the recording of a node: deletes what is old or too much, and tells what there is. */
export class RecordingDesk {
  readonly #deps: RecordingDeskDeps;
  #timer: NodeJS.Timeout | undefined;
  /** Whether the failure that goes on is in the log: it is told once. */
  #isReported = false;

  constructor(deps: RecordingDeskDeps) {
    this.#deps = deps;
  }

  /** Deletes what is not to be kept now, and from then on. */
  start(): void {
    void this.tick();
    this.#timer = setInterval(() => void this.tick(), TICK_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Deletes what is not to be kept. Never rejects. */
  async tick(): Promise<void> {
    const { clock, log, dir, retention } = this.#deps;
    const { keepMs, maxBytes } = retention();
    try {
      await this.#prune(clock.now() - keepMs, maxBytes);
      this.#isReported = false;
    } catch (error) {
      if (!this.#isReported) log.error('recording-not-pruned', { dir, error });
      this.#isReported = true;
    }
  }

  /** What there is, what workers have in hand included. */
  async summary(): Promise<RecordingSummary> {
    await this.#deps.flush();
    return await this.#open().summary();
  }

  /** The latest request of that id; undefined where it is not among those that are kept. */
  async find(requestId: string): Promise<RecordedRequest | undefined> {
    await this.#deps.flush();
    return await this.#open().find(requestId);
  }

  /**
   * Deletes all that was written before a time; a file that was written on since stays whole. Undefined: everything.
   * Told in the audit before it is done. @throws StoreError
   */
  async clear(beforeMs: number | undefined, reason: string, actor: string): Promise<Pruned> {
    const { clock, log, store } = this.#deps;
    const kept = store();
    if (kept === undefined) throw new StoreError('unavailable', 'there is no usable store for the audit');
    const before = beforeMs === undefined ? null : new Date(beforeMs).toISOString();
    const entry = { at: clock.now(), actor, action: 'recording.clear', subject: 'recording' };
    await kept.appendAudit({ ...entry, detail: { before, reason } });
    if (beforeMs === undefined) await this.#deps.flush();
    const pruned = await this.#prune(beforeMs ?? Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
    log.warn('recording-cleared', { before, reason, by: actor, files: pruned.deletedFiles });
    return pruned;
  }

  async #prune(fromMs: number, maxBytes: number): Promise<Pruned> {
    const pruned = await pruneRecording(this.#deps.dir, { fromMs, maxBytes });
    this.#deps.size.set(pruned.bytes);
    return pruned;
  }

  #open(): Recording {
    return openRecording(this.#deps.dir, this.#deps.keys);
  }
}
