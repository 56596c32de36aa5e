import type { Sum } from '../../contract/index.ts';
import type { Misdeed } from '../../limits/index.ts';

const WORDS: Readonly<Record<Misdeed, string>> = Object.freeze({
  'failed-authentication': 'wrong credentials',
  unauthenticated: 'without a credential',
  forbidden: 'forbidden',
  waf: 'stopped by the firewall',
  validation: 'malformed',
  'not-found': 'not found',
  rate: 'over other limits',
  error: 'errors',
});

/** Kinds that are told of: the rest is little beside them. */
const MOST_TOLD = 3;

/** What points come from, most frequent first: `41 wrong credentials, 3 not found in 5m`. Numbers and our own words only. */
export function pointsText(kinds: readonly Misdeed[], counts: readonly Sum[], window: string): string {
  const told = kinds
    .map((kind, i) => ({ kind, count: Math.round(counts[i].sum) }))
    .filter(({ count }) => count > 0)
    .sort((one, other) => other.count - one.count)
    .slice(0, MOST_TOLD)
    .map(({ kind, count }) => `${count} ${WORDS[kind]}`);
  return told.length === 0 ? `misdeeds in ${window}` : `${told.join(', ')} in ${window}`;
}

/** What for lies in the shared store. */
export const lostText = (window: string): string =>
  `misdeeds in ${window}, as far as they are known without the shared store`;

/** `600 requests in 60s, at most 60 are usual`. */
export const rateText = (recent: number, allowance: number): string =>
  `${Math.round(recent)} requests in 60s, at most ${Math.round(allowance)} are usual`;
