import type { Charge } from '../../contract/index.ts';
import { assertRule } from './rule.ts';

/** Something that is kept for each counter rule of each scope. */
interface Entry<T> {
  readonly kind: string;
  readonly limit: number;
  readonly windowMs: number;
  readonly most: number;
  readonly value: T;
}

export interface ByRuleBounds {
  /** Over it, all are made anew. Default: without bound. */
  readonly maxScopes?: number;
  /** Rules of one scope; over it, the oldest is made anew. Default: without bound. */
  readonly maxRules?: number;
}

/**
 * What is kept for each (kind, scope, rule): counts under one rule mean nothing under another, so the rule is part of
 * a counter's identity, and a changed rate starts afresh instead of misreading old counts. Only fixed windows are told
 * apart by their length alone, and quotas by their scope: who raises a limit does not give everybody a new day.
 */
export class ByRule<T> {
  readonly #make: (name: string) => T;
  readonly #maxScopes: number;
  readonly #maxRules: number;
  readonly #scopes = new Map<string, Entry<T>[]>();

  /** `make` is given a name that no two of them share. */
  constructor(make: (name: string) => T, bounds: ByRuleBounds = {}) {
    this.#make = make;
    this.#maxScopes = bounds.maxScopes ?? Number.POSITIVE_INFINITY;
    this.#maxRules = bounds.maxRules ?? Number.POSITIVE_INFINITY;
  }

  /** Throws InternalError for a rule that cannot be counted. */
  of(kind: string, scope: string, limit: number, windowMs: number, most: number): T {
    const entries = this.#scopes.get(scope);
    if (entries !== undefined) {
      for (let i = 0; i < entries.length; i++) {
        const entry = entries[i];
        const isSame = entry.kind === kind && entry.limit === limit && entry.windowMs === windowMs;
        if (isSame && entry.most === most) return entry.value;
      }
    }
    return this.#learn(kind, scope, limit, windowMs, most);
  }

  ofCharge(charge: Charge): T {
    switch (charge.kind) {
      case 'gcra': {
        const { limit, windowMs, burst } = charge.rule;
        return this.of('gcra', charge.scope, limit, windowMs, burst);
      }
      case 'sliding-window': {
        const { limit, windowMs } = charge.rule;
        return this.of('sliding', charge.scope, limit, windowMs, limit);
      }
      case 'fixed-window':
        // Of another length, they begin and end at other times.
        return this.of('fixed', charge.scope, 1, charge.rule.endMs - charge.rule.startMs, 1);
      case 'quota':
        return this.ofQuota(charge.scope);
    }
  }

  ofQuota(scope: string): T {
    return this.of('quota', scope, 1, 1, 1);
  }

  #learn(kind: string, scope: string, limit: number, windowMs: number, most: number): T {
    assertRule(limit, windowMs, most);
    const value = this.#make(ruleName(kind, scope, limit, windowMs, most));
    const entry = { kind, limit, windowMs, most, value };
    const entries = this.#scopes.get(scope);
    if (entries !== undefined) {
      if (entries.length >= this.#maxRules) entries.shift();
      entries.push(entry);
      return value;
    }
    if (this.#scopes.size >= this.#maxScopes) this.#scopes.clear();
    this.#scopes.set(scope, [entry]);
    return value;
  }
}

/** Unambiguous: everything before the scope is of fixed form. */
const ruleName = (kind: string, scope: string, limit: number, windowMs: number, most: number): string =>
  `${kind} ${limit} ${windowMs} ${most} ${scope}`;
