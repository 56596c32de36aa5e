import type { IdentityFields } from '../contract/index.ts';
import { type PolicyRejection, UpstreamError } from '../errors.ts';
import type { Evaluation, Verdict } from '../evaluator/index.ts';
import {
  type BodyFraming,
  chunkLine,
  lastChunk,
  type RequestHead,
  type ResponseHead,
} from '../http1/index.ts';
import { KONG_FIELDS } from '../identity/index.ts';
import type { Upstream } from '../upstream/index.ts';
import { Answer, type AnswerOwner } from './answer.ts';
import type { BodyBuffer } from './body-buffer.ts';
import { type AnswerFields, interimHead, upgradeHead } from './client-response.ts';
import { Dispatch, type DispatchOwner } from './dispatch.ts';
import type { ExchangeHost } from './host.ts';
import type { RequestBody } from './request-body.ts';
import { travellingTrailers } from './travelling-fields.ts';
import { openTunnel } from './tunnel.ts';
import { type RequestFraming, upstreamRequestHead } from './upstream-request.ts';

const UNAVAILABLE = new UpstreamError('upstream-unavailable', 'No target of the upstream can be used.');

/** What a forwarding asks of its exchange. */
export interface ForwardingOwner {
  readonly host: ExchangeHost;
  readonly head: RequestHead;
  readonly evaluation: Evaluation;
  readonly traceparent: string;
  readonly body: RequestBody | undefined;
  /** The whole body, where a policy had it buffered. */
  readonly buffered: BodyBuffer | undefined;
  /** Body bytes are wanted from now on; they come through `piece` and `bodyEnd`. */
  forwardBody(): void;
  /** The upstream takes bytes again. */
  resumeBody(): void;
  /** What every answer says; decides here whether the connection can be kept. */
  answerFields(framing: BodyFraming): AnswerFields;
  /** Answers in place of the upstream, which is abandoned. */
  refuse(error: UpstreamError): void;
  conclude(verdict: Exclude<Verdict, { kind: 'forward' }>): void;
  /** The answer went out whole. */
  answered(status: number): void;
  /** The answer broke off after its head: the client must see that it is not whole. */
  broken(error: PolicyRejection | UpstreamError, status: number): void;
  /** Something failed that cannot: for the log. */
  defect(cause: unknown): void;
  /** The same, and nothing else will end the exchange. */
  fail(cause: unknown): void;
  /** Both sides have switched protocols. */
  tunnelOpened(): void;
  /** Both sides of a tunnel are closed. */
  tunnelClosed(): void;
}

/** The upstream's part of one exchange: the request on its way there, the answer on its way back. */
export class Forwarding implements DispatchOwner, AnswerOwner {
  readonly host: ExchangeHost;
  readonly dispatch: Dispatch;
  readonly #owner: ForwardingOwner;
  #answer: Answer | undefined = undefined;
  #abandoned = false;

  constructor(owner: ForwardingOwner, upstream: Upstream) {
    this.#owner = owner;
    this.host = owner.host;
    const replayable = owner.body === undefined || owner.body.done;
    this.dispatch = new Dispatch(this, upstream, owner.head.method, replayable, owner.host.home.services);
  }

  get evaluation(): Evaluation {
    return this.#owner.evaluation;
  }

  /** Whether the client has seen the head of an answer. */
  get started(): boolean {
    return this.#answer?.started === true;
  }

  start(): void {
    this.dispatch.start();
  }

  // The request on its way there.

  sendRequest(): void {
    const { dispatch } = this;
    const { body, buffered, head, evaluation, traceparent } = this.#owner;
    dispatch.write(
      upstreamRequestHead({
        head,
        view: evaluation.request,
        upstream: dispatch.upstream.plan,
        target: dispatch.target.plan,
        framing: framingOf(body),
        traceparent,
        identity: evaluation.facts.identity,
        identityFields: identityFieldsOf(evaluation),
        trusted: evaluation.listener.trusts(this.host.peer),
        edits: evaluation.edits.requestEdits,
        removedParameters: evaluation.edits.removedParameters,
        upgrade: this.#tunnelProtocol(),
      }),
    );
    if (buffered !== undefined) dispatch.writeBytes(buffered.bytes, 0, buffered.bytes.length);
    if (body === undefined || body.done) dispatch.requestSent();
    else this.#owner.forwardBody();
    if (!this.host.reading) dispatch.flushSoon();
  }

  piece(bytes: Buffer, from: number, to: number): void {
    const { dispatch } = this;
    const { chunked } = this.#owner.head;
    if (chunked) dispatch.write(chunkLine(to - from));
    dispatch.writeBytes(bytes, from, to);
    if (chunked) dispatch.write('\r\n');
  }

  bodyEnd(trailers: readonly string[]): void {
    const { head } = this.#owner;
    if (head.chunked) {
      const { evaluation } = this;
      const { names } = identityFieldsOf(evaluation);
      const { requestEdits } = evaluation.edits;
      this.dispatch.write(lastChunk(travellingTrailers(trailers, head.connection, requestEdits, names)));
    }
    this.dispatch.requestSent();
  }

  upstreamDrained(): void {
    if (this.#owner.body?.done === false) this.#owner.resumeBody();
  }

  noTarget(): void {
    this.#owner.refuse(UNAVAILABLE);
  }

  // The answer on its way back.

  upstreamInterim(head: ResponseHead): void {
    if (this.#owner.head.minor === 0 || head.status === 100) return;
    // No policy has a say in it: where one looks at answers, it does not go on.
    const { pipeline, edits } = this.evaluation;
    if (pipeline.response.length > 0 || edits.responseEdits.length > 0) return;
    this.host.writer.text(interimHead(head));
    this.host.writer.flushSoon();
  }

  upstreamHead(head: ResponseHead): void {
    if (head.status === 101) return this.#switchProtocols(head);
    const { method, minor } = this.#owner.head;
    this.#answer = new Answer(this, method, minor);
    this.#answer.head(head);
  }

  upstreamBody(bytes: Buffer, from: number, to: number): void {
    this.#answer?.piece(bytes, from, to);
  }

  upstreamBatchEnd(): void {
    const { writer, home } = this.host;
    writer.flushSoon();
    if (!writer.congested) return;
    this.dispatch.pause();
    this.host.deadlineMs = home.services.now() + this.evaluation.listener.limits.writeTimeoutMs;
  }

  upstreamEnd(trailers: readonly string[]): void {
    this.#answer?.end(trailers);
  }

  upstreamFailed(error: UpstreamError): void {
    if (this.#answer === undefined) this.#owner.refuse(error);
    else this.#answer.fail(error);
  }

  answerFields(framing: BodyFraming): AnswerFields {
    return this.#owner.answerFields(framing);
  }

  answerReplaced(verdict: Exclude<Verdict, { kind: 'forward' }>): void {
    this.#owner.conclude(verdict);
  }

  answerBroken(error: PolicyRejection | UpstreamError): void {
    this.#owner.broken(error, this.#answer?.status ?? 0);
  }

  answerDone(): void {
    this.#owner.answered(this.#answer?.status ?? 0);
  }

  defect(cause: unknown): void {
    this.#owner.defect(cause);
  }

  fail(cause: unknown): void {
    this.#owner.fail(cause);
  }

  /** Nothing more is wanted of the upstream, and nothing of its answer may go out. */
  abandon(): void {
    this.#abandoned = true;
    this.#answer?.stop();
    this.dispatch.abandon();
  }

  holdUpstream(): void {
    this.dispatch.pause();
  }

  releaseUpstream(): void {
    const { writer, home } = this.host;
    if (!writer.congested) return this.dispatch.resume();
    // The client is what is waited for now; its 'drain' resumes the upstream.
    this.host.deadlineMs = home.services.now() + this.evaluation.listener.limits.writeTimeoutMs;
  }

  /** Only WebSocket: an h2c tunnel would carry requests that no policy sees. */
  #tunnelProtocol(): string {
    const { head, evaluation } = this.#owner;
    const able = head.method === 'GET' && head.minor === 1 && !head.hasBody && evaluation.plan.upgrade;
    return able && head.connection.upgrade && head.upgrade.toLowerCase() === 'websocket' ? 'websocket' : '';
  }

  #switchProtocols(head: ResponseHead): void {
    const { dispatch } = this;
    if (this.#tunnelProtocol() === '' || head.upgrade.toLowerCase() !== 'websocket') {
      const error = new UpstreamError('upstream-malformed', 'The upstream switched protocols unasked.');
      return this.#owner.refuse(error);
    }
    const { evaluation } = this;
    if (evaluation.pipeline.response.length === 0) return this.#openTunnel(head);
    const verdict = evaluation.runResponse(head);
    if (!(verdict instanceof Promise)) return this.#judgeTunnel(head, verdict);
    dispatch.pause();
    verdict
      .then((settled) => this.#judgeTunnel(head, settled))
      .catch((cause: unknown) => this.#owner.fail(cause));
  }

  /** A tunnel opens after policy, like any answer; what flows through it is nobody's to judge any more. */
  #judgeTunnel(head: ResponseHead, verdict: Verdict): void {
    if (this.#abandoned) return;
    if (verdict.kind === 'forward') this.#openTunnel(head);
    else this.#owner.conclude(verdict);
  }

  #openTunnel(head: ResponseHead): void {
    const { dispatch, host } = this;
    host.writer.text(upgradeHead(head, this.evaluation.edits.responseEdits, this.answerFields('none')));
    host.writer.flush();
    const { idleTimeoutMs } = dispatch.upstream.plan;
    this.#owner.tunnelOpened();
    openTunnel(host, dispatch.takeConnection(), host.home.services, idleTimeoutMs, () =>
      this.#owner.tunnelClosed(),
    );
  }
}

const identityFieldsOf = ({ facts }: Evaluation): IdentityFields => facts.identityFields ?? KONG_FIELDS;

function framingOf(body: RequestBody | undefined): RequestFraming {
  if (body === undefined) return { kind: 'none' };
  if (body.done) return { kind: 'length', bytes: body.received };
  const bytes = body.remaining;
  return bytes === undefined ? { kind: 'chunked' } : { kind: 'length', bytes };
}
