import type { DecisionEntry } from '../../../src/contract/index.ts';

/** What became of one request: the same words for a record of live traffic and for a judgement offline. */
export interface Outcome {
  /** `forwarded`, `refused 403 forbidden`, or `answered 204`. */
  readonly verdict: string;
  readonly route: string;
  readonly client: string;
  readonly consumer: string | undefined;
  /** Of the phases `request` and `requestBody`, in order. */
  readonly decisions: readonly DecisionEntry[];
}

export const FORWARDED = 'forwarded';

export const refused = (status: number, code: string): string => `refused ${status} ${code}`;

export const answered = (status: number): string => `answered ${status}`;
