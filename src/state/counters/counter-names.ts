import type { Charge } from '../../contract/index.ts';
import { ByRule } from './by-rule.ts';
import { KeyHash } from './key-hash.ts';

/** They come from documents, so the bounds only matter after very many reloads, or where a limit moves by itself. */
const BOUNDS = { maxScopes: 16_384, maxRules: 8 };

interface Hash {
  readonly low: number;
  readonly high: number;
}

/**
 * Turns (kind, scope, rule, key) into the 64-bit identity of a counter: the keyed hash of the caller's key and that of
 * all the rest, exclusive-or. Those of rules are remembered, and that of the last key: several limits of one request
 * mostly count the same caller.
 */
export class CounterNames {
  /** The identity that was asked for last, as signed words. */
  low = 0;
  high = 0;
  readonly #hash = new KeyHash();
  readonly #k0: number;
  readonly #k1: number;
  readonly #rules: ByRule<Hash>;
  #lastKey: string | undefined;
  #keyLow = 0;
  #keyHigh = 0;

  constructor(k0: number, k1: number) {
    this.#k0 = k0;
    this.#k1 = k1;
    const hash = new KeyHash();
    // Under another hash key than those of callers, who could else name a key like a rule and cancel it out.
    hash.update(k0, k1, 'rules');
    const { low: r0, high: r1 } = hash;
    this.#rules = new ByRule((name) => {
      hash.update(r0, r1, name);
      return { low: hash.low, high: hash.high };
    }, BOUNDS);
  }

  /** Leaves the identity in `low` and `high`. Throws InternalError for a rule that cannot be counted. */
  identify(kind: string, scope: string, limit: number, windowMs: number, most: number, key: string): this {
    return this.#combine(this.#rules.of(kind, scope, limit, windowMs, most), key);
  }

  identifyCharge(charge: Charge): this {
    return this.#combine(this.#rules.ofCharge(charge), charge.key);
  }

  identifyQuota(scope: string, key: string): this {
    return this.#combine(this.#rules.ofQuota(scope), key);
  }

  #combine(rule: Hash, key: string): this {
    if (key !== this.#lastKey) this.#hashKey(key);
    this.low = this.#keyLow ^ rule.low;
    this.high = this.#keyHigh ^ rule.high;
    return this;
  }

  #hashKey(key: string): void {
    const hash = this.#hash;
    hash.update(this.#k0, this.#k1, key);
    this.#lastKey = key;
    this.#keyLow = hash.low;
    this.#keyHigh = hash.high;
  }
}
