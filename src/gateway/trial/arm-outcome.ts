import { ERRORS, PolicyRejection } from '../../errors.ts';
import type { EndedExchange } from '../recorder.ts';
import type { ArmOutcome } from './arm.ts';

type Ended = Pick<EndedExchange, 'error' | 'status' | 'dispatch'>;

/**
 * Whose doing it was that a request ended as it did. A caller that goes away is nobody's fault; undefined where neither
 * revision had a say, since there were too many requests.
 */
export function armOutcomeOf({ error, status, dispatch }: Ended): ArmOutcome | undefined {
  if (error === undefined) {
    if (dispatch !== undefined) return status >= 500 ? 'upstream-error' : 'answered';
    return status >= 500 ? 'gateway-error' : status >= 400 ? 'denied' : 'answered';
  }
  const { code } = error;
  if (code === 'overloaded') return undefined;
  if (code === 'client-closed-request' || code === 'request-timeout') return 'answered';
  const { source, status: usual } = ERRORS[code];
  if (source === 'upstream') return 'upstream-error';
  if (source === 'policy') return 'denied';
  return (error instanceof PolicyRejection ? error.status : usual) >= 500 ? 'gateway-error' : 'denied';
}

/**
 * From its head to the head of the upstream's answer, in milliseconds; undefined where there was none. How long the rest
 * takes is for the client and the upstream.
 */
export function latencyOf({
  dispatch,
  startedAtMs,
}: Pick<EndedExchange, 'dispatch' | 'startedAtMs'>): number | undefined {
  return dispatch === undefined || dispatch.headAtMs === 0 ? undefined : dispatch.headAtMs - startedAtMs;
}
