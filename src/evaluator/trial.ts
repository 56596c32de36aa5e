import type {
  Awaitable,
  EditJournal,
  EvaluationDeps,
  FactKey,
  Facts,
  PolicyContext,
  RequestEnd,
  RequestView,
  RouteContext,
} from '../contract/index.ts';
import { Journal } from './journal.ts';

/**
 * What one of several policies is given, of which one will do: its facts and edits count only once it is taken.
 * After that it is as good as the context around it, so that the later phases of the policy can go on with it.
 */
export class Trial implements PolicyContext {
  readonly #outer: PolicyContext;
  readonly #journal: Journal = new Journal();
  #facts: Readonly<Facts>;
  #isTaken = false;
  /** Whether who calls was established in it. */
  identified = false;

  constructor(outer: PolicyContext) {
    this.#outer = outer;
    this.#facts = outer.facts;
  }

  get request(): RequestView {
    return this.#outer.request;
  }

  get route(): RouteContext {
    return this.#outer.route;
  }

  get now(): number {
    return this.#outer.now;
  }

  get shadow(): boolean {
    return this.#outer.shadow;
  }

  get deps(): EvaluationDeps {
    return this.#outer.deps;
  }

  get facts(): Readonly<Facts> {
    return this.#isTaken ? this.#outer.facts : this.#facts;
  }

  get edits(): EditJournal {
    return this.#isTaken ? this.#outer.edits : this.#journal;
  }

  provide<K extends FactKey>(key: K, value: Facts[K]): void {
    if (key === 'identity') this.identified = value !== undefined;
    if (this.#isTaken) this.#outer.provide(key, value);
    else this.#facts = { ...this.#facts, [key]: value };
  }

  onEnd(work: (end: RequestEnd) => Awaitable<void>): void {
    this.#outer.onEnd(work);
  }

  /** Hands on what was asked for. */
  take(): void {
    const { edits, facts } = this.#outer;
    this.#isTaken = true;
    this.#journal.replay(edits);
    const { identity, identityFields } = this.#facts;
    if (this.identified || identity !== facts.identity) this.#outer.provide('identity', identity);
    if (identityFields !== facts.identityFields) this.#outer.provide('identityFields', identityFields);
  }

  /** Hands on nothing of it but what was to be taken away: the policy failed, and the request may go on without it. */
  giveUp(): void {
    this.#journal.replayRemovals(this.#outer.edits);
  }
}
