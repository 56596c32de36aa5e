import { scopesOf } from './scopes.ts';
import type { BehaviourSettings, Settings } from './settings.ts';
import { type Caller, Standing } from './standing.ts';

/** Callers of one kind that a worker remembers; what it forgets is still in the counters. */
const MAX_CALLERS = 10_000;

/** The callers that a worker knows of one attachment. */
export class Standings {
  readonly #settings: Settings;
  readonly #behaviour: BehaviourSettings;
  /** By the scope of their keys, of which there are two at most. */
  readonly #kinds = new Map<string, CallersOfKind>();

  constructor(settings: Settings, behaviour: BehaviourSettings) {
    this.#settings = settings;
    this.#behaviour = behaviour;
  }

  of(scope: string, key: string, isAddress: boolean): Standing {
    let kind = this.#kinds.get(scope);
    if (kind === undefined) {
      kind = { scopes: scopesOf(scope), callers: new Map() };
      this.#kinds.set(scope, kind);
    }
    const { scopes, callers } = kind;
    const known = callers.get(key);
    if (known !== undefined) return known;
    if (callers.size >= MAX_CALLERS) forgetFirst(callers);
    const standing = new Standing({ scopes, key, isAddress }, this.#settings, this.#behaviour);
    callers.set(key, standing);
    return standing;
  }
}

interface CallersOfKind {
  readonly scopes: Caller['scopes'];
  readonly callers: Map<string, Standing>;
}

function forgetFirst(callers: Map<string, Standing>): void {
  for (const key of callers.keys()) {
    callers.delete(key);
    return;
  }
}
