import { hash } from 'node:crypto';
import { CALLER_GROUPS } from '../../contract/index.ts';
import { KeyHash } from '../../state/index.ts';

const WORD = 2 ** 32;
/** Of a digest in base64url: 96 bits, so that no two credentials are taken for one. */
const MARK_LENGTH = 16;

/**
 * Where callers stand in a rollout: the same in every worker and on every node, and another for every rollout. The seed
 * is no secret; who knows it and may choose among credentials or addresses of their own can choose the arm, and no more.
 */
export class CallerHash {
  /** Of the caller that was located last: from 0 to below 1. Those below the share are in the cohort while it grows. */
  place = 0;
  /** From 0 to below `CALLER_GROUPS`; tells nothing of the place. */
  group = 0;
  readonly #hash = new KeyHash();
  readonly #salt: string;
  readonly #low: number;
  readonly #high: number;

  /** `rollout`: its id. */
  constructor(rollout: string) {
    const digest = hash('sha256', `callers of ${rollout}`, 'buffer');
    this.#low = digest.readInt32LE(0);
    this.#high = digest.readInt32LE(4);
    this.#salt = digest.toString('hex');
  }

  /** Leaves where a caller stands in `place` and `group`. */
  locate(caller: string): this {
    this.#hash.update(this.#low, this.#high, caller);
    this.place = (this.#hash.low >>> 0) / WORD;
    this.group = (this.#hash.high >>> 0) % CALLER_GROUPS;
    return this;
  }

  /** A text in place of a credential, which is kept nowhere. */
  markOf(credential: string): string {
    return hash('sha256', this.#salt + credential, 'base64url').slice(0, MARK_LENGTH);
  }
}
