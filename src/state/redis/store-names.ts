import { hash } from 'node:crypto';
import type { Charge } from '../../contract/index.ts';
import { ByRule } from '../counters/by-rule.ts';

/** Of 6 bits each: 132 bits of SHA-256, which nobody aims at another's. */
const DIGEST_CHARACTERS = 22;
const BOUNDS = { maxScopes: 4096, maxRules: 8 };

const digest = (text: string): string => hash('sha256', text, 'base64url').slice(0, DIGEST_CHARACTERS);

/** What is kept of a scope and rule: the end of its keys, and the attachment it belongs to. */
interface ScopeName {
  readonly suffix: string;
  readonly attachment: string;
}

/**
 * Names counters in the store: `PREFIX:{digest of attachment and caller}:digest of scope and rule`. What callers send
 * never stands there. On a cluster the part in braces picks the slot: what one attachment counts of one caller lies
 * together and is charged at one instant, and different callers are spread over all nodes.
 */
export class StoreNames {
  readonly #prefix: string;
  readonly #scopes = new ByRule<ScopeName>(scopeName, BOUNDS);
  readonly #slots = new Map<string, ScopeName>();

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Throws InternalError for a rule that cannot be counted. */
  ofCharge(charge: Charge): string {
    return this.#name(this.#scopes.ofCharge(charge), charge.key);
  }

  /** As `ofCharge` of a quota, whatever its rule. */
  ofQuota(scope: string, key: string): string {
    return this.#name(this.#scopes.ofQuota(scope), key);
  }

  ofTally(scope: string, key: string, windowMs: number): string {
    return this.#name(this.#scopes.of('tally', scope, 1, windowMs, 1), key);
  }

  ofSlot(scope: string, key: string): string {
    let known = this.#slots.get(scope);
    if (known === undefined) {
      if (this.#slots.size >= BOUNDS.maxScopes) this.#slots.clear();
      known = scopeName(`slot 0 0 0 ${scope}`);
      this.#slots.set(scope, known);
    }
    return this.#name(known, key);
  }

  /** Those who live. */
  get fleet(): readonly [string, string] {
    return [`${this.#prefix}:{fleet}:workers`, `${this.#prefix}:{fleet}:nodes`];
  }

  #name({ suffix, attachment }: ScopeName, key: string): string {
    return `${this.#prefix}:{${digest(`${attachment}\0${wellFormed(key)}`)}}:${suffix}`;
  }
}

/** The part in braces of a key: keys of one tag lie in one slot. */
export const tagOf = (key: string): string => key.slice(key.indexOf('{') + 1, key.indexOf('}'));

/** `name` ends in the scope, after four words. Several limits of an attachment have its id and a space before their own. */
function scopeName(name: string): ScopeName {
  const scope = name.split(' ').slice(4).join(' ');
  const [attachment] = scope.split(' ');
  return { suffix: digest(name), attachment };
}

/** UTF-8 has one sign for all lone surrogates: two keys must not become one. */
const wellFormed = (key: string): string => (key.isWellFormed() ? key : `\0${JSON.stringify(key)}`);
