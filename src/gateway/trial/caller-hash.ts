import { hash } from 'node:crypto';
import { CALLER_GROUPS } from '../../contract/index.ts';
import { KeyHash } from '../../state/index.ts';

const WORD = 2 ** 32;
/** Of the upper half, so many bits make a number with the lower half that is exact. */
const EXACT_HIGH = 2 ** 21 - 1;

/**
 * Where callers stand in a rollout: the same in every worker and on every node, and another for every rollout. The seed
 * is no secret; who knows it and may choose among credentials or addresses of their own can choose the arm, and no more.
 */
export class CallerHash {
  readonly #hash = new KeyHash();
  readonly #seeds: Int32Array;

  /** `rollout`: its id. */
  constructor(rollout: string) {
    const digest = hash('sha256', `callers of ${rollout}`, 'buffer');
    this.#seeds = Int32Array.from({ length: 4 }, (_, i) => digest.readInt32LE(i * 4));
  }

  /** From 0 to below 1: those below the share are in the cohort, so that nobody leaves it while it grows. */
  placeOf(caller: string): number {
    this.#hash.update(this.#seeds[0], this.#seeds[1], caller);
    return (this.#hash.low >>> 0) / WORD;
  }

  /** From 0 to below `CALLER_GROUPS`; tells nothing of the place. */
  groupOf(caller: string): number {
    this.#hash.update(this.#seeds[2], this.#seeds[3], caller);
    return (this.#hash.low >>> 0) % CALLER_GROUPS;
  }

  /** A number in place of a credential, which is kept nowhere. */
  markOf(credential: string): number {
    this.#hash.update(this.#seeds[0], this.#seeds[3], credential);
    return (this.#hash.low >>> 0) + (this.#hash.high & EXACT_HIGH) * WORD;
  }
}
