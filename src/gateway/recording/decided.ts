import type { DecisionEntry, JudgedOutcome } from '../../contract/index.ts';
import { PolicyRejection } from '../../errors.ts';
import type { EndedExchange } from '../recorder.ts';

type Ended = Pick<EndedExchange, 'error' | 'status' | 'dispatch' | 'judged' | 'banned'>;

/**
 * The kind of a request: its route, or who refused it. Each kind has the same room in a recording. Undefined for one of
 * which that is not known: it broke off before, or nobody could make out what it was. Asked for every request, so that
 * nothing is made for it.
 */
export function groupOf({ error, dispatch, judged, banned }: Ended): string | undefined {
  if (judged === undefined) return banned === undefined ? undefined : error?.code;
  if (dispatch !== undefined || error === undefined) return judged.route.name;
  const { code } = error;
  if (code === 'internal') return undefined;
  if (!(error instanceof PolicyRejection) && code !== 'payload-too-large') return undefined;
  return decider(judged.entries, code)?.attachment ?? code;
}

/** Whether it went no further than the gateway, and was to. */
export const isRefused = ({ error, dispatch }: Ended): boolean =>
  error !== undefined && dispatch === undefined;

/** What became of a request that `groupOf` knows. */
export function decidedOutcome({ error, status, dispatch, judged }: Ended): JudgedOutcome {
  const route = judged?.match.kind === 'found' ? judged.match.route.name : '';
  const outcome = { status, route, by: undefined, policy: undefined, code: undefined, rule: undefined };
  if (dispatch !== undefined) return { ...outcome, kind: 'forward', status: 0 };
  const { attachment: by, policy } = decider(judged?.entries ?? NO_ENTRIES, error?.code) ?? NOBODY;
  if (error === undefined) return { ...outcome, kind: 'respond', by, policy };
  const { code } = error;
  const rule = error instanceof PolicyRejection ? error.rule : undefined;
  // No policy was asked about these.
  const isUnasked = judged === undefined || code === 'overloaded';
  if (isUnasked) return { ...outcome, kind: 'refused', route: '', code, rule };
  return { kind: 'reject', status, route, by, policy, code, rule };
}

const NO_ENTRIES: readonly DecisionEntry[] = Object.freeze([]);
const NOBODY: { readonly attachment?: string; readonly policy?: string } = Object.freeze({});

/** The last attachment that ended it: with this code, or with an answer of its own where there is none. */
function decider(entries: readonly DecisionEntry[], code: string | undefined): DecisionEntry | undefined {
  for (let i = entries.length - 1; i >= 0; i--) {
    const entry = entries[i];
    if (entry.mode !== 'enforce') continue;
    if (code === undefined ? entry.outcome === 'respond' : entry.code === code) return entry;
  }
  return undefined;
}
