import { KeyHash } from './key-hash.ts';
import { assertRule } from './rule.ts';

/** Scopes remembered at most. They come from documents, so the bound only matters after very many reloads. */
const MAX_SCOPES = 4096;

/** A scope with its rule: what separates its keys from all others. */
interface ScopeKey {
  readonly kind: string;
  readonly limit: number;
  readonly windowMs: number;
  readonly most: number;
  readonly k0: number;
  readonly k1: number;
}

/**
 * Turns (kind, scope, rule, key) into the 64-bit identity of a counter. The rule is part of it: counts under
 * one rule mean nothing under another, so a changed limit starts afresh instead of misreading old counts.
 * The hash of scope and rule is the hash key for the caller's key, and is remembered per scope.
 */
export class CounterNames {
  readonly hash = new KeyHash();
  readonly #k0: number;
  readonly #k1: number;
  readonly #scopes = new Map<string, ScopeKey>();

  constructor(k0: number, k1: number) {
    this.#k0 = k0;
    this.#k1 = k1;
  }

  /** Leaves the identity in `hash.low` and `hash.high`. Throws InternalError for a rule that cannot be counted. */
  identify(kind: string, scope: string, limit: number, windowMs: number, most: number, key: string): KeyHash {
    let known = this.#scopes.get(scope);
    if (
      known === undefined ||
      known.kind !== kind ||
      known.limit !== limit ||
      known.windowMs !== windowMs ||
      known.most !== most
    ) {
      known = this.#learn(kind, scope, limit, windowMs, most);
    }
    this.hash.update(known.k0, known.k1, key);
    return this.hash;
  }

  #learn(kind: string, scope: string, limit: number, windowMs: number, most: number): ScopeKey {
    assertRule(limit, windowMs, most);
    if (this.#scopes.size >= MAX_SCOPES) this.#scopes.clear();
    const { hash } = this;
    hash.update(this.#k0, this.#k1, ruleName(kind, scope, limit, windowMs, most));
    const known = { kind, limit, windowMs, most, k0: hash.low, k1: hash.high };
    this.#scopes.set(scope, known);
    return known;
  }
}

/** Unambiguous: everything before the scope is of fixed form. */
export const ruleName = (
  kind: string,
  scope: string,
  limit: number,
  windowMs: number,
  most: number,
): string => `${kind} ${limit} ${windowMs} ${most} ${scope}`;
