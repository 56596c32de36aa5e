import type {
  Awaitable,
  Charge,
  Clock,
  CounterState,
  GcraRule,
  LimitOutcome,
  Random,
  SlidingWindowRule,
  SlotOutcome,
  SlotRule,
  Sum,
  SumRule,
  Waiter,
} from '../../contract/index.ts';
import { assertAmount, assertCharge, assertTime } from '../counters/rule.ts';
import { AfterLoss, type FleetSize } from './after-loss.ts';
import { addWords, outcomesOf } from './charge-words.ts';
import { leaseMs } from './lease.ts';
import { Leases } from './leases.ts';
import type { ScriptStore, StoreAnswer, StoreWord } from './script-store.ts';
import { CHARGE, REFUND, TALLY } from './scripts.ts';
import { StoreClock } from './store-clock.ts';
import { type StoreNames, tagOf } from './store-names.ts';
import { StoreSlots } from './store-slots.ts';

export interface StoreCounterParts {
  readonly store: ScriptStore & { readonly isUp: boolean; ofRequest(): ScriptStore };
  readonly names: StoreNames;
  readonly fleet: FleetSize;
  /** Counts while the store does not. */
  readonly memory: CounterState;
  readonly clock: Clock;
  readonly random: Random;
  /** Of this thread, unlike any other's. */
  readonly worker: string;
  /**
   * Whose time is counted by. `store` (default): its own, so that nodes whose clocks differ count alike. `evaluation`:
   * that of the request, for tests that hold these counters to others.
   */
  readonly time?: 'store' | 'evaluation';
}

/** Charges of one slot, which are charged at one instant. */
interface Together {
  readonly names: string[];
  readonly charges: Charge[];
  /** Their places among all. */
  readonly at: number[];
}

/** Counters that several nodes share. What the store does not answer in time is decided as its rule says. */
export class StoreCounters implements CounterState {
  readonly #parts: StoreCounterParts;
  /** As it is asked by whom these are for: one request, or the whole thread. */
  readonly #store: ScriptStore;
  readonly #afterLoss: AfterLoss;
  readonly #storeClock: StoreClock;
  readonly #leases: Leases;
  readonly #slots: StoreSlots;

  /** `all`: those of the thread, of which these are one request's view. */
  constructor(parts: StoreCounterParts, all?: StoreCounters) {
    this.#parts = parts;
    if (all !== undefined) {
      this.#store = parts.store.ofRequest();
      this.#afterLoss = all.#afterLoss;
      this.#storeClock = all.#storeClock;
      this.#leases = all.#leases;
      this.#slots = all.#slots;
      return;
    }
    this.#store = parts.store;
    this.#afterLoss = new AfterLoss(parts.memory, parts.fleet, parts.clock);
    this.#storeClock = new StoreClock(parts.clock);
    const afterLoss = this.#afterLoss;
    this.#leases = new Leases({
      ...parts,
      afterLoss,
      storeClock: this.#storeClock,
      exactly: (charge, nowMs, store) => this.#exactly(charge, nowMs, store),
    });
    this.#slots = new StoreSlots({ ...parts, afterLoss });
  }

  ofRequest(): CounterState {
    return new StoreCounters(this.#parts, this);
  }

  gcra(scope: string, key: string, rule: GcraRule, cost: number, nowMs: number): Awaitable<LimitOutcome> {
    return this.#one({ kind: 'gcra', scope, key, rule, cost }, nowMs);
  }

  slidingWindow(
    scope: string,
    key: string,
    rule: SlidingWindowRule,
    cost: number,
    nowMs: number,
  ): Awaitable<LimitOutcome> {
    return this.#one({ kind: 'sliding-window', scope, key, rule, cost }, nowMs);
  }

  charge(charges: readonly Charge[], nowMs: number): Awaitable<readonly LimitOutcome[]> {
    for (const charge of charges) assertCharge(charge, nowMs);
    // Some leased and some not: then all of them are asked for, and at one instant.
    if (charges.every(isLeased)) return this.#leases.all(charges, nowMs, this.#store);
    const together = this.#together(charges);
    if (together.length === 1) return this.#chargeSlot(together[0], nowMs);
    return this.#chargeSlots(together, charges.length, nowMs);
  }

  async refund(charges: readonly Charge[], chargedAtMs: number, nowMs: number): Promise<void> {
    for (const charge of charges) assertCharge(charge, nowMs);
    assertTime(chargedAtMs);
    const ageMs = Math.floor(nowMs) - Math.floor(chargedAtMs);
    // The clock was set back since: nobody knows how much time has given back.
    if (ageMs < 0) return;
    const where = this.#afterLoss.whereCounted(ageMs, !this.#parts.store.isUp);
    if (where === 'nowhere') return;
    if (where === 'here') return void (await this.#afterLoss.refund(charges, chargedAtMs, nowMs));
    await Promise.all(this.#together(charges).map((one) => this.#refundSlot(one, ageMs, nowMs)));
  }

  tally(scope: string, key: string, rule: SumRule, amount: number, nowMs: number): Awaitable<Sum> {
    assertAmount(amount, nowMs);
    const name = this.#parts.names.ofTally(scope, key, rule.windowMs);
    const asked = this.#store.ask(TALLY, [name], [this.#time(nowMs), amount, rule.windowMs]);
    const here = () => this.#afterLoss.tally(scope, key, rule, amount, nowMs);
    return asked === undefined ? here() : asked.then((answer) => sumOf(answer) ?? here());
  }

  acquire(scope: string, key: string, rule: SlotRule, nowMs: number, waiter: Waiter): Awaitable<SlotOutcome> {
    assertTime(nowMs);
    return this.#slots.acquire(scope, key, rule, nowMs, waiter, this.#store);
  }

  /** All of the store answers again. */
  found(): void {
    this.#afterLoss.found();
  }

  /** Gives back what was taken ahead and what is held. */
  close(): void {
    this.#leases.close();
    this.#slots.close();
  }

  #one(charge: Charge, nowMs: number): Awaitable<LimitOutcome> {
    assertCharge(charge, nowMs);
    return isLeased(charge)
      ? this.#leases.one(charge, nowMs, this.#store)
      : this.#exactly(charge, nowMs, this.#store);
  }

  #exactly(charge: Charge, nowMs: number, store: ScriptStore): Awaitable<LimitOutcome> {
    const { names } = this.#parts;
    const words: StoreWord[] = [this.#time(nowMs)];
    addWords(words, charge);
    const asked = store.ask(CHARGE, [names.ofCharge(charge)], words);
    if (asked === undefined) return this.#afterLoss.one(charge, nowMs);
    return asked.then((answer) => this.#decided(answer, 1)?.[0] ?? this.#afterLoss.one(charge, nowMs));
  }

  #chargeSlot({ names, charges }: Together, nowMs: number): Awaitable<readonly LimitOutcome[]> {
    const words: StoreWord[] = [this.#time(nowMs)];
    for (const charge of charges) addWords(words, charge);
    const asked = this.#store.ask(CHARGE, names, words);
    if (asked === undefined) return this.#afterLoss.all(charges, nowMs);
    return asked.then(
      (answer) => this.#decided(answer, charges.length) ?? this.#afterLoss.all(charges, nowMs),
    );
  }

  /**
   * All slots are asked at once, and where one refuses, what the others charged is given back. Meanwhile somebody else
   * may be refused for it; nobody is ever admitted too much.
   */
  async #chargeSlots(
    together: readonly Together[],
    count: number,
    nowMs: number,
  ): Promise<readonly LimitOutcome[]> {
    const answers = await Promise.all(together.map((one) => this.#chargeSlot(one, nowMs)));
    const outcomes: LimitOutcome[] = new Array(count);
    for (const [i, { at }] of together.entries()) {
      for (const [j, outcome] of answers[i].entries()) outcomes[at[j]] = outcome;
    }
    if (outcomes.every(({ allowed }) => allowed)) return outcomes;
    for (const [i, one] of together.entries()) {
      if (!answers[i].every(({ allowed }) => allowed)) continue;
      if (answers[i].some(({ lost }) => lost)) void this.#afterLoss.refund(one.charges, nowMs, nowMs);
      else void this.#refundSlot(one, 0, nowMs);
    }
    return outcomes;
  }

  async #refundSlot({ names, charges }: Together, ageMs: number, nowMs: number): Promise<void> {
    // A share may have been charged so much earlier than it was used.
    const aheadMs = Math.max(0, ...charges.filter(isLeased).map(({ rule }) => leaseMs(windowOf(rule))));
    const isStores = this.#parts.time !== 'evaluation';
    const chargedAtMs = isStores ? this.#storeClock.ago(ageMs + aheadMs) : Math.floor(nowMs) - ageMs;
    // Nothing was ever charged, as far as is known here.
    if (chargedAtMs === undefined) return;
    const words: StoreWord[] = [this.#time(nowMs), chargedAtMs];
    for (const charge of charges) addWords(words, charge);
    await this.#parts.store.ask(REFUND, names, words, 'nobody');
  }

  /** What the store says of so many charges; undefined where it says nothing. */
  #decided(answer: StoreAnswer | undefined, count: number): readonly LimitOutcome[] | undefined {
    const outcomes = outcomesOf(answer, count, this.#storeClock);
    if (outcomes !== undefined) this.#afterLoss.found();
    return outcomes;
  }

  /** By slot where they are told apart, in the order they came. */
  #together(charges: readonly Charge[]): Together[] {
    const { store, names } = this.#parts;
    const slots = new Map<string, Together>();
    for (const [i, charge] of charges.entries()) {
      const name = names.ofCharge(charge);
      const tag = store.isCluster ? tagOf(name) : '';
      const one = slots.get(tag) ?? { names: [], charges: [], at: [] };
      one.names.push(name);
      one.charges.push(charge);
      one.at.push(i);
      slots.set(tag, one);
    }
    return [...slots.values()];
  }

  #time(nowMs: number): StoreWord {
    return this.#parts.time === 'evaluation' ? Math.floor(nowMs) : '';
  }
}

const isLeased = ({ rule }: Charge): boolean => rule.counting === 'leased';

const windowOf = (rule: Charge['rule']): number =>
  'windowMs' in rule ? rule.windowMs : rule.endMs - rule.startMs;

function sumOf(answer: StoreAnswer | undefined): Sum | undefined {
  const sum = typeof answer === 'string' ? Number(answer) : Number.NaN;
  return Number.isNaN(sum) ? undefined : { sum };
}
