import type { Awaitable } from './deps.ts';
import type { Priority } from './priority.ts';

/** How a counter is kept where several nodes share a store; without one it means nothing. */
export interface Sharing {
  /**
   * `exact` (default): every request asks the store. `leased`: a worker takes shares of the limit ahead and answers from
   * them, which may admit more than the limit by no more than the shares that are out.
   */
  readonly counting?: 'exact' | 'leased' | undefined;
  /**
   * When the store does not answer in time: `local` (default) counts on this node, by the share of the limit that it
   * would have; `open` admits; `closed` refuses, and says so in the outcome.
   */
  readonly onLoss?: 'local' | 'open' | 'closed' | undefined;
}

/** What all counters have in common. */
export interface CounterRule extends Sharing {
  /**
   * Whether anybody may be such a key, and many of them, without proving anything: an address, a value of a header. Part
   * of the places there are is not for them, so that no flood of them keeps out those who are proved.
   */
  readonly unproven?: boolean | undefined;
}

/** Generic Cell Rate Algorithm (ITU-T I.371): `limit` per `windowMs`, `burst` at once. */
export interface GcraRule extends CounterRule {
  readonly limit: number;
  readonly windowMs: number;
  /** Requests admitted at once by an idle key; default is `limit`. */
  readonly burst: number;
}

/** Sliding window by two weighted fixed windows: at most `limit` per `windowMs`. */
export interface SlidingWindowRule extends CounterRule {
  readonly limit: number;
  readonly windowMs: number;
}

/**
 * At most `limit` from `startMs` to `endMs` (milliseconds since the epoch). A key's count goes on when the limit
 * changes; windows of another length are another count, but for quotas, which are to have a scope for each length.
 */
export interface FixedWindowRule extends CounterRule {
  readonly limit: number;
  readonly startMs: number;
  readonly endMs: number;
}

/** So many windows after its own, a quota that carries over is as one that was never charged. */
export const REMEMBERED_WINDOWS = 8;

/** A fixed window whose count outlives a restart. What was left of the window before may be added to the limit. */
export interface QuotaRule extends FixedWindowRule {
  /**
   * Of what the window before left, at most so much is carried over; 0 for nothing. A window in which nobody came leaves
   * all of its limit. Who comes for the first time, or stayed away for more than `REMEMBERED_WINDOWS`, carries nothing.
   */
  readonly carryOver: number;
  /** For those who look after usage. A quota that says nothing of itself is neither listed nor kept. */
  readonly about?: QuotaAbout | undefined;
}

/** What a quota is called. */
export interface QuotaAbout {
  /** Id of its attachment. */
  readonly attachment: string;
  /** As answers and records call it. */
  readonly name: string;
  /** What its keys are: `consumer`, `header x-tenant`… */
  readonly by: string;
  /** Whether the attachment was in shadow: nobody is refused by it. */
  readonly shadow: boolean;
}

/** One counter, and what is to be charged to it. */
export type Charge = { readonly scope: string; readonly key: string; readonly cost: number } & (
  | { readonly kind: 'gcra'; readonly rule: GcraRule }
  | { readonly kind: 'sliding-window'; readonly rule: SlidingWindowRule }
  | { readonly kind: 'fixed-window'; readonly rule: FixedWindowRule }
  | { readonly kind: 'quota'; readonly rule: QuotaRule }
);

export interface LimitOutcome {
  readonly allowed: boolean;
  /** Whole requests still admitted now. */
  readonly remaining: number;
  /** Until the same request would be admitted; 0 when allowed. A client that waits so long gets through. */
  readonly retryAfterMs: number;
  /** Until the key is as good as new. */
  readonly resetMs: number;
  /**
   * The shared store was not there, and this is what the rule's `onLoss` says. `allowed` false with it means `closed`:
   * nobody knows whether the limit is reached.
   */
  readonly lost?: true | undefined;
  /**
   * Refused since the table of counters has no place left for the key: all the others there are live, and to forget one
   * would lift its limit. `retryAfterMs` is then until the first of them has nothing left to remember.
   */
  readonly full?: true | undefined;
}

/** What the last `windowMs` come to, of something that is added up and never refused. */
export interface SumRule {
  readonly windowMs: number;
  /** When the store does not answer in time: `local` (default) adds up on this node; with the others nothing is added up. */
  readonly onLoss?: Sharing['onLoss'];
}

export interface Sum {
  /** From 0 and not only whole. */
  readonly sum: number;
  /**
   * The shared store was not there: by `local` it is what has come to this node since, whatever the store knows; else it
   * is 0, and what was to be added is lost. What that means is for who asks to decide.
   */
  readonly lost?: true | undefined;
}

/** At most `limit` at the same time. */
export interface SlotRule extends Sharing {
  readonly limit: number;
  /** How many may wait for one; 0 for none. Where they do, one that matters more displaces the last that matters least. */
  readonly queue: number;
  /** How long one waits at most, in milliseconds. */
  readonly waitMs: number;
  /** Of those that wait, the most important goes first; of equals, who came first. */
  readonly priority: Priority;
}

/** A place among those under way. Giving it back twice gives it back once. */
export interface Slot {
  release(): void;
}

export type SlotOutcome =
  | {
      readonly granted: true;
      readonly slot: Slot;
      /** Held under the key, this one included. */
      readonly held: number;
      /** As with counters: the store was lost, and it is granted on this node's own count, or on none. */
      readonly lost?: true | undefined;
    }
  | {
      readonly granted: false;
      /**
       * `full`: nobody may wait; `queue-full`: also of one that waited and was displaced; `timeout`: waited in vain;
       * `cancelled`; `no-room`: too much is held by others to count one more; `lost`: the store was, and the rule says closed.
       */
      readonly why: 'full' | 'queue-full' | 'timeout' | 'cancelled' | 'no-room' | 'lost';
      readonly held: number;
    };

/** Tells a wait that it is no longer wanted. */
export interface Waiter {
  /** Set by the state while it waits; whoever waited calls it when the request ends. */
  cancel?: (() => void) | undefined;
}

/**
 * Counters shared by every worker of a node (and, with a server behind it, of a fleet). `scope` is the
 * attachment's id, `key` the caller's; together they name one counter. Exact: under any interleaving no
 * window admits more than the rule says. `nowMs` comes from the evaluation's clock.
 */
export interface CounterState {
  /**
   * The same counters as one request asks them, which waits for all its questions no longer than for one. Only where
   * answers are waited for.
   */
  ofRequest?(): CounterState;
  /** Cost 0 asks without changing anything. */
  gcra(scope: string, key: string, rule: GcraRule, cost: number, nowMs: number): Awaitable<LimitOutcome>;
  slidingWindow(
    scope: string,
    key: string,
    rule: SlidingWindowRule,
    cost: number,
    nowMs: number,
  ): Awaitable<LimitOutcome>;
  /**
   * Charges all of them or, where any refuses, none, at one instant. The outcomes are in the order of the charges, each
   * as if asked for alone: all that refuse say how long to wait. Each charge has another counter.
   */
  charge(charges: readonly Charge[], nowMs: number): Awaitable<readonly LimitOutcome[]>;
  /**
   * Gives back what was charged at `chargedAtMs`, by the very rules it was charged by, as far as time has not given it
   * back already: never so much that more is admitted than if it had never been charged.
   */
  refund(charges: readonly Charge[], chargedAtMs: number, nowMs: number): Awaitable<void>;
  /**
   * Adds `amount`, from 0 and not only whole, to a key's sum and gives what the last `windowMs` come to: the current window
   * and a share of the one before. Every key counts as unproven. Never refuses; a key that finds no room says `amount`.
   */
  tally(scope: string, key: string, rule: SumRule, amount: number, nowMs: number): Awaitable<Sum>;
  /** Takes a place among those under way, at once or after a wait. */
  acquire(scope: string, key: string, rule: SlotRule, nowMs: number, waiter: Waiter): Awaitable<SlotOutcome>;
}
