import type { DecisionEntry, ListenerPlan, RequestView } from '../contract/index.ts';
import { ERRORS, type PolicyRejection, type RequestError, type UpstreamError } from '../errors.ts';
import type { Evaluation } from '../evaluator/index.ts';
import type { RequestHead } from '../http1/index.ts';
import type { Dispatch } from './dispatch.ts';
import type { ExchangeHost } from './host.ts';
import { traceIdOf } from './identifiers.ts';
import type { AnswerSource, ServingMeters, TargetMeters } from './meters.ts';
import { type RecordFacts, recordLine } from './record-line.ts';
import type { Serving } from './serving.ts';

/** What an ended exchange tells of itself. */
export interface EndedExchange {
  readonly host: ExchangeHost;
  readonly head: RequestHead;
  readonly serving: Serving;
  readonly plan: ListenerPlan;
  readonly startedAtMs: number;
  readonly traceparent: string;
  readonly requestId: string;
  /** Undefined when the request was refused before it was judged. */
  readonly judged: Evaluation | undefined;
  /** What is known of a request that was not judged since its client is banned. */
  readonly banned: RequestView | undefined;
  readonly dispatch: Dispatch | undefined;
  readonly error: PolicyRejection | RequestError | UpstreamError | undefined;
  /** 0 when no head was sent. */
  readonly status: number;
  readonly receivedBytes: number;
  /** Of a request without a body nothing; undefined where it did not come whole, or nobody asked for so much of it. */
  readonly keptBody: Uint8Array | undefined;
  readonly writtenBefore: number;
}

const NO_DECISIONS: readonly DecisionEntry[] = Object.freeze([]);

/** Counts an exchange that ended and hands its one record to the sink. */
export function finishRecord(ended: EndedExchange): void {
  const { services } = ended.host.home;
  const { plan, judged, dispatch } = ended;
  const durationMs = services.now() - ended.startedAtMs;
  const { meters } = ended.serving;
  const status = ended.status === 0 ? statusOf(ended.error) : ended.status;
  const route = meters.route(plan.name, judged?.match.kind === 'found' ? judged.match.route : undefined);
  route.count(status, sourceOf(ended.error));
  route.duration.observe(durationMs / 1000);
  const sum = route.sum(judged?.entries ?? NO_DECISIONS, meters.counterOf);
  for (let i = 0; i < sum.counters.length; i++) sum.counters[i].add(1);
  const credential = judged?.facts.identity?.credential;
  if (credential !== undefined) services.uses.note(credential);
  const target = dispatch === undefined ? undefined : countTarget(meters, dispatch);
  if (services.records === undefined) return;
  const record = factsOf(ended, status, durationMs);
  const texts = { place: route.place, target: target?.text ?? '', decisions: sum.text };
  services.records.write(recordLine(record, texts));
}

function countTarget(meters: ServingMeters, dispatch: Dispatch): TargetMeters | undefined {
  if (dispatch.chosen === undefined) return undefined;
  const target = meters.target(dispatch.upstream.plan.name, dispatch.chosen);
  target.count(dispatch.outcome);
  if (dispatch.upstreamMs !== undefined) target.duration.observe(dispatch.upstreamMs / 1000);
  return target;
}

function factsOf(ended: EndedExchange, status: number, durationMs: number): RecordFacts {
  const { host, head, judged, dispatch } = ended;
  const { services } = host.home;
  const view = judged?.request ?? ended.banned;
  const identity = judged?.facts.identity;
  return {
    time: services.date.iso(judged?.now ?? services.evaluation.clock.now() - durationMs),
    requestId: ended.requestId,
    traceId: traceIdOf(ended.traceparent),
    client: view?.client.text ?? host.peer.text,
    consumer: identity?.consumer,
    credential: identity?.credential?.id,
    method: head.method,
    host: view?.host ?? head.authority,
    path: view?.path ?? pathOf(head.target),
    status,
    error: ended.error?.code,
    requestBytes: ended.receivedBytes,
    responseBytes: host.writer.written - ended.writtenBefore,
    durationMs,
    upstreamMs: dispatch?.upstreamMs,
  };
}

function statusOf(error: EndedExchange['error']): number {
  return error === undefined ? 0 : ERRORS[error.code].status;
}

function sourceOf(error: EndedExchange['error']): AnswerSource {
  if (error === undefined) return 'upstream';
  const { source } = ERRORS[error.code];
  return source === 'config' ? 'gateway' : source;
}

/** A query may hold secrets: records never have one. */
function pathOf(target: string): string {
  const question = target.indexOf('?');
  return question === -1 ? target : target.slice(0, question);
}
