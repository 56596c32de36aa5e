import { KeyHash } from '../counters/key-hash.ts';

/** Scopes remembered at most. They come from documents, so the bound only matters after very many reloads. */
const MAX_SCOPES = 4096;

/**
 * Turns a key of a scope into its 64-bit identity, in `low` and `high`. No rule is part of it: who changes a limit does
 * not start to count anew. The hash of the scope is the hash key for the caller's key.
 */
export class ScopedNames {
  readonly #hash = new KeyHash();
  readonly #kind: string;
  readonly #seedLow: number;
  readonly #seedHigh: number;
  readonly #scopes = new Map<string, { readonly k0: number; readonly k1: number }>();

  /** `kind` keeps scopes of one name apart that count different things. */
  constructor(kind: string, seedLow: number, seedHigh: number) {
    this.#kind = kind;
    this.#seedLow = seedLow;
    this.#seedHigh = seedHigh;
  }

  /** Its result is the same object each time, good until the next call. */
  identify(scope: string, key: string): KeyHash {
    const { k0, k1 } = this.#scopes.get(scope) ?? this.#learn(scope);
    this.#hash.update(k0, k1, key);
    return this.#hash;
  }

  #learn(scope: string): { readonly k0: number; readonly k1: number } {
    if (this.#scopes.size >= MAX_SCOPES) this.#scopes.clear();
    this.#hash.update(this.#seedLow, this.#seedHigh, `${this.#kind} ${scope}`);
    const known = { k0: this.#hash.low, k1: this.#hash.high };
    this.#scopes.set(scope, known);
    return known;
  }
}
