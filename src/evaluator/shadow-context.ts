import type {
  Awaitable,
  EvaluationDeps,
  FactKey,
  Facts,
  PolicyContext,
  RequestEnd,
  RequestView,
  RouteContext,
} from '../contract/index.ts';
import { Journal } from './journal.ts';

const NO_FACTS: Readonly<Partial<Facts>> = Object.freeze({});

/** What an attachment in shadow sees: the live request, and the facts other shadow attachments would have given. */
export class ShadowContext implements PolicyContext {
  readonly #live: PolicyContext;
  /** Facts of shadow attachments so far; replaced, never changed, so that a failing one's can be taken back. */
  own: Readonly<Partial<Facts>> = NO_FACTS;
  /** Never applied. */
  readonly edits: Journal = new Journal();
  readonly shadow = true;

  constructor(live: PolicyContext) {
    this.#live = live;
  }

  get request(): RequestView {
    return this.#live.request;
  }

  get route(): RouteContext {
    return this.#live.route;
  }

  get now(): number {
    return this.#live.now;
  }

  get deps(): EvaluationDeps {
    return this.#live.deps;
  }

  get facts(): Readonly<Facts> {
    return { ...this.#live.facts, ...this.own };
  }

  provide<K extends FactKey>(key: K, value: Facts[K]): void {
    this.own = { ...this.own, [key]: value };
  }

  onEnd(work: (end: RequestEnd) => Awaitable<void>): void {
    this.#live.onEnd(work);
  }

  /** Takes back facts given since `before`; undefined when there was no shadow attachment yet. */
  forget(before: ShadowContext['own'] | undefined): void {
    this.own = before ?? NO_FACTS;
  }
}
