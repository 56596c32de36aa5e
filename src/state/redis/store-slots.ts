import type { Awaitable, Clock, Random, Slot, SlotOutcome, SlotRule, Waiter } from '../../contract/index.ts';
import { assertSlotRule } from '../slots/slot-rule.ts';
import type { AfterLoss, FleetSize } from './after-loss.ts';
import { numbersOf } from './charge-words.ts';
import { backoffMs } from './circuit.ts';
import type { AskedBy, ScriptStore } from './script-store.ts';
import { ACQUIRE, RELEASE, RENEW } from './scripts.ts';
import type { StoreNames } from './store-names.ts';
import { type Waiting, WaitingLine } from './waiting-line.ts';

/** A place whose holder says nothing for so long is free again. */
const LAPSE_MS = 3000;
const RENEW_MS = 1000;
const RENEWED_TOGETHER = 100;
/** Who waits asks as often. */
const FIRST_POLL_MS = 10;
const LONGEST_POLL_MS = 100;
/** So many times a place goes on to the next of the same thread; then all threads may have it. */
const HANDED_ON = 3;

export interface SlotParts {
  readonly store: ScriptStore;
  readonly names: StoreNames;
  readonly fleet: FleetSize;
  readonly afterLoss: AfterLoss;
  readonly clock: Clock;
  readonly random: Random;
  /** Of this thread, unlike any other's. */
  readonly worker: string;
}

/**
 * Places among those under way, held in the store for as long as this thread says that it lives. Who waits, waits in this
 * thread, in order; of several threads that wait for one place, the first to ask when it is free has it.
 */
export class StoreSlots {
  readonly #parts: SlotParts;
  /** Name in the store by holder. */
  readonly #held = new Map<string, string>();
  readonly #lines = new Map<string, WaitingLine>();
  #holders = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: SlotParts) {
    this.#parts = parts;
  }

  /** `store`: as the request asks it. */
  acquire(
    scope: string,
    key: string,
    rule: SlotRule,
    nowMs: number,
    waiter: Waiter,
    store = this.#parts.store,
  ): Awaitable<SlotOutcome> {
    assertSlotRule(rule);
    const name = this.#parts.names.ofSlot(scope, key);
    const line = this.#lines.get(name);
    if (line !== undefined) return this.#wait(name, line, rule, waiter, rule.limit);
    const holder = this.#newHolder();
    const asked = this.#ask(store, name, rule.limit, holder);
    if (asked === undefined) return this.#parts.afterLoss.acquire(scope, key, rule, nowMs, waiter);
    let isCancelled = false;
    waiter.cancel = () => {
      isCancelled = true;
    };
    return asked.then((numbers) => {
      waiter.cancel = undefined;
      if (numbers === undefined) {
        // Nobody would tell it again that its client has gone: it would wait for all of its time.
        if (isCancelled) return { granted: false, why: 'cancelled', held: 0 };
        return this.#parts.afterLoss.acquire(scope, key, rule, nowMs, waiter);
      }
      const [isGranted, held] = numbers;
      if (isGranted === 1) {
        const slot = this.#hold(name, holder);
        const others = this.#lines.get(name);
        if (others !== undefined) others.limit = rule.limit;
        if (!isCancelled) return { granted: true, slot, held };
        slot.release();
      }
      if (isCancelled) return { granted: false, why: 'cancelled', held };
      return this.#wait(name, this.#lineOf(name, scope, key), rule, waiter, held);
    });
  }

  /** Gives back what is held, and lets nobody wait any longer. */
  close(): void {
    clearInterval(this.#timer);
    for (const [name, line] of this.#lines) {
      for (let first = line.first; first !== undefined; first = line.first) {
        line.remove(first);
        first.settle({ granted: false, why: 'cancelled', held: 0 });
      }
      this.#dropEmpty(name, line);
    }
    for (const [holder, name] of this.#held) void this.#parts.store.ask(RELEASE, [name], [holder], 'nobody');
    this.#held.clear();
  }

  #ask(
    store: ScriptStore,
    name: string,
    limit: number,
    holder: string,
    by?: AskedBy,
  ): Promise<readonly number[] | undefined> | undefined {
    const asked = store.ask(ACQUIRE, [name], [limit, LAPSE_MS, holder], by);
    return asked?.then((answer) => numbersOf(answer, 2));
  }

  #newHolder(): string {
    this.#holders++;
    return `${this.#parts.worker}:${this.#holders}`;
  }

  #hold(name: string, holder: string): Slot {
    this.#held.set(holder, name);
    this.#timer ??= setInterval(() => this.#renew(), RENEW_MS).unref();
    let isHeld = true;
    return {
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        this.#release(name, holder);
      },
    };
  }

  #release(name: string, holder: string): void {
    this.#held.delete(holder);
    const line = this.#lines.get(name);
    const first = line?.first;
    if (line !== undefined && first !== undefined && line.handedOn < HANDED_ON) {
      line.handedOn++;
      line.remove(first);
      first.settle({ granted: true, slot: this.#hold(name, holder), held: line.limit });
      return this.#dropEmpty(name, line);
    }
    // Where it is not heard, the place lapses by itself.
    void this.#parts.store.ask(RELEASE, [name], [holder], 'nobody');
    if (line === undefined) return;
    line.handedOn = 0;
    line.attempts = 0;
    this.#pollLater(name, line);
  }

  /** Also places that lapsed while the store was lost are held again: who has them is still under way. */
  #renew(): void {
    const { store } = this.#parts;
    const held = [...this.#held];
    if (held.length === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    const together = store.isCluster ? 1 : RENEWED_TOGETHER;
    for (let from = 0; from < held.length; from += together) {
      const some = held.slice(from, from + together);
      const names = some.map(([, name]) => name);
      void store.ask(RENEW, names, [LAPSE_MS, ...some.map(([holder]) => holder)], 'nobody');
    }
  }

  #lineOf(name: string, scope: string, key: string): WaitingLine {
    const known = this.#lines.get(name);
    if (known !== undefined) return known;
    const line = new WaitingLine(scope, key);
    this.#lines.set(name, line);
    return line;
  }

  /** The queue is shared by all threads of the fleet, each of which lets its part of it wait. */
  #wait(
    name: string,
    line: WaitingLine,
    rule: SlotRule,
    waiter: Waiter,
    held: number,
  ): Awaitable<SlotOutcome> {
    const most = Math.ceil(rule.queue / this.#parts.fleet.workers);
    line.limit = rule.limit;
    if (line.size >= most) {
      const displaced = most === 0 ? undefined : line.lessThan(rule.priority);
      if (displaced === undefined) {
        this.#dropEmpty(name, line);
        return { granted: false, why: rule.queue === 0 ? 'full' : 'queue-full', held };
      }
      line.remove(displaced);
      displaced.settle({ granted: false, why: 'queue-full', held });
    }
    return new Promise((resolve) => {
      const end = (why: 'timeout' | 'cancelled') => {
        if (!line.remove(waiting)) return;
        waiting.settle({ granted: false, why, held });
        this.#dropEmpty(name, line);
      };
      const timer = setTimeout(end, rule.waitMs, 'timeout');
      const waiting: Waiting = {
        rule,
        waiter,
        untilMs: this.#parts.clock.monotonic() + rule.waitMs,
        settle: (outcome) => {
          clearTimeout(timer);
          waiter.cancel = undefined;
          resolve(outcome);
        },
      };
      waiter.cancel = () => end('cancelled');
      line.add(waiting);
      if (line.timer === undefined && !line.isAsking) this.#pollLater(name, line);
    });
  }

  #pollLater(name: string, line: WaitingLine): void {
    clearTimeout(line.timer);
    const chance = Number.parseInt(this.#parts.random.hex(4), 16) / 2 ** 32;
    const delayMs = backoffMs(++line.attempts, FIRST_POLL_MS, LONGEST_POLL_MS, chance);
    line.timer = setTimeout(() => void this.#poll(name, line), delayMs);
  }

  async #poll(name: string, line: WaitingLine): Promise<void> {
    line.timer = undefined;
    const { first } = line;
    if (first === undefined || line.isAsking) return;
    const holder = this.#newHolder();
    line.isAsking = true;
    // Who waits here waits for the place.
    const numbers = await this.#ask(this.#parts.store, name, line.limit, holder, 'nobody');
    line.isAsking = false;
    if (numbers === undefined) return this.#loseLine(name, line);
    const [isGranted, held] = numbers;
    if (isGranted === 1) this.#give(name, line, holder, held);
    if (line.size > 0) this.#pollLater(name, line);
    else this.#dropEmpty(name, line);
  }

  #give(name: string, line: WaitingLine, holder: string, held: number): void {
    line.attempts = 0;
    const slot = this.#hold(name, holder);
    const { first } = line;
    // Whoever it was asked for may have gone meanwhile.
    if (first === undefined) return slot.release();
    line.remove(first);
    first.settle({ granted: true, slot, held });
  }

  /** Who waits is told what its rule says of a store that is lost, and may wait on, for the rest of its time, there. */
  #loseLine(name: string, line: WaitingLine): void {
    const { afterLoss, clock } = this.#parts;
    const all: Waiting[] = [];
    for (let first = line.first; first !== undefined; first = line.first) {
      line.remove(first);
      all.push(first);
    }
    this.#dropEmpty(name, line);
    for (const waiting of all) {
      const waitMs = Math.max(1, Math.round(waiting.untilMs - clock.monotonic()));
      const rule = { ...waiting.rule, waitMs };
      waiting.waiter.cancel = undefined;
      const outcome = afterLoss.acquire(line.scope, line.key, rule, clock.now(), waiting.waiter);
      void Promise.resolve(outcome).then((later) => waiting.settle(later));
    }
  }

  #dropEmpty(name: string, line: WaitingLine): void {
    if (line.size > 0) return;
    clearTimeout(line.timer);
    line.timer = undefined;
    if (this.#lines.get(name) === line) this.#lines.delete(name);
  }
}
