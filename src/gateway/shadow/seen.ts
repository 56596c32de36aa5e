import type { JudgedOutcome, ListenerPlan, RequestEnd } from '../../contract/index.ts';
import { PolicyRejection, RequestError } from '../../errors.ts';
import { type RequestSource, refusedOutcome } from '../../evaluator/index.ts';
import type { ConnectionHome } from '../host.ts';
import type { EndedExchange } from '../recorder.ts';
import { decidedOutcome, groupOf } from '../recording/decided.ts';
import { requestSource } from '../request-source.ts';

/** A request that has ended, with all that it takes to judge it again. */
export interface SeenRequest {
  readonly source: RequestSource;
  readonly expect: string;
  readonly home: ConnectionHome;
  /** The listener it came to, as it was judged by. */
  readonly plan: ListenerPlan;
  /** When its evaluation began, in milliseconds since the epoch. */
  readonly atMs: number;
  readonly durationMs: number;
  /** Undefined where not all of it is kept. */
  readonly body: Uint8Array | undefined;
  /** As far as that is known. */
  readonly bodyBytes: number;
  /** Nobody knows how much of it was still to come. */
  readonly hasOpenBody: boolean;
  readonly outcome: JudgedOutcome;
  readonly end: Omit<RequestEnd, 'decisions'>;
  /** Undefined for strangers. */
  readonly consumer: string | undefined;
}

/** Undefined for one that tells nothing: nobody has judged it, or not to the end, or it is banned for all revisions alike. */
export function seenRequest(exchange: EndedExchange): SeenRequest | undefined {
  const outcome = comparable(exchange);
  if (outcome === undefined) return undefined;
  const { requestId, head, host, plan, judged, keptBody, receivedBytes, error, status, dispatch } = exchange;
  const { services } = host.home;
  const durationMs = services.now() - exchange.startedAtMs;
  const identity = judged?.facts.identity;
  return {
    source: requestSource(requestId, head, host),
    expect: head.expect,
    home: host.home,
    plan,
    atMs: judged?.now ?? services.evaluation.clock.now() - durationMs,
    durationMs,
    body: keptBody,
    bodyBytes: keptBody?.length ?? Math.max(receivedBytes, head.contentLength),
    hasOpenBody: keptBody === undefined && head.chunked,
    outcome,
    end: { status, code: error?.code, upstreamMs: dispatch?.upstreamMs },
    consumer: identity?.anonymous === true ? undefined : identity?.consumer,
  };
}

function comparable(exchange: EndedExchange): JudgedOutcome | undefined {
  const { error, judged, banned, dispatch } = exchange;
  if (banned !== undefined || error?.code === 'overloaded') return undefined;
  // It went on before it was known to be too long.
  if (dispatch !== undefined && error?.code === 'payload-too-large') return undefined;
  if (judged !== undefined) return groupOf(exchange) === undefined ? undefined : decidedOutcome(exchange);
  const isRefused = error instanceof RequestError || error instanceof PolicyRejection;
  return isRefused && error.code !== 'client-closed-request' ? refusedOutcome(error) : undefined;
}
