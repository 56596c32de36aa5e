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
  let head = GENESIS;
  let holdsKnown = known.number === 0;
  for (const link of links) {
    const number = head.number + 1;
    if (link.number !== number) return { intact: false, number, fault: 'removed' };
    if (linkHash(head.hash, number, link.entry) !== link.hash)
      return { intact: false, number, fault: 'edited' };
    if (number === known.number) {
      if (link.hash !== known.hash) return { intact: false, number, fault: 'edited' };
      holdsKnown = true;
    }
    head = { number, hash: link.hash };
  }
  if (head.number < kept.number || !holdsKnown) {
    return { intact: false, number: head.number + 1, fault: 'truncated' };
  }
  const isKept = head.number === kept.number && head.hash === kept.hash;
  return isKept ? { intact: true, head } : { intact: false, number: head.number, fault: 'edited' };
}
