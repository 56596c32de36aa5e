import { isDeepStrictEqual } from 'node:util';
import type { Logger, Trial } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import {
  type Activation,
  ActivationError,
  desiredOf,
  type Rollout,
  type RolloutEvent,
  stepRollout,
  TrialEndedError,
} from '../../lifecycle/index.ts';
import { type Store, StoreError } from '../../store/index.ts';
import type { NodeRefusal } from '../nodes/index.ts';
import { trialKey } from '../nodes/index.ts';
import { Candidate } from './candidate.ts';
import { type LedgerDeps, RolloutLedger } from './ledger.ts';
import { preparing } from './others.ts';
import type { RolloutBundle, RolloutDeps } from './ports.ts';
import type { DispatchRefusal } from './runner.ts';
import { rolloutIn } from './stored-rollout.ts';

export interface FollowerDeps<B extends RolloutBundle>
  extends LedgerDeps,
    Pick<RolloutDeps<B>, 'publish' | 'recompile'> {
  readonly log: Logger;
  readonly activation: Pick<Activation<B>, 'active' | 'candidate' | 'try' | 'endTrial'>;
  /** Whether this node has activated something that the store does not know of yet. */
  readonly isBehind: () => boolean;
}

/** A revision that cannot be served is tried again after so long: a file or a port may have become right. */
const RETRY_MS = 30_000;
const MAX_TRIES = 5;

/** Brings this node to what the store says is live and is tried. What is to be done next is decided elsewhere. */
export class Follower<B extends RolloutBundle> {
  readonly #deps: FollowerDeps<B>;
  readonly #candidate: Candidate<B>;
  #rollout: Rollout | undefined;
  #version = 0;
  #refused: (NodeRefusal & { readonly version: number }) | undefined;
  /** What is live as far as this node can: with certificates of its own it is another revision. */
  #settled: string | undefined;
  #failed: { readonly id: string; readonly untilMs: number } | undefined;

  constructor(deps: FollowerDeps<B>) {
    this.#deps = deps;
    this.#candidate = new Candidate(deps);
  }

  /** The rollout under way, as the store had it when it was read last. */
  get rollout(): Rollout | undefined {
    return this.#rollout;
  }

  get version(): number {
    return this.#version;
  }

  /** What is tried, compiled in this process. */
  get candidate(): B | undefined {
    return this.#rollout === undefined ? undefined : this.#candidate.bundle;
  }

  /** What this node could not do. */
  get refused(): NodeRefusal | undefined {
    return this.#refused;
  }

  get settled(): string | undefined {
    return this.#settled;
  }

  /** Has what is tried compiled with files and secrets as they are now, when it is needed next. */
  renew(): void {
    this.#candidate.renew();
  }

  /**
   * Reads what the store says, and does it; `what`: not what is tried, where this node drives that itself. Rejects with
   * StoreError.
   */
  async look(what: 'all' | 'live'): Promise<void> {
    const store = this.#store();
    // In this order: who is told of an end knows what is live since.
    const row = await store.rollouts.open();
    const active = (await store.active())?.id;
    const before = this.#rollout?.id;
    this.#rollout = row === undefined ? undefined : rolloutIn(row);
    this.#version = row?.version ?? 0;
    if (this.#rollout?.id !== before) this.#candidate.drop();
    if (what === 'live') await this.#followLive(active);
    else await this.#bring(this.#rollout, active);
  }

  /** Tells the rollout what happened, in the place of who drives it. */
  async dispatch(event: RolloutEvent): Promise<Rollout | DispatchRefusal> {
    for (let tries = 1; ; tries++) {
      const result = await this.#dispatch(event);
      // Who drives it writes at the same time; what a person decided is decided of what it is by now.
      if (result !== 'changed' || tries >= MAX_TRIES) return result;
    }
  }

  async #dispatch(event: RolloutEvent): Promise<Rollout | DispatchRefusal> {
    const ledger = new RolloutLedger(this.#deps);
    try {
      const before = await ledger.takeUp();
      if (before === undefined) return 'ended';
      const result = stepRollout(before, event);
      if ('refused' in result) return result.refused;
      await ledger.keep(result.rollout, 'not-done');
      if (desiredOf(result.rollout).kind === 'baseline') await this.#deps.activation.endTrial();
      return result.rollout;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      return error.code === 'conflict' ? 'changed' : 'unavailable';
    }
  }

  async #bring(rollout: Rollout | undefined, active: string | undefined): Promise<void> {
    const { activation } = this.#deps;
    const wanted = rollout === undefined ? undefined : desiredOf(rollout);
    const tried = activation.candidate?.bundle.revision;
    const isWanted = wanted !== undefined && wanted.kind !== 'baseline' && tried === rollout?.revision;
    // What is tried and live by now goes live as it is prepared.
    if (tried !== undefined && tried !== active && !isWanted) await activation.endTrial();
    await this.#followLive(active);
    if (rollout === undefined || wanted === undefined) return;
    if (wanted.kind === 'trial') await this.#try(wanted.trial);
    else if (wanted.kind === 'live' && activation.active?.revision !== wanted.revision) {
      if (activation.candidate === undefined) await this.#try(preparing(rollout.id, wanted.revision));
    }
  }

  async #try(trial: Trial): Promise<void> {
    const { activation, log } = this.#deps;
    if (isDeepStrictEqual(activation.candidate?.trial, trial)) return;
    const key = trialKey(trial);
    const version = this.#version;
    if (this.#refused?.key === key && this.#refused.version === version) return;
    try {
      await activation.try(await this.#candidate.of(trial.revision), trial);
      this.#refused = undefined;
    } catch (error) {
      if (error instanceof TrialEndedError || error instanceof StoreError) return;
      log.error('rollout-not-followed', { rollout: trial.rollout, error });
      this.#refused = { key, message: messageOf(error), version };
    }
  }

  async #followLive(active: string | undefined): Promise<void> {
    const { activation, clock, isBehind, log, publish } = this.#deps;
    if (active === undefined || active === activation.active?.revision || isBehind()) return;
    if (active === this.#settled) return;
    if (this.#failed?.id === active && clock.monotonic() < this.#failed.untilMs) return;
    const ask = { origin: 'store', actor: 'system', isDecided: true, isFollowed: true } as const;
    const result = await publish({ ...ask, load: () => this.#liveNow() });
    if (result.outcome === 'refused') {
      this.#failed = { id: active, untilMs: clock.monotonic() + RETRY_MS };
      return;
    }
    this.#failed = undefined;
    this.#settled = active;
    const { revision } = activation.active ?? {};
    if (revision !== active) log.warn('revision-has-other-certificates', { active, revision });
  }

  /** Asked in its turn: what this node has just activated itself is known to the store by then. */
  async #liveNow(): Promise<B> {
    const { activation, recompile } = this.#deps;
    const store = this.#store();
    const id = (await store.active())?.id;
    const { active, candidate } = activation;
    if (active !== undefined && active.revision === id) return active;
    if (candidate !== undefined && candidate.bundle.revision === id) return candidate.bundle;
    const texts = id === undefined ? undefined : await store.getRevision(id);
    if (texts === undefined) throw new Error('the store does not hold what it says is active');
    return await recompile(texts);
  }

  #store(): Store {
    const store = this.#deps.store();
    if (store === undefined) throw new StoreError('unavailable', 'there is no usable store');
    return store;
  }
}

function messageOf(error: unknown): string {
  const cause = error instanceof ActivationError ? error.cause : error;
  const [first] = cause instanceof ConfigError ? cause.issues : [];
  if (first !== undefined) return first.path === '' ? first.message : `${first.path}: ${first.message}`;
  return cause instanceof Error ? cause.message : String(cause);
}
