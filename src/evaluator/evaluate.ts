import type {
  Awaitable,
  ClientCertificate,
  EvaluationDeps,
  Identity,
  ListenerPlan,
  RequestEnd,
  RequestView,
} from '../contract/index.ts';
import { PolicyRejection, RequestError } from '../errors.ts';
import { HEAD_TOO_LARGE, parseRequestHead } from '../http1/index.ts';
import type { IpAddress } from '../lib/ip-address.ts';
import { BufferedBody } from './body.ts';
import { Evaluation, type Verdict } from './evaluation.ts';
import { viewOf } from './request-view.ts';
import { refusalUnasked } from './unasked.ts';

/** A whole request that is at hand. */
export interface WholeRequest {
  readonly id: string;
  readonly scheme: 'http' | 'https';
  readonly peer: IpAddress;
  /** From the request line to the empty line, byte for byte. */
  readonly head: Buffer;
  /** Without its framing. */
  readonly body: Uint8Array;
  /** The client's certificate, where it proved itself with one. */
  readonly certificate?: ClientCertificate | undefined;
  /** What the upstream answers, should it be asked; undefined where nobody knows. */
  readonly upstreamStatus?: number | undefined;
  /** Who calls, where that is known without a credential: policies that would prove it are not asked. */
  readonly caller?: Identity | undefined;
}

/** What becomes of a whole request: `refused` before any policy was asked, or judged by them. */
export type Judgement =
  | { readonly kind: 'refused'; readonly error: RequestError | PolicyRejection }
  | { readonly kind: 'judged'; readonly verdict: Verdict; readonly evaluation: Evaluation };

/**
 * Does with a request what live traffic does, up to the upstream, and ends it: for tests, replay and explain. Rejects
 * where what a policy does at the end of a request fails.
 */
export async function evaluate(
  listener: ListenerPlan,
  request: WholeRequest,
  deps: EvaluationDeps,
): Promise<Judgement> {
  const admitted = admit(listener, request, deps);
  if ('error' in admitted) return { kind: 'refused', error: admitted.error };
  const evaluation = new Evaluation(listener, admitted.view, deps, request.caller);
  const { body } = request;
  const verdict = await judge(evaluation, body.length, () => body);
  await evaluation.end(endOf(verdict, request.upstreamStatus ?? 0), rethrow);
  return { kind: 'judged', verdict, evaluation };
}

/**
 * Runs the phases before the upstream. `bodyOf` gives the body where a policy asks for it; undefined where it is not at
 * hand, and then the verdict is that of the policies that did without. Synchronous as long as they are.
 */
export function judge(
  evaluation: Evaluation,
  bodyBytes: number,
  bodyOf: () => Uint8Array | undefined,
): Awaitable<Verdict> {
  const verdict = evaluation.runRequest();
  return verdict instanceof Promise
    ? verdict.then((later) => judgeBody(evaluation, later, bodyBytes, bodyOf))
    : judgeBody(evaluation, verdict, bodyBytes, bodyOf);
}

function judgeBody(
  evaluation: Evaluation,
  verdict: Verdict,
  bodyBytes: number,
  bodyOf: () => Uint8Array | undefined,
): Awaitable<Verdict> {
  if (verdict.kind !== 'forward') return verdict;
  if (bodyBytes > bodyLimit(evaluation)) return TOO_LARGE;
  const body = evaluation.buffersBody ? bodyOf() : undefined;
  return body === undefined ? verdict : evaluation.runRequestBody(new BufferedBody(body));
}

/** How a request ended that was judged and sent nowhere, as the exchange of a live request tells it. */
export function endOf(verdict: Verdict, upstreamStatus: number): Omit<RequestEnd, 'decisions'> {
  const upstreamMs = undefined;
  if (verdict.kind === 'forward') return { status: upstreamStatus, code: undefined, upstreamMs };
  if (verdict.kind === 'respond') return { status: verdict.response.status, code: undefined, upstreamMs };
  return { status: verdict.error.status, code: verdict.error.code, upstreamMs };
}

function rethrow(cause: unknown): never {
  throw cause;
}

const TOO_LARGE: Verdict = Object.freeze({
  kind: 'reject',
  error: new PolicyRejection('payload-too-large', 'The request body is larger than allowed.'),
  by: undefined,
});

type Admission = { readonly view: RequestView } | { readonly error: RequestError | PolicyRejection };

function admit(listener: ListenerPlan, request: WholeRequest, deps: EvaluationDeps): Admission {
  const { id, scheme, peer, head: bytes, certificate } = request;
  if (bytes.length > listener.limits.headerBytes) return { error: HEAD_TOO_LARGE };
  const head = parseRequestHead(bytes, 0, bytes.length, listener.limits);
  if (head instanceof RequestError) return { error: head };
  const { method, methodOverride, target, headers, authority } = head;
  const httpVersion = head.minor === 1 ? '1.1' : '1.0';
  const sent = { id, method, methodOverride, target, headers, authority, httpVersion } as const;
  const view = viewOf({ ...sent, scheme, peer, certificate }, listener);
  if (view instanceof RequestError) return { error: view };
  const error = refusalUnasked(head, view, deps);
  return error === undefined ? { view } : { error };
}

function bodyLimit({ match, listener }: Evaluation): number {
  const own = match.kind === 'found' ? match.route.maxBodyBytes : undefined;
  return own ?? listener.limits.bodyBytes;
}
