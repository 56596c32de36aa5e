import type { Charge, LimitOutcome } from '../../contract/index.ts';

/** What was taken ahead at one time, and is not used yet. */
export interface Share {
  credits: number;
  /** Monotonic milliseconds. */
  lapsesAtMs: number;
  /** When it was charged, by the store's clock. */
  readonly chargedAtMs: number;
  /** By what it was charged, for what is given back. */
  readonly charge: Charge;
}

const LONGEST_LEASE_MS = 1000;
/** A share lapses after so much of its window. */
const PART_OF_WINDOW = 10;
/** Shares smaller than this are fetched when they are needed: to fetch ahead would ask as often as there are requests. */
const AHEAD_FROM = 4;
/** In the last of so many parts of its time a share is renewed although there is some of it left. */
const RENEWED_IN_LAST = 4;

/** For how long a share may be used. What a rule admits is off by no more than what is charged in this time. */
export const leaseMs = (windowMs: number): number =>
  Math.max(1, Math.min(LONGEST_LEASE_MS, Math.floor(windowMs / PART_OF_WINDOW)));

/** The shares of one counter that this thread holds, and what it knows of the rest. */
export class Lease {
  readonly leaseMs: number;
  /** A question about a share beyond what is needed now is under way. */
  isAsking = false;
  usedAtMs: number;
  #current: Share | undefined;
  #next: Share | undefined;
  /** How much to take ahead. */
  #size = 1;
  #used = 0;
  #restsUntilMs = 0;
  #sinceMs: number;
  /** What the store had left when it was last asked, and when the counter is as good as new. */
  #left = 0;
  #resetAtMs = 0;
  #refusal: { readonly outcome: LimitOutcome; readonly cost: number; readonly atMs: number } | undefined;

  constructor(windowMs: number, nowMs: number) {
    this.leaseMs = leaseMs(windowMs);
    this.usedAtMs = nowMs;
    this.#sinceMs = nowMs;
  }

  /** Uses `cost` of what is held. False where that is not enough. Shares that lapsed go to `lapsed`. */
  spend(cost: number, nowMs: number, lapsed: Share[]): boolean {
    this.usedAtMs = nowMs;
    const current = this.#live(nowMs, lapsed);
    if (current === undefined) return false;
    if (current.credits < cost) return this.#spendBoth(current, cost);
    current.credits -= cost;
    this.#used += cost;
    return true;
  }

  /** Takes back what was spent just now. */
  unspend(cost: number): boolean {
    if (this.#current === undefined) return false;
    this.#current.credits += cost;
    this.#used -= cost;
    return true;
  }

  /** Whether a share is to be fetched before it is needed. */
  wantsMore(nowMs: number): boolean {
    const current = this.#current;
    if (this.isAsking || this.#size < AHEAD_FROM || this.#next !== undefined || current === undefined)
      return false;
    if (nowMs < this.#restsUntilMs) return false;
    return current.credits * 2 < this.#size || current.lapsesAtMs - nowMs < this.leaseMs / RENEWED_IN_LAST;
  }

  /** How much to take ahead: what the last requests would use in the time a share lasts, growing no faster than twofold. */
  sizeNow(nowMs: number): number {
    const elapsedMs = Math.max(0.01, nowMs - this.#sinceMs);
    const demand = Math.ceil((this.#used / elapsedMs) * this.leaseMs);
    this.#size = Math.max(1, Math.min(this.#size * 2, demand));
    if (elapsedMs >= this.leaseMs) {
      this.#used = 0;
      this.#sinceMs = nowMs;
    }
    return this.#size;
  }

  /** What the store said, when more was taken. False where there is no room to hold the share. */
  take(share: Share, outcome: LimitOutcome, nowMs: number): boolean {
    this.#refusal = undefined;
    this.#left = outcome.remaining;
    this.#resetAtMs = nowMs + outcome.resetMs;
    // Nothing is left: to ask for more at once would ask with every request.
    if (share.credits === 0) this.#restsUntilMs = nowMs + this.leaseMs / RENEWED_IN_LAST;
    if (share.credits === 0) return true;
    if (this.#current === undefined) this.#current = share;
    else if (this.#next === undefined) this.#next = share;
    else return false;
    return true;
  }

  /** Used at once, as it came. */
  count(cost: number): void {
    this.#used += cost;
  }

  refuse(outcome: LimitOutcome, cost: number, nowMs: number): void {
    this.#left = outcome.remaining;
    this.#resetAtMs = nowMs + outcome.resetMs;
    this.#refusal = { outcome, cost, atMs: nowMs };
  }

  /** A refusal that still holds: the store would say the same, unless others have given something back meanwhile. */
  refusal(cost: number, nowMs: number): LimitOutcome | undefined {
    const refusal = this.#refusal;
    if (refusal === undefined || refusal.cost !== cost) return undefined;
    const { outcome, atMs } = refusal;
    const passedMs = nowMs - atMs;
    if (passedMs >= Math.min(this.leaseMs, outcome.retryAfterMs)) {
      this.#refusal = undefined;
      return undefined;
    }
    return {
      allowed: false,
      remaining: outcome.remaining,
      retryAfterMs: Math.max(1, Math.ceil(outcome.retryAfterMs - passedMs)),
      resetMs: Math.max(1, Math.ceil(outcome.resetMs - passedMs)),
    };
  }

  /** As far as this thread knows: others may have taken some of it since. */
  admitted(nowMs: number): LimitOutcome {
    const held = (this.#current?.credits ?? 0) + (this.#next?.credits ?? 0);
    return {
      allowed: true,
      remaining: this.#left + held,
      retryAfterMs: 0,
      resetMs: Math.max(1, Math.ceil(this.#resetAtMs - nowMs)),
    };
  }

  /** Lets go of what has lapsed; true when nothing is left that is worth keeping. */
  sweep(nowMs: number, lapsed: Share[]): boolean {
    const isEmpty = this.#live(nowMs, lapsed) === undefined;
    return isEmpty && !this.isAsking && nowMs - this.usedAtMs > 2 * this.leaseMs;
  }

  /** Lets go of everything. */
  end(given: Share[]): void {
    for (const share of [this.#current, this.#next]) if (share !== undefined) given.push(share);
    this.#current = undefined;
    this.#next = undefined;
  }

  #live(nowMs: number, lapsed: Share[]): Share | undefined {
    while (
      this.#current !== undefined &&
      (this.#current.credits === 0 || nowMs >= this.#current.lapsesAtMs)
    ) {
      if (this.#current.credits > 0) lapsed.push(this.#current);
      this.#current = this.#next;
      this.#next = undefined;
    }
    return this.#current;
  }

  #spendBoth(current: Share, cost: number): boolean {
    const next = this.#next;
    if (next === undefined || current.credits + next.credits < cost) return false;
    next.credits -= cost - current.credits;
    this.#used += cost;
    this.#current = next;
    this.#next = undefined;
    return true;
  }
}
