import type { Charge } from '../contract/index.ts';
import { ByRule } from './by-rule.ts';
import { KeyHash } from './key-hash.ts';

/** They come from documents, so the bounds only matter after very many reloads, or where a limit moves by itself. */
const BOUNDS = { maxScopes: 4096, maxRules: 8 };

/** Keys the hash of a caller's key: what separates the keys of one scope and rule from all others. */
interface HashKey {
  readonly k0: number;
  readonly k1: number;
}

/**
 * Turns (kind, scope, rule, key) into the 64-bit identity of a counter. The hash of scope and rule is the hash key
 * for the caller's key, and is remembered.
 */
export class CounterNames {
  readonly hash = new KeyHash();
  readonly #keys: ByRule<HashKey>;

  constructor(k0: number, k1: number) {
    const { hash } = this;
    this.#keys = new ByRule((name) => {
      hash.update(k0, k1, name);
      return { k0: hash.low, k1: hash.high };
    }, BOUNDS);
  }

  /** The identity, until the next is asked for. Throws InternalError for a rule that cannot be counted. */
  identify(kind: string, scope: string, limit: number, windowMs: number, most: number, key: string): KeyHash {
    return this.#hash(this.#keys.of(kind, scope, limit, windowMs, most), key);
  }

  identifyCharge(charge: Charge): KeyHash {
    return this.#hash(this.#keys.ofCharge(charge), charge.key);
  }

  identifyQuota(scope: string, key: string): KeyHash {
    return this.#hash(this.#keys.ofQuota(scope), key);
  }

  #hash({ k0, k1 }: HashKey, key: string): KeyHash {
    this.hash.update(k0, k1, key);
    return this.hash;
  }
}
