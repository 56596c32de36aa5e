import type { Awaitable, Charge, Clock, LimitOutcome } from '../../contract/index.ts';
import { ByRule } from '../counters/by-rule.ts';
import type { AfterLoss, FleetSize } from './after-loss.ts';
import { addWords, numbersOf, outcomeAt } from './charge-words.ts';
import { Lease, leaseMs, type Share } from './lease.ts';
import type { ScriptStore, StoreAnswer, StoreWord } from './script-store.ts';
import { REFUND, TAKE } from './scripts.ts';
import type { StoreClock } from './store-clock.ts';
import type { StoreNames } from './store-names.ts';

const BOUNDS = { maxScopes: 4096, maxRules: 8 };
/** Counters with shares at one time. Over it, new ones are counted exactly. */
const MAX_LEASES = 65_536;
const SWEEP_MS = 100;
/** The store's own clock. */
const STORE_TIME = '';
const NUMBERS_OF_A_TAKE = 7;

/** The leases of one scope and rule, by the caller's key. */
type KeyedLeases = Map<string, Lease>;

export interface LeaseParts {
  readonly store: ScriptStore;
  readonly names: StoreNames;
  readonly fleet: FleetSize;
  readonly afterLoss: AfterLoss;
  readonly clock: Clock;
  readonly storeClock: StoreClock;
  /** Asks the store for this one request. */
  readonly exactly: (charge: Charge, nowMs: number, store: ScriptStore) => Awaitable<LimitOutcome>;
}

/**
 * Shares of limits that this thread took ahead and answers from without asking. A share is charged in the store when it
 * is taken, and used within the time of its lease or given back: what is admitted differs from what was charged by no
 * more than is charged in that time (docs/state.md).
 */
export class Leases {
  readonly #parts: LeaseParts;
  readonly #byRule = new ByRule<KeyedLeases>(() => new Map(), BOUNDS);
  readonly #kept = new Map<Lease, () => void>();
  /** Shares to give back: filled and emptied by whatever is done. */
  readonly #lapsed: Share[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(parts: LeaseParts) {
    this.#parts = parts;
  }

  /** At once where the shares of this thread are enough, or a refusal still holds. `store`: as the request asks it. */
  one(charge: Charge, nowMs: number, store = this.#parts.store): Awaitable<LimitOutcome> {
    const atMs = this.#parts.clock.monotonic();
    const lease = this.#leaseOf(charge, atMs);
    if (lease === undefined) return this.#parts.exactly(charge, nowMs, store);
    return this.#held(lease, charge, atMs, nowMs) ?? this.#fetch(lease, charge, nowMs, store);
  }

  /** All or none, as `one` each. */
  all(
    charges: readonly Charge[],
    nowMs: number,
    store = this.#parts.store,
  ): Awaitable<readonly LimitOutcome[]> {
    const atMs = this.#parts.clock.monotonic();
    const outcomes: Awaitable<LimitOutcome>[] = [];
    let isLater = false;
    for (const charge of charges) {
      const lease = this.#leaseOf(charge, atMs);
      const outcome =
        lease === undefined
          ? this.#parts.exactly(charge, nowMs, store)
          : (this.#held(lease, charge, atMs, nowMs) ?? this.#fetch(lease, charge, nowMs, store));
      if (outcome instanceof Promise) isLater = true;
      outcomes.push(outcome);
    }
    if (!isLater) {
      // Nothing has lapsed since: a share takes back what it gave.
      const undo = (charge: Charge) =>
        this.#leaseOf(charge, atMs)?.unspend(charge.cost) || this.#refund(charge);
      return this.#settle(charges, outcomes.filter(isThere), nowMs, undo);
    }
    const undo = (charge: Charge) => this.#refund(charge);
    return Promise.all(outcomes).then((all) => this.#settle(charges, all, nowMs, undo));
  }

  /** Gives back all that is held. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#timer);
    for (const lease of this.#kept.keys()) lease.end(this.#lapsed);
    this.#giveBack();
    for (const forget of this.#kept.values()) forget();
  }

  /** Where one refuses, the others are given back. */
  #settle(
    charges: readonly Charge[],
    outcomes: readonly LimitOutcome[],
    nowMs: number,
    undo: (charge: Charge) => void,
  ): readonly LimitOutcome[] {
    if (outcomes.every(({ allowed }) => allowed)) return outcomes;
    for (let i = 0; i < charges.length; i++) {
      if (!outcomes[i].allowed || charges[i].cost === 0) continue;
      if (outcomes[i].lost) void this.#parts.afterLoss.refund([charges[i]], nowMs, nowMs);
      else undo(charges[i]);
    }
    return outcomes;
  }

  /** Gives back to the store what was used just now: it may have been charged as long before as a share lasts. */
  #refund(charge: Charge): void {
    const chargedAtMs = this.#parts.storeClock.ago(leaseMs(windowOf(charge)));
    if (chargedAtMs === undefined) return;
    this.#lapsed.push({ credits: charge.cost, lapsesAtMs: 0, chargedAtMs, charge });
    this.#giveBack();
  }

  #held(lease: Lease, charge: Charge, atMs: number, nowMs: number): LimitOutcome | undefined {
    const isEnough = lease.spend(charge.cost, atMs, this.#lapsed);
    if (this.#lapsed.length > 0) this.#giveBack();
    if (!isEnough) return lease.refusal(charge.cost, atMs);
    this.#parts.afterLoss.found();
    if (lease.wantsMore(atMs)) {
      void this.#fetch(lease, { ...charge, cost: 0 }, nowMs, this.#parts.store, lease.sizeNow(atMs));
    }
    return lease.admitted(atMs);
  }

  /** Takes what the charge needs, and a share beyond it. */
  #fetch(
    lease: Lease,
    charge: Charge,
    nowMs: number,
    store: ScriptStore,
    ahead = this.#aheadOf(lease, charge),
  ): Awaitable<LimitOutcome> {
    const { names, fleet, afterLoss, clock } = this.#parts;
    const { cost } = charge;
    const sentMs = clock.monotonic();
    const words: StoreWord[] = [STORE_TIME, cost, cost + ahead, fleet.workers];
    addWords(words, charge);
    const asked = store.ask(TAKE, [names.ofCharge(charge)], words);
    if (asked === undefined) return afterLoss.one(charge, nowMs);
    if (ahead > 0) lease.isAsking = true;
    return asked.then((answer) => {
      if (ahead > 0) lease.isAsking = false;
      return this.#taken(lease, charge, sentMs, answer) ?? afterLoss.one(charge, nowMs);
    });
  }

  #aheadOf(lease: Lease, { cost }: Charge): number {
    return lease.isAsking || cost === 0 ? 0 : lease.sizeNow(this.#parts.clock.monotonic());
  }

  #taken(
    lease: Lease,
    charge: Charge,
    sentMs: number,
    answer: StoreAnswer | undefined,
  ): LimitOutcome | undefined {
    const numbers = numbersOf(answer, NUMBERS_OF_A_TAKE);
    if (numbers === undefined) return undefined;
    const { cost } = charge;
    const nowMs = this.#parts.clock.monotonic();
    const outcome = outcomeAt(numbers, 0);
    const [, , , , taken, goesOnMs, storeMs] = numbers;
    this.#parts.storeClock.heard(storeMs);
    this.#parts.afterLoss.found();
    if (!outcome.allowed) {
      lease.refuse(outcome, cost, nowMs);
      return outcome;
    }
    // Counted from when it was asked for, which is before it was charged. A window's share does not outlive the window.
    const lastsMs = goesOnMs > 0 ? Math.min(lease.leaseMs, goesOnMs) : lease.leaseMs;
    const share: Share = {
      credits: taken - cost,
      lapsesAtMs: sentMs + lastsMs,
      chargedAtMs: storeMs,
      charge,
    };
    // Also what was on its way when all was given back is given back.
    if (this.#isClosed || !lease.take(share, outcome, nowMs)) this.#lapsed.push(share);
    lease.count(cost);
    if (this.#lapsed.length > 0) this.#giveBack();
    return cost === 0 ? outcome : lease.admitted(nowMs);
  }

  /** Where the store is lost it stays charged: too strict, for as long as the rule remembers. */
  #giveBack(): void {
    const { store, names } = this.#parts;
    for (const { credits, chargedAtMs, charge } of this.#lapsed.splice(0)) {
      if (credits === 0) continue;
      const words: StoreWord[] = [STORE_TIME, chargedAtMs];
      addWords(words, charge, credits);
      void store.ask(REFUND, [names.ofCharge(charge)], words, 'nobody');
    }
  }

  #leaseOf(charge: Charge, atMs: number): Lease | undefined {
    const keyed = this.#byRule.ofCharge(charge);
    const known = keyed.get(charge.key);
    if (known !== undefined) return known;
    if (this.#kept.size >= MAX_LEASES) return undefined;
    const lease = new Lease(windowOf(charge), atMs);
    keyed.set(charge.key, lease);
    const { key } = charge;
    this.#kept.set(lease, () => {
      keyed.delete(key);
      this.#kept.delete(lease);
    });
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS).unref();
    return lease;
  }

  #sweep(): void {
    const atMs = this.#parts.clock.monotonic();
    for (const [lease, forget] of this.#kept) if (lease.sweep(atMs, this.#lapsed)) forget();
    if (this.#lapsed.length > 0) this.#giveBack();
    if (this.#kept.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

const windowOf = (charge: Charge): number =>
  charge.kind === 'gcra' || charge.kind === 'sliding-window'
    ? charge.rule.windowMs
    : charge.rule.endMs - charge.rule.startMs;

const isThere = (outcome: Awaitable<LimitOutcome>): outcome is LimitOutcome => !(outcome instanceof Promise);
