import { isDeepStrictEqual } from 'node:util';
import type { RolloutPlan, Trial } from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';
import {
  beginRollout,
  type Desired,
  desiredOf,
  END_PHASES,
  type EventRefusal,
  type GateVerdict,
  isOpen,
  type Rollout,
  type RolloutEvent,
  type RolloutOrigin,
  stepRollout,
  TrialEndedError,
  type TrialEvidence,
} from '../../lifecycle/index.ts';
import { type Store, StoreError } from '../../store/index.ts';
import { Candidate } from './candidate.ts';
import { causeOf } from './cause.ts';
import { failureOf } from './failure.ts';
import { evidenceOf, lintEvidence } from './figures.ts';
import { RolloutLedger } from './ledger.ts';
import type { ReplayProgress, RolloutBundle, RolloutDeps, StepWatch } from './ports.ts';

const LOOK_MS = 250;
/** A store that is locked holds this thread for seconds each time it is asked. */
const STORE_REST_MS = 5000;
const BASELINE: Desired = Object.freeze({ kind: 'baseline' });

/** What is shown of a rollout beside what is kept. */
export interface RolloutView {
  readonly rollout: Rollout;
  /** What live requests have shown in this step so far. */
  readonly live: TrialEvidence | undefined;
  readonly replay: ReplayProgress | undefined;
  /** It goes no further: the store cannot be told of it. */
  readonly waitsForStore: boolean;
}

export interface RolloutOrder {
  readonly origin: RolloutOrigin;
  readonly actor: string;
  readonly reason: string;
  readonly plan: RolloutPlan;
  /** Revision that is live. */
  readonly base: string;
}

/** `unavailable`: the store cannot keep it, so it did not happen. `changed`: somebody else was quicker. */
export type DispatchRefusal = EventRefusal | 'unavailable' | 'changed';

/**
 * Runs the rollout under way: tells it what happens, keeps what becomes of it, and brings the workers to what it wants.
 * What widens is kept before it is done, and what narrows is done before it is kept, so that a crash in between never
 * leaves more live than somebody decided.
 */
export class RolloutRunner<B extends RolloutBundle> {
  readonly #deps: RolloutDeps<B>;
  readonly #ledger: RolloutLedger;
  readonly #listeners = new Set<() => void>();
  #tail: Promise<unknown> = Promise.resolve();
  readonly #candidate: Candidate<B>;
  /** What is live, and what is tried beside it: compared with anything else it would show nothing. */
  #beside: B | undefined;
  #applied: Trial | undefined;
  #watch: StepWatch | undefined;
  #live: TrialEvidence | undefined;
  #replay: { readonly stop: AbortController; progress: ReplayProgress | undefined } | undefined;
  #isBringing = false;
  #isBringDue = false;
  #isLooking = false;
  #stopLooking: () => void = () => {};
  /** What the store was not there to keep. */
  #unheard: RolloutEvent | undefined;
  /** When the store is asked again that was not there, in milliseconds of the monotonic clock. */
  #askStoreAtMs = 0;
  #isWaiting = false;

  constructor(deps: RolloutDeps<B>) {
    this.#deps = deps;
    this.#ledger = new RolloutLedger(deps);
    this.#candidate = new Candidate(deps);
    // What never happened is told as none, so that an alert on it can be written.
    for (const result of END_PHASES) deps.meter.counter('sallyport_rollouts_total', { result }).add(0);
    deps.meter.gauge('sallyport_rollout_open').set(0);
  }

  /** The rollout under way. */
  get open(): Rollout | undefined {
    return this.#ledger.open;
  }

  /** What goes its way, once it was checked in this process. */
  get candidate(): B | undefined {
    return this.open === undefined ? undefined : this.#candidate.bundle;
  }

  /** The rollout under way, or the one that ended last in this process. */
  get view(): RolloutView | undefined {
    const { current: rollout, isUnsaved } = this.#ledger;
    if (rollout === undefined) return undefined;
    const waitsForStore = isUnsaved || this.#isWaiting;
    return { rollout, live: this.#live, replay: this.#replay?.progress, waitsForStore };
  }

  /** Tells of every change until what it gives is called. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes a checked revision on its way. Rejects with StoreError: `conflict` where another is under way. */
  begin(bundle: B, { plan, base, ...order }: RolloutOrder): Promise<Rollout> {
    return this.#inTurn(async () => {
      const at = this.#deps.clock.now();
      const start = beginRollout({ id: this.#deps.newId(), at, plan, base, ...order });
      const { revision, text, files } = bundle;
      const evidence = lintEvidence(bundle.findings);
      const rollout = walked(start, { kind: 'checked', at, revision, evidence }, { kind: 'tested', at });
      const kept = { id: revision, document: text, files, createdAt: at };
      await this.#store().putRevision({ ...kept, author: order.actor, reason: order.reason });
      await this.#ledger.begin(rollout);
      this.#candidate.take(bundle);
      this.#beside = this.#deps.activation.active;
      this.#onBegun();
      return rollout;
    });
  }

  /** Goes on with what a process before this one left. `isBase`: whether what is live is what it was tried beside. */
  async takeUp(isBase: (rollout: Rollout) => Promise<boolean>): Promise<void> {
    const rollout = await this.#inTurn(() => this.#ledger.takeUp());
    if (rollout === undefined) return;
    const at = this.#now();
    this.#beside = this.#deps.activation.active;
    const base = this.#deps.activation.active?.revision ?? '';
    const isLive = base === rollout.revision;
    if (rollout.phase === 'activating' && isLive) await this.dispatch({ kind: 'activated', at });
    else if (rollout.phase !== 'activating' && (isLive || !(await isBase(rollout)))) {
      await this.dispatch({ kind: 'superseded', at, reason: 'another revision is live since the start' });
    } else await this.dispatch({ kind: 'restarted', at, base });
    if (this.open !== undefined) this.#onBegun();
  }

  /**
   * To be told when something else is live. With another document the rollout is over; where what is live was renewed, with
   * its files and secrets as they are now, so is what is tried beside it.
   */
  async onOtherLive(): Promise<void> {
    const { active } = this.#deps.activation;
    const before = this.#beside;
    const rollout = this.open;
    if (rollout === undefined || active === undefined || active === before) return;
    this.#beside = active;
    // What was decided goes live whatever it is beside.
    if (rollout.phase === 'activating') return;
    const at = this.#now();
    if (active.documentHash !== before?.documentHash) {
      await this.dispatch({ kind: 'superseded', at, reason: 'another revision is live by now' });
      return;
    }
    this.#deps.log.info('rollout-renewed', { rollout: rollout.id, base: active.revision });
    this.#candidate.renew();
    this.#applied = undefined;
    await this.dispatch({ kind: 'restarted', at, base: active.revision });
  }

  /** Whether what it is has not reached the store. */
  get isUnsaved(): boolean {
    return this.#ledger.isUnsaved;
  }

  /** Takes up what was decided on another node. Rejects with StoreError. */
  refresh(): Promise<void> {
    return this.#inTurn(async () => {
      const wasOpen = this.open !== undefined;
      if (!(await this.#ledger.refresh())) return;
      const { current } = this.#ledger;
      if (wasOpen && current !== undefined && !isOpen(current)) this.#onEnded(current);
      this.#kick();
      this.#tell();
    });
  }

  /** Leaves it to another node to go on. The workers stay as they are. */
  stepDown(): void {
    this.close();
    this.#replay = undefined;
    this.#unheard = undefined;
    this.#applied = undefined;
    this.#watch = undefined;
    this.#live = undefined;
    this.#candidate.drop();
    this.#ledger.forget();
    this.#deps.meter.gauge('sallyport_rollout_open').set(0);
  }

  /** Tells the rollout what happened. Gives why it changes nothing, or what it is now. */
  dispatch(event: RolloutEvent): Promise<Rollout | DispatchRefusal> {
    return this.#inTurn(() => this.#step(event));
  }

  /** Stops its own doings; what is kept stays, for the next start. */
  close(): void {
    this.#stopLooking();
    this.#replay?.stop.abort();
  }

  async #step(event: RolloutEvent): Promise<Rollout | DispatchRefusal> {
    const before = this.#ledger.open;
    if (before === undefined) return 'ended';
    const result = stepRollout(before, event);
    if ('refused' in result) return result.refused;
    const next = result.rollout;
    if (next === before) return before;
    const wanted = desiredOf(next).kind;
    // At once, whatever the store does meanwhile.
    const ended =
      wanted === 'baseline' && desiredOf(before).kind !== 'baseline' ? this.#withdraw() : undefined;
    try {
      await this.#ledger.keep(next, mustHold(event, next) ? 'done' : 'not-done');
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#kick();
      if (error.code === 'conflict') {
        const { current } = this.#ledger;
        if (current !== undefined && !isOpen(current)) this.#onEnded(current);
        return 'changed';
      }
      this.#rest();
      return 'unavailable';
    } finally {
      await ended;
    }
    this.#isWaiting = false;
    if (!isOpen(next)) this.#onEnded(next);
    this.#kick();
    this.#tell();
    return next;
  }

  async #withdraw(): Promise<void> {
    this.#applied = undefined;
    this.#watch = undefined;
    try {
      await this.#deps.activation.endTrial();
    } catch (error) {
      this.#deps.log.error('trial-not-ended', { error });
    }
  }

  #onBegun(): void {
    this.#live = undefined;
    this.#deps.meter.gauge('sallyport_rollout_open').set(1);
    this.#stopLooking();
    this.#stopLooking = this.#deps.repeat(() => void this.#look(), LOOK_MS);
    this.#deps.onChange();
    this.#kick();
    this.#tell();
  }

  #onEnded({ id, phase, revision, history }: Rollout): void {
    this.#deps.meter.counter('sallyport_rollouts_total', { result: phase }).add(1);
    this.#deps.meter.gauge('sallyport_rollout_open').set(0);
    const cause = causeOf(history.at(-1)?.evidence);
    this.#deps.log.info('rollout-ended', { rollout: id, phase, revision, cause });
    this.#replay?.stop.abort();
    this.#replay = undefined;
    this.#unheard = undefined;
    this.#candidate.drop();
    if (!this.#ledger.isUnsaved) this.#stopLooking();
    this.#deps.onChange();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }

  /** Brings the workers to what the rollout wants, one thing at a time, until it wants nothing else. */
  #kick(): void {
    this.#isBringDue = true;
    if (this.#isBringing) return;
    this.#isBringing = true;
    void this.#bringAll();
  }

  async #bringAll(): Promise<void> {
    try {
      while (this.#isBringDue) {
        this.#isBringDue = false;
        const rollout = this.#ledger.open;
        await this.#bring(rollout, rollout === undefined ? BASELINE : desiredOf(rollout)).catch((error) => {
          this.#deps.log.error('rollout-failed', { rollout: rollout?.id, error });
          return this.#fail(error);
        });
      }
    } finally {
      this.#isBringing = false;
    }
  }

  async #bring(rollout: Rollout | undefined, wanted: Desired): Promise<void> {
    if (rollout === undefined || wanted.kind === 'baseline') {
      if (this.#deps.activation.candidate !== undefined) await this.#withdraw();
      if (rollout?.phase === 'replay' && rollout.replay === undefined) this.#startReplay(rollout);
      return;
    }
    if (wanted.kind === 'trial') return await this.#try(rollout, wanted.trial);
    await this.#activate(rollout);
  }

  async #try(rollout: Rollout, trial: Trial): Promise<void> {
    if (isDeepStrictEqual(this.#applied, trial)) return;
    const bundle = await this.#compiled(rollout);
    // It may have ended while it was compiled.
    if (!this.#isWanted(trial)) return;
    try {
      await this.#deps.activation.try(bundle, trial);
    } catch (error) {
      if (error instanceof TrialEndedError) return;
      return await this.#fail(error);
    }
    if (!this.#isWanted(trial)) return;
    this.#applied = trial;
    this.#watch = this.#deps.watch(rollout.plan.gates);
    this.#live = undefined;
    await this.dispatch({ kind: 'in-force', at: this.#now() });
  }

  #isWanted(trial: Trial): boolean {
    const rollout = this.#ledger.open;
    return rollout !== undefined && isDeepStrictEqual(desiredOf(rollout), { kind: 'trial', trial });
  }

  async #activate(rollout: Rollout): Promise<void> {
    const bundle = await this.#compiled(rollout);
    const { origin, actor, reason } = rollout;
    const load = async () => bundle;
    const result = await this.#deps.publish({ origin, actor, reason, isDecided: true, load });
    if (result.outcome === 'activated' || result.outcome === 'unchanged') {
      await this.dispatch({ kind: 'activated', at: this.#now() });
      return;
    }
    const issues = result.outcome === 'refused' ? result.issues : [];
    await this.dispatch({ kind: 'failed', at: this.#now(), evidence: { kind: 'issues', issues } });
  }

  async #compiled({ revision }: Rollout): Promise<B> {
    const before = this.#candidate.bundle;
    const bundle = await this.#candidate.of(revision);
    // Its lists are needed from now on.
    if (bundle !== before) this.#deps.onChange();
    return bundle;
  }

  async #fail(error: unknown): Promise<void> {
    await this.dispatch({ kind: 'failed', at: this.#now(), evidence: failureOf(error) });
  }

  #startReplay(rollout: Rollout): void {
    const { replay } = rollout.plan;
    if (this.#replay !== undefined || replay === undefined) return;
    const stop = new AbortController();
    this.#replay = { stop, progress: undefined };
    void this.#runReplay(rollout, replay.recordsMs, stop.signal);
  }

  async #runReplay(rollout: Rollout, recordsMs: number, signal: AbortSignal): Promise<void> {
    try {
      const { active } = this.#deps.activation;
      if (active === undefined) throw new Error('nothing is live to compare with');
      const replay = await this.#deps.replay({
        candidate: await this.#compiled(rollout),
        active,
        sinceMs: this.#now() - recordsMs,
        signal,
        onProgress: (progress) => {
          if (this.#replay !== undefined) this.#replay.progress = progress;
          this.#tell();
        },
      });
      if (signal.aborted) return;
      const event: RolloutEvent = { kind: 'replayed', at: this.#now(), replay };
      const result = await this.dispatch(event);
      // A store that is gone for a moment must not have all judged again.
      if (result === 'unavailable') this.#unheard = event;
      this.#replay = undefined;
    } catch (error) {
      if (signal.aborted) return;
      this.#replay = undefined;
      await this.#fail(error);
    }
  }

  /** One look at a time: figures, what gates say of them, and what could not be kept. */
  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      await this.#catchUp();
      await this.#judge();
      if (this.open === undefined && !this.#ledger.isUnsaved) this.#stopLooking();
    } catch (error) {
      this.#deps.log.error('rollout-not-judged', { error });
    } finally {
      this.#isLooking = false;
    }
  }

  async #catchUp(): Promise<void> {
    if (this.#isResting) return;
    if (!(await this.#ledger.catchUp())) return this.#rest();
    const event = this.#unheard;
    if (event !== undefined && (await this.dispatch(event)) !== 'unavailable') this.#unheard = undefined;
  }

  get #isResting(): boolean {
    return this.#deps.clock.monotonic() < this.#askStoreAtMs;
  }

  #rest(): void {
    this.#askStoreAtMs = this.#deps.clock.monotonic() + STORE_REST_MS;
    if (!this.#isWaiting) this.#deps.log.error('rollout-waits-for-store', { rollout: this.open?.id });
    this.#isWaiting = true;
  }

  async #judge(): Promise<void> {
    const rollout = this.open;
    const applied = this.#applied;
    const watch = this.#watch;
    if (rollout === undefined || applied === undefined || watch === undefined) return;
    const { lostTrial } = this.#deps.activation;
    if (this.#deps.activation.active !== this.#beside) return await this.onOtherLive();
    if (lostTrial !== undefined && isDeepStrictEqual(lostTrial.trial, applied))
      return await this.#fail(lostTrial.cause);
    const figures = await this.#deps.figures();
    if (figures === undefined || this.#applied !== applied) return;
    watch.observe(figures);
    const { verdict, findings } = verdictOf(rollout, watch);
    const trial = evidenceOf(figures, findings);
    this.#live = trial;
    // What is broken is ended at once; what may go on waits for the store.
    const isHeld = verdict === 'passed' && this.#isResting;
    await this.dispatch({ kind: 'judged', at: this.#now(), verdict: isHeld ? 'hold' : verdict, trial });
    this.#tell();
  }

  #store(): Store {
    const store = this.#deps.store();
    if (store === undefined) throw new StoreError('unavailable', 'there is no usable store');
    return store;
  }

  #now(): number {
    return this.#deps.clock.now();
  }

  #inTurn<T>(step: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(step);
    this.#tail = turn.catch(() => {});
    return turn;
  }
}

/** Whether an event leaves things as they are or goes back: that is so whatever the store says. */
function mustHold({ kind }: RolloutEvent, next: Rollout): boolean {
  if (kind === 'judged') return !isOpen(next);
  return !['checked', 'tested', 'replayed', 'approve', 'resume', 'promote'].includes(kind);
}

function walked(rollout: Rollout, ...events: readonly RolloutEvent[]): Rollout {
  let now = rollout;
  for (const event of events) {
    const result = stepRollout(now, event);
    if ('refused' in result)
      throw new InternalError(`a new rollout refuses ${event.kind}: ${result.refused}`);
    now = result.rollout;
  }
  return now;
}

/** A plan without gates looks at nothing: its steps last as long as they say. */
function verdictOf({ plan, phase }: Rollout, watch: StepWatch): GateVerdict {
  const isWatched = Object.values(plan.gates).some((gate) => gate !== undefined);
  return isWatched ? watch.judge(phase === 'canary') : { verdict: 'passed', findings: [] };
}
