import type { Charge } from '../../contract/index.ts';
import { assertRule } from './rule.ts';

/** Something that is kept for each counter rule of each scope. */
interface Entry<T> {
  readonly scope: string;
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
  /** What was asked for last: mostly the next is of the same. Never one that was made anew since. */
  #last: Entry<T> | undefined;

  /** `make` is given a name that no two of them share. */
  constructor(make: (name: string) => T, bounds: ByRuleBounds = {}) {
    this.#make = make;
    this.#maxScopes = bounds.maxScopes ?? Number.POSITIVE_INFINITY;
    this.#maxRules = bounds.maxRules ?? Number.POSITIVE_INFINITY;
  }

  /** Throws InternalError for a rule that cannot be counted. */
  of(kind: string, scope: string, limit: number, windowMs: number, most: number): T {
    const last = this.#last;
    if (last !== undefined && last.scope === scope && isOf(last, kind, limit, windowMs, most))
      return last.value;
    this.#last =
      this.#known(kind, scope, limit, windowMs, most) ?? this.#learn(kind, scope, limit, windowMs, most);
    return this.#last.value;
  }

  #known(kind: string, scope: string, limit: number, windowMs: number, most: number): Entry<T> | undefined {
    const entries = this.#scopes.get(scope);
    if (entries === undefined) return undefined;
    for (let i = 0; i < entries.length; i++)
      if (isOf(entries[i], kind, limit, windowMs, most)) return entries[i];
    return undefined;
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

  #learn(kind: string, scope: string, limit: number, windowMs: number, most: number): Entry<T> {
    assertRule(limit, windowMs, most);
    const value = this.#make(ruleName(kind, scope, limit, windowMs, most));
    const entry = { scope, kind, limit, windowMs, most, value };
    const entries = this.#scopes.get(scope);
    if (entries !== undefined) {
      if (entries.length >= this.#maxRules) entries.shift();
      entries.push(entry);
      return entry;
    }
    if (this.#scopes.size >= this.#maxScopes) this.#scopes.clear();
    this.#scopes.set(scope, [entry]);
    return entry;
  }
}

const isOf = (entry: Entry<unknown>, kind: string, limit: number, windowMs: number, most: number): boolean =>
  entry.kind === kind && entry.limit === limit && entry.windowMs === windowMs && entry.most === most;

/** Unambiguous: everything before the scope is of fixed form. */
const ruleName = (kind: string, scope: string, limit: number, windowMs: number, most: number): string =>
  `${kind} ${limit} ${windowMs} ${most} ${scope}`;
