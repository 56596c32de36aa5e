import { hash } from 'node:crypto';
import type { Trial } from '../../contract/index.ts';

/** The same text for the same trial, whichever node says it. */
export function trialKey({ rollout, revision, shadow, canary }: Trial): string {
  const cohort =
    canary === undefined ? null : [canary.share, canary.consumers, canary.routes, canary.addresses];
  const judged = shadow === undefined ? null : [shadow.share, shadow.budget];
  return hashOf(JSON.stringify([rollout, revision, judged, cohort]));
}

const KEY_DIGITS = 32;
const hashOf = (text: string): string => hash('sha256', text).slice(0, KEY_DIGITS);
