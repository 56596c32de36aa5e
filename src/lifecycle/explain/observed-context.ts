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
} from '../../contract/index.ts';
import { observedCounters } from './observed-counters.ts';
import { observedIdentity, observedRequest, watching } from './observed-view.ts';
import type { TracedPart } from './trace.ts';

/** What a policy is given while somebody watches what it looks at. */
export class ObservedContext implements PolicyContext {
  readonly #context: PolicyContext;
  readonly #part: TracedPart;
  readonly request: RequestView;
  readonly route: RouteContext;
  readonly deps: EvaluationDeps;
  #facts: { readonly of: Readonly<Facts>; readonly seen: Readonly<Facts> } | undefined;

  constructor(context: PolicyContext, part: TracedPart) {
    this.#context = context;
    this.#part = part;
    this.request = observedRequest(context.request, part);
    const params = watching(context.route.params, (key, value) => part.looked(`route.params.${key}`, value));
    this.route = { ...context.route, params };
    this.deps = { ...context.deps, state: observedCounters(context.deps.state, part) };
  }

  get now(): number {
    return this.#context.now;
  }

  get shadow(): boolean {
    return this.#context.shadow;
  }

  get edits(): EditJournal {
    return this.#context.edits;
  }

  get facts(): Readonly<Facts> {
    const { facts } = this.#context;
    if (this.#facts?.of !== facts) this.#facts = { of: facts, seen: this.#observed(facts) };
    return this.#facts.seen;
  }

  provide<K extends FactKey>(key: K, value: Facts[K]): void {
    this.#context.provide(key, value);
  }

  onEnd(work: (end: RequestEnd) => Awaitable<void>): void {
    this.#context.onEnd(work);
  }

  #observed(facts: Readonly<Facts>): Readonly<Facts> {
    const { identity } = facts;
    const part = this.#part;
    if (identity !== undefined) return { ...facts, identity: observedIdentity(identity, part) };
    return {
      ...facts,
      get identity() {
        part.looked('identity', undefined);
        return undefined;
      },
    };
  }
}
