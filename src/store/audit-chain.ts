import { createHash } from 'node:crypto';
import { canonicalJson } from '../lib/canonical-json.ts';

import type { AuditEntry, AuditHead, AuditVerification } from './store.ts';

/** Head of a chain without entries. */
export const GENESIS: AuditHead = Object.freeze({ number: 0, hash: '0'.repeat(64) });

/** One entry as it lies in a database. */
export interface AuditLink {
  readonly number: number;
  /** Canonical JSON of the entry. */
  readonly entry: string;
  readonly hash: string;
}

/** The link that follows `head`. */
export function nextLink(head: AuditHead, entry: AuditEntry): AuditLink {
  const { at, actor, action, subject, detail } = entry;
  const text = canonicalJson({ at, actor, action, subject, detail });
  const number = head.number + 1;
  return { number, entry: text, hash: linkHash(head.hash, number, text) };
}

/** The number is hashed as well, so that no entry can be moved. Neither part can hold a line feed. */
const linkHash = (previous: string, number: number, entry: string): string =>
  createHash('sha256').update(`${previous}\n${number}\n${entry}`).digest('hex');

/**
 * Walks the chain. `kept` is the head that the database holds beside it: a chain that ends before it was
 * truncated. Whoever can write the database can also forge a whole new chain: only `known`, a head that was
 * kept elsewhere, tells that.
 */
export function verifyChain(
  links: Iterable<AuditLink>,
  kept: AuditHead,
  known: AuditHead = GENESIS,
): AuditVerification {
  const check = new ChainCheck(known);
  for (const link of links) {
    const fault = check.take(link);
    if (fault !== undefined) return fault;
  }
  return check.end(kept);
}

/** As `verifyChain`, for links that come a few at a time. */
export class ChainCheck {
  readonly #known: AuditHead;
  #head = GENESIS;
  #holdsKnown: boolean;

  constructor(known: AuditHead = GENESIS) {
    this.#known = known;
    this.#holdsKnown = known.number === 0;
  }

  /** Takes the next link; what is wrong with it, or undefined. */
  take(link: AuditLink): AuditVerification | undefined {
    const number = this.#head.number + 1;
    if (link.number !== number) return { intact: false, number, fault: 'removed' };
    if (linkHash(this.#head.hash, number, link.entry) !== link.hash)
      return { intact: false, number, fault: 'edited' };
    if (number === this.#known.number) {
      if (link.hash !== this.#known.hash) return { intact: false, number, fault: 'edited' };
      this.#holdsKnown = true;
    }
    this.#head = { number, hash: link.hash };
    return undefined;
  }

  end(kept: AuditHead): AuditVerification {
    const head = this.#head;
    if (head.number < kept.number || !this.#holdsKnown) {
      return { intact: false, number: head.number + 1, fault: 'truncated' };
    }
    const isKept = head.number === kept.number && head.hash === kept.hash;
    return isKept ? { intact: true, head } : { intact: false, number: head.number, fault: 'edited' };
  }
}
