import type {
  BanList,
  Clock,
  CounterState,
  Gauge,
  ListenerPlan,
  Logger,
  Meter,
  Network,
  Random,
  RecordSink,
  Snapshot,
  Trial,
  TrialReport,
  WorkerLoad,
} from '../contract/index.ts';
import { InternalError } from '../errors.ts';
import { Deadlines } from '../lib/deadlines.ts';
import type { IpAddress } from '../lib/ip-address.ts';
import { createSharedIo } from '../lib/shared-io.ts';
import type { RecordingPlace } from '../recording/index.ts';
import { UpstreamRegistry } from '../upstream/index.ts';
import { Certificates } from './certificates.ts';
import type { NodeCounts } from './connection-places.ts';
import { CredentialUses } from './credential-uses.ts';
import { HttpDate } from './http-date.ts';
import { LimitNotices } from './limit-notices.ts';
import { Listener } from './listener.ts';
import { listenerKey } from './listener-key.ts';
import { Shedder } from './overload/shedder.ts';
import { type RecordingCounters, recordingCounters } from './recording/counters.ts';
import type { RecordingWitness } from './recording/index.ts';
import type { DataPlaneServices } from './services.ts';
import { Serving } from './serving.ts';
import type { ShadowWorld } from './shadow/index.ts';
import { Shadowing, Trials } from './trial/index.ts';
import { Witnesses } from './witness.ts';

export interface DataPlaneDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly state: CounterState;
  readonly network: Network;
  readonly bans: BanList;
  readonly load: WorkerLoad;
  /** Of all workers. */
  readonly counts: NodeCounts;
  readonly meter: Meter;
  readonly log: Logger;
  /** Undefined when records are off. */
  readonly records: RecordSink | undefined;
  /** Without it nothing is judged a second time. */
  readonly shadow?: ShadowWorld | undefined;
}

/** A snapshot with its listening sockets, before it serves. */
interface Prepared {
  readonly serving: Serving;
  /** By key; those that are new were opened for it. */
  readonly listeners: ReadonlyMap<string, Listener>;
  readonly opened: readonly Listener[];
  /** By key, for the listeners that speak TLS. */
  readonly certificates: ReadonlyMap<string, Certificates>;
}

/** How often a drain looks whether it is done. */
const DRAIN_TICK_MS = 20;

/**
 * The data side of one worker. A new revision is prepared whole (sockets open, policies ready) before `activate`
 * swaps it in at once; until then, and when anything fails, the old one serves.
 */
export class DataPlane {
  readonly #services: DataPlaneServices;
  readonly #registry: UpstreamRegistry;
  readonly #shadowing: Shadowing;
  readonly #prepared = new Map<string, Prepared>();
  /** Listeners of the serving revision, and those that still drain. */
  #active = new Map<string, Listener>();
  readonly #draining = new Set<Listener>();
  #serving: Serving | undefined = undefined;
  readonly #recordingCounters: RecordingCounters;
  #recording: RecordingWitness | undefined = undefined;
  /** Of every listener name so far. */
  readonly #connections = new Map<string, Gauge>();

  constructor(deps: DataPlaneDeps) {
    const { clock, random, state, network, bans, load, counts, meter, log, records } = deps;
    const now = (): number => clock.monotonic();
    const deadlines = new Deadlines(now, (cause) =>
      log.error('deadline-failed', { cause: cause instanceof Error ? cause.message : String(cause) }),
    );
    const io = createSharedIo();
    const notices = new LimitNotices(meter);
    const evaluation = { clock, random, state, network, bans, load, notices };
    this.#services = {
      evaluation,
      random,
      meter,
      log,
      records,
      counts,
      shedder: new Shedder(load, meter, log, now),
      uses: new CredentialUses(),
      witnesses: new Witnesses(),
      trials: new Trials(meter),
      deadlines,
      date: new HttpDate(clock),
      io,
      now,
    };
    this.#recordingCounters = recordingCounters(meter);
    this.#registry = new UpstreamRegistry({ clock, deadlines, io, log });
    this.#shadowing = new Shadowing(this.#services, deps.shadow);
  }

  get revision(): string | undefined {
    return this.#serving?.revision;
  }

  get openConnections(): number {
    let open = 0;
    for (const listener of [...this.#active.values(), ...this.#draining]) open += listener.openConnections;
    return open;
  }

  /** Opens what the snapshot listens on and is not open yet. Rejects, leaving everything as it was, if it cannot. */
  async prepare(snapshot: Snapshot): Promise<void> {
    const { revision } = snapshot;
    // What is tried may have judged requests already, and is the same.
    if (this.#services.trials.current?.trial.revision === revision) return await snapshot.dispose();
    await this.discard(revision);
    const listeners = new Map<string, Listener>();
    const opened: Listener[] = [];
    const certificates = new Map<string, Certificates>();
    try {
      for (const plan of snapshot.listeners) {
        const key = listenerKey(plan);
        const shown = plan.tls === undefined ? undefined : new Certificates(plan.tls);
        if (shown !== undefined) certificates.set(key, shown);
        const known = this.#active.get(key);
        const listener = known ?? new Listener(plan, this.#services, shown);
        listeners.set(key, listener);
        if (known !== undefined) continue;
        await listener.open();
        opened.push(listener);
      }
    } catch (cause) {
      for (const listener of opened) listener.drain();
      await snapshot.dispose();
      throw cause;
    }
    const onDisposeFailure = (cause: unknown): void => {
      const message = cause instanceof Error ? cause.message : String(cause);
      this.#services.log.error('snapshot-dispose-failed', { revision: snapshot.revision, cause: message });
    };
    const serving = new Serving(snapshot, this.#registry, this.#services.meter, onDisposeFailure);
    this.#prepared.set(snapshot.revision, { serving, listeners, opened, certificates });
  }

  /**
   * Has a prepared revision judge part of the traffic beside the active one, from this moment on. What only it listens
   * on takes nobody in until it is active.
   */
  setTrial(trial: Trial): void {
    if (this.#serving === undefined) throw new InternalError('nothing serves beside which to try a revision');
    const prepared = this.#preparedAs(trial.revision);
    const { trials } = this.#services;
    if (trials.current !== undefined && trials.current.candidate !== prepared.serving) {
      throw new InternalError(`revision ${trials.current.trial.revision} is tried already`);
    }
    for (const listener of prepared.opened) listener.turnAway();
    this.#shadowing.follow(trials.set(trial, this.#serving, prepared.serving), this.#serving);
  }

  /** From this moment on the active revision judges all new requests, and the candidate goes with its last one. */
  endTrial(): void {
    const { trials } = this.#services;
    const { current } = trials;
    trials.end();
    this.#shadowing.end();
    if (current !== undefined) void this.discard(current.trial.revision);
  }

  /** What the trial has shown so far, or the one that ended last; undefined before the first. */
  get trialReport(): TrialReport | undefined {
    return this.#services.trials.report;
  }

  #preparedAs(revision: string): Prepared {
    const prepared = this.#prepared.get(revision);
    if (prepared === undefined) throw new InternalError(`revision ${revision} was not prepared`);
    return prepared;
  }

  /**
   * Swaps the prepared revision in: from this moment every new request on this worker is judged by it. A trial is over:
   * its candidate is active, or has nothing any more that it could be compared with.
   */
  activate(revision: string): void {
    const prepared = this.#preparedAs(revision);
    for (const listener of prepared.listeners.values()) {
      // Another revision that was activated meanwhile has closed it: this one must be prepared anew.
      if (listener.draining)
        throw new InternalError(`revision ${revision} was prepared before another took over`);
    }
    this.#prepared.delete(revision);
    this.endTrial();
    for (const plan of prepared.serving.snapshot.listeners) {
      const key = listenerKey(plan);
      prepared.listeners.get(key)?.serve(prepared.serving, plan, prepared.certificates.get(key));
    }
    for (const [key, listener] of this.#active)
      if (!prepared.listeners.has(key)) this.#drainListener(listener);
    this.#active = new Map(prepared.listeners);
    this.#services.shedder.configure(prepared.serving.snapshot.overload);
    this.#recording?.configure(prepared.serving.snapshot.recording);
    const before = this.#serving;
    this.#serving = prepared.serving;
    before?.retire();
  }

  /** Undoes a prepare. */
  async discard(revision: string): Promise<void> {
    const prepared = this.#prepared.get(revision);
    if (prepared === undefined) return;
    this.#prepared.delete(revision);
    for (const listener of prepared.opened) listener.drain();
    await prepared.serving.discard();
  }

  /** Brings the gauges up to date; asked when metrics are. */
  measure(): void {
    const open = new Map<string, number>();
    for (const name of this.#connections.keys()) open.set(name, 0);
    for (const listener of [...this.#active.values(), ...this.#draining]) {
      const { name } = listener.plan;
      open.set(name, (open.get(name) ?? 0) + listener.openConnections);
    }
    for (const [name, count] of open) this.#connectionsGauge(name).set(count);
  }

  /** Ends what is under way for clients that are banned by now. Idle connections are told with their next request. */
  cutBanned(): void {
    const { bans, clock } = this.#services.evaluation;
    const nowMs = clock.now();
    const isBanned = (address: IpAddress): boolean => bans.find(address, nowMs) !== undefined;
    for (const listener of [...this.#active.values(), ...this.#draining]) listener.cutIf(isBanned);
  }

  /** Records from now on what is served, there, as far as the revision in service says so. */
  async recordTo(place: RecordingPlace): Promise<void> {
    const { RecordingWitness } = await import('./recording/index.ts');
    await this.#recording?.close();
    this.#recording = new RecordingWitness(this.#services, this.#recordingCounters, place);
    this.#recording.configure(this.#serving?.snapshot.recording);
  }

  /** Writes what was recorded so far. */
  async flushRecording(): Promise<void> {
    await this.#recording?.flush();
  }

  /** Ids of the credentials that were used since this was last asked. */
  takeCredentialUses(): readonly string[] {
    return this.#services.uses.take();
  }

  #connectionsGauge(listener: string): Gauge {
    let gauge = this.#connections.get(listener);
    if (gauge === undefined) {
      gauge = this.#services.meter.gauge('sallyport_connections', { listener });
      this.#connections.set(listener, gauge);
    }
    return gauge;
  }

  addresses(): { readonly listener: string; readonly host: string; readonly port: number }[] {
    return [...this.#active.values()].map((listener) => listener.address());
  }

  /** Plans of the serving revision, for probes and status. */
  get plans(): readonly ListenerPlan[] {
    return this.#serving?.snapshot.listeners ?? [];
  }

  /** Takes no more connections, lets requests end, and cuts what is left after `deadlineMs`. */
  async drain(deadlineMs: number): Promise<void> {
    for (const listener of this.#active.values()) this.#drainListener(listener);
    this.#active = new Map();
    this.endTrial();
    const until = this.#services.now() + deadlineMs;
    while (this.openConnections > 0 && this.#services.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, DRAIN_TICK_MS));
    }
    for (const listener of this.#draining) listener.cut();
    this.#serving?.retire();
    await this.#recording?.close();
    this.#services.deadlines.stop();
  }

  #drainListener(listener: Listener): void {
    listener.drain();
    this.#draining.add(listener);
    for (const other of this.#draining)
      if (other !== listener && other.openConnections === 0) this.#draining.delete(other);
  }
}
