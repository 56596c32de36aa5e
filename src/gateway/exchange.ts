import type { Attachment, RequestView } from '../contract/index.ts';
import { PolicyRejection, RequestError, UpstreamError } from '../errors.ts';
import { BufferedBody, Evaluation, type Verdict, viewOf } from '../evaluator/index.ts';
import {
  type BodyFraming,
  chunkLine,
  lastChunk,
  type RequestHead,
  type ResponseHead,
} from '../http1/index.ts';
import { Answer, type AnswerOwner } from './answer.ts';
import { type AnswerFields, interimHead, upgradeHead } from './client-response.ts';
import { Dispatch, type DispatchOwner } from './dispatch.ts';
import type { ExchangeHost } from './host.ts';
import { requestId, traceparent } from './identifiers.ts';
import { type LocalAnswer, writeLocal } from './local-answer.ts';
import { finishRecord } from './recorder.ts';
import { type BodySink, RequestBody } from './request-body.ts';
import { problemAnswer } from './respond.ts';
import type { Serving } from './serving.ts';
import { openTunnel } from './tunnel.ts';
import { type RequestFraming, upstreamRequestHead } from './upstream-request.ts';

/** Trailer fields a request may have. */
const MAX_TRAILERS = 32;
/** An unread body of at most this is read and thrown away to keep the connection; a longer one closes it. */
const DISCARD_BYTES = 64 * 1024;

const TOO_SLOW = new RequestError(
  'request-timeout',
  'body-timeout',
  'The request body did not arrive in time.',
);
const BAD_EXPECT = new RequestError(
  'expectation-failed',
  'expect',
  'Only "Expect: 100-continue" is understood.',
);
const NO_TRACE = new PolicyRejection('method-not-allowed', 'TRACE is not served here.', {
  headers: ['Allow', 'GET'],
});
const UNAVAILABLE = new UpstreamError('upstream-unavailable', 'No target of the upstream can be used.');
const INTERNAL = new PolicyRejection('internal', 'The gateway failed to handle the request.');

/** What becomes of body bytes: kept for a policy, sent on, thrown away, or not taken yet. */
type BodyUse = 'later' | 'buffer' | 'forward' | 'discard';

/**
 * One request from its head to its record. Steps are called by the client connection (input, drain, gone), the
 * dispatch (connected, answer) and the pipeline (verdicts); each step ends by starting the next.
 */
export class Exchange implements AnswerOwner, DispatchOwner, BodySink {
  readonly host: ExchangeHost;
  readonly head: RequestHead;
  readonly serving: Serving;
  readonly startedAtMs: number;
  readonly traceparent: string;
  readonly requestId: string;
  view: RequestView | undefined = undefined;
  dispatch: Dispatch | undefined = undefined;
  /** Why the gateway answered by itself, for the record. */
  error: PolicyRejection | RequestError | UpstreamError | undefined = undefined;
  status = 0;
  readonly writtenBefore: number;
  #evaluation: Evaluation | undefined = undefined;
  #answer: Answer | undefined = undefined;
  #body: RequestBody | undefined = undefined;
  #bodyUse: BodyUse = 'later';
  #buffered: Buffer[] = [];
  #close = false;
  #answered = false;
  #over = false;

  constructor(host: ExchangeHost, head: RequestHead) {
    const { services, serving } = host.home;
    this.host = host;
    this.head = head;
    this.serving = serving;
    this.startedAtMs = services.now();
    this.requestId = requestId(head.headers.get('x-request-id'), services.random);
    this.traceparent = traceparent(head.headers.get('traceparent'), services.random);
    this.writtenBefore = host.writer.written;
    serving.hold();
  }

  get evaluation(): Evaluation {
    if (this.#evaluation === undefined) throw new Error('the request was refused before it was judged');
    return this.#evaluation;
  }

  /** The evaluation where there is one, for the record. */
  get judged(): Evaluation | undefined {
    return this.#evaluation;
  }

  get receivedBytes(): number {
    return this.#body?.received ?? 0;
  }

  get takesBody(): boolean {
    return this.#bodyUse !== 'later';
  }

  start(): void {
    const { head, host } = this;
    const { plan, services } = host.home;
    const { method, target, headers, authority } = head;
    const httpVersion = head.minor === 1 ? '1.1' : '1.0';
    const { scheme, peer } = host;
    const source = {
      id: this.requestId,
      method,
      scheme,
      authority,
      target,
      headers,
      httpVersion,
      peer,
    } as const;
    const view = viewOf(source, plan);
    if (head.hasBody) this.#body = new RequestBody(head, plan.limits.bodyBytes, MAX_TRAILERS);
    if (view instanceof RequestError) return this.#refuse(view, undefined);
    this.view = view;
    if (method === 'TRACE') return this.#refuse(NO_TRACE, undefined);
    if (head.expect !== '' && head.expect.toLowerCase() !== '100-continue')
      return this.#refuse(BAD_EXPECT, undefined);
    const evaluation = new Evaluation(plan, view, services.evaluation);
    this.#evaluation = evaluation;
    const { match } = evaluation;
    const maxBodyBytes = match.kind === 'found' ? match.route.maxBodyBytes : undefined;
    if (maxBodyBytes !== undefined && head.hasBody)
      this.#body = new RequestBody(head, maxBodyBytes, MAX_TRAILERS);
    this.#settle(evaluation.runRequest(), this.#judgedRequest);
  }

  // ── The client's side ────────────────────────────────────────────────────────────────────────────────

  /** Takes body bytes; the offset behind what belongs to this request. */
  takeBody(bytes: Buffer, from: number): number {
    const body = this.#body;
    if (body === undefined) return from;
    const end = body.take(bytes, from, this);
    if (this.#over) return end;
    if (body.error !== undefined) {
      this.#refuse(body.error, undefined);
      return bytes.length;
    }
    if (body.done) this.#bodyDone();
    else if (this.dispatch?.congested === true && this.#bodyUse === 'forward') {
      this.host.deadlineMs = 0;
      this.host.socket.pause();
    } else this.host.deadlineMs = this.host.home.services.now() + this.host.home.plan.limits.bodyTimeoutMs;
    return end;
  }

  bodyPiece(bytes: Buffer, from: number, to: number): void {
    if (this.#bodyUse === 'buffer') this.#buffered.push(bytes.subarray(from, to));
    else if (this.#bodyUse === 'forward') this.#forwardPiece(bytes, from, to);
  }

  onInputEnd(): void {
    this.dispatch?.flush();
  }

  onClientDrain(): void {
    this.host.deadlineMs = 0;
    this.dispatch?.resume();
  }

  onClientGone(): void {
    if (this.#over) return;
    if (!this.#answered)
      this.error = new RequestError('client-closed-request', 'client-gone', 'The client went away.');
    this.dispatch?.abandon();
    this.#finish();
  }

  onClientDeadline(): void {
    if (this.#answered || this.#answer?.started === true) this.host.cut();
    else this.#refuse(TOO_SLOW, undefined);
  }

  #bodyDone(): void {
    const use = this.#bodyUse;
    this.#bodyUse = 'later';
    this.host.deadlineMs = 0;
    if (use === 'discard') this.#bodyDiscarded();
    else if (use === 'forward') this.#forwardEnd();
    else if (use === 'buffer') this.#judgeBody();
  }

  #judgeBody(): void {
    const bytes = this.#buffered.length === 1 ? this.#buffered[0] : Buffer.concat(this.#buffered);
    this.#buffered = [bytes];
    this.#settle(this.evaluation.runRequestBody(new BufferedBody(bytes)), this.#judgedBody);
  }

  #useBody(use: BodyUse): void {
    this.#bodyUse = use;
    if (use !== 'discard' && this.head.expect !== '' && this.head.minor === 1) {
      this.host.writer.text('HTTP/1.1 100 Continue\r\n\r\n');
      this.host.writer.flush();
    }
    this.host.deadlineMs = this.host.home.services.now() + this.host.home.plan.limits.bodyTimeoutMs;
    this.host.wantBody();
  }

  // ── Verdicts ─────────────────────────────────────────────────────────────────────────────────────────

  /** Goes on with a verdict, now or when it is there. A defect in between refuses: never an unanswered request. */
  #settle(verdict: Verdict | Promise<Verdict>, next: (verdict: Verdict) => void): void {
    if (!(verdict instanceof Promise)) {
      next(verdict);
      return;
    }
    verdict.then(
      (v) => {
        if (!this.#over) next(v);
      },
      (cause: unknown) => this.#defect(cause),
    );
  }

  readonly #judgedRequest = (verdict: Verdict): void => {
    if (verdict.kind !== 'forward') return this.#conclude(verdict);
    if (this.#body?.error !== undefined) return this.#refuse(this.#body.error, undefined);
    if (!this.evaluation.pipeline.buffersBody) return this.#forward();
    if (this.#body === undefined) return this.#judgeBody();
    this.#useBody('buffer');
  };

  readonly #judgedBody = (verdict: Verdict): void => {
    if (verdict.kind !== 'forward') return this.#conclude(verdict);
    this.#forward();
  };

  #conclude(verdict: Exclude<Verdict, { kind: 'forward' }>): void {
    if (verdict.kind === 'reject') return this.#refuse(verdict.error, verdict.by);
    const { status, headers, body } = verdict.response;
    this.#answerLocally({ status, fields: headers, body });
  }

  // ── The upstream's side ──────────────────────────────────────────────────────────────────────────────

  #forward(): void {
    const upstream = this.serving.upstream(this.evaluation.plan.upstream);
    const replayable = this.#body === undefined || this.#body.done;
    this.dispatch = new Dispatch(this, upstream, this.head.method, replayable, this.host.home.services);
    this.dispatch.start();
  }

  /** A connection is there: the request goes out. May come again when a stale connection failed. */
  sendRequest(): void {
    const { dispatch } = this;
    if (dispatch === undefined) return;
    const framing = this.#requestFraming();
    dispatch.write(
      upstreamRequestHead({
        head: this.head,
        view: this.evaluation.request,
        upstream: dispatch.upstream.plan,
        target: dispatch.target.plan,
        framing,
        traceparent: this.traceparent,
        identity: this.evaluation.facts.identity,
        trusted: this.host.home.plan.trusts(this.host.peer),
        edits: this.evaluation.edits.requestEdits,
        upgrade: this.#tunnelProtocol(),
      }),
    );
    for (const piece of this.#buffered) dispatch.writeBytes(piece, 0, piece.length);
    if (this.#body === undefined || this.#body.done) dispatch.requestSent();
    else this.#useBody('forward');
    if (!this.host.reading) dispatch.flush();
  }

  #requestFraming(): RequestFraming {
    const body = this.#body;
    if (body === undefined) return { kind: 'none' };
    if (body.done) return { kind: 'length', bytes: body.received };
    const bytes = body.remaining;
    return bytes === undefined ? { kind: 'chunked' } : { kind: 'length', bytes };
  }

  #forwardPiece(bytes: Buffer, from: number, to: number): void {
    if (!this.head.chunked) {
      this.dispatch?.writeBytes(bytes, from, to);
      return;
    }
    this.dispatch?.write(chunkLine(to - from));
    this.dispatch?.writeBytes(bytes, from, to);
    this.dispatch?.write('\r\n');
  }

  #forwardEnd(): void {
    if (this.head.chunked) this.dispatch?.write(lastChunk(this.#body?.trailers ?? []));
    this.dispatch?.requestSent();
  }

  upstreamDrained(): void {
    if (this.takesBody) this.host.socket.resume();
  }

  upstreamInterim(head: ResponseHead): void {
    if (this.head.minor === 0 || head.status === 100) return;
    this.host.writer.text(interimHead(head));
    this.host.writer.flush();
  }

  upstreamHead(head: ResponseHead): void {
    if (head.status === 101) return this.#switchProtocols(head);
    this.#answer = new Answer(this, this.head.method, this.head.minor);
    this.#answer.head(head);
  }

  upstreamBody(bytes: Buffer, from: number, to: number): void {
    this.#answer?.piece(bytes, from, to);
  }

  upstreamBatchEnd(): void {
    const { writer, home } = this.host;
    writer.flush();
    if (!writer.congested || this.#over) return;
    this.dispatch?.pause();
    this.host.deadlineMs = home.services.now() + home.plan.limits.writeTimeoutMs;
  }

  upstreamEnd(trailers: readonly string[]): void {
    this.#answer?.end(trailers);
  }

  upstreamFailed(error: UpstreamError): void {
    if (this.#answer === undefined) this.#refuse(error, undefined);
    else this.#answer.fail(error);
  }

  noTarget(): void {
    this.#refuse(UNAVAILABLE, undefined);
  }

  #tunnelProtocol(): string {
    const { head } = this;
    const asked =
      head.connection.upgrade && head.minor === 1 && !head.hasBody && this.evaluation.plan.upgrade;
    // Only WebSocket: an h2c tunnel would carry requests no policy sees.
    return asked && head.upgrade.toLowerCase() === 'websocket' ? 'websocket' : '';
  }

  #switchProtocols(head: ResponseHead): void {
    const { dispatch, host } = this;
    if (
      dispatch === undefined ||
      this.#tunnelProtocol() === '' ||
      head.upgrade.toLowerCase() !== 'websocket'
    ) {
      this.#refuse(
        new UpstreamError('upstream-malformed', 'The upstream switched protocols unasked.'),
        undefined,
      );
      return;
    }
    this.#answered = true;
    this.status = 101;
    host.writer.text(upgradeHead(head, this.evaluation.edits.responseEdits, this.answerFields('none')));
    host.writer.flush();
    const idleMs = dispatch.upstream.plan.idleTimeoutMs;
    openTunnel(host, dispatch.takeSocket(), host.home.services, idleMs, () => this.#finish());
  }

  // ── The answer ───────────────────────────────────────────────────────────────────────────────────────

  answerFields(framing: BodyFraming): AnswerFields {
    const { plan, draining } = this.host.home;
    const bodyOpen = this.#body !== undefined && !this.#body.done && this.#bodyUse !== 'discard';
    this.#close = !this.head.keepAlive || draining || framing === 'until-close' || bodyOpen;
    const revision = plan.revisionHeader ? this.serving.revision : '';
    return { requestId: this.requestId, revision, close: this.#close, minor: this.head.minor };
  }

  answerReplaced(verdict: Exclude<Verdict, { kind: 'forward' }>): void {
    this.dispatch?.abandon();
    this.#conclude(verdict);
  }

  answerBroken(error: PolicyRejection | UpstreamError): void {
    if (this.#over) return;
    this.error = error;
    this.status = this.#answer?.status ?? 0;
    this.dispatch?.abandon();
    this.#finish();
    this.host.writer.flush();
    this.host.cut();
  }

  answerDone(): void {
    this.#answered = true;
    this.status = this.#answer?.status ?? 0;
    this.host.writer.flush();
    this.#end();
  }

  holdUpstream(): void {
    this.dispatch?.pause();
  }

  releaseUpstream(): void {
    if (!this.host.writer.congested) this.dispatch?.resume();
  }

  #refuse(error: PolicyRejection | RequestError | UpstreamError, by: Attachment | undefined): void {
    if (this.#over) return;
    if (this.#answer?.started === true) {
      this.error = error;
      this.dispatch?.abandon();
      this.#finish();
      this.host.cut();
      return;
    }
    this.error = error;
    const { requestId: id, serving } = this;
    this.#answerLocally(problemAnswer({ error, requestId: id, revision: serving.revision, by }));
  }

  #answerLocally(answer: LocalAnswer): void {
    this.dispatch?.abandon();
    this.status = answer.status;
    this.#answered = true;
    const body = this.#body;
    const open = body !== undefined && !body.done;
    const short = open && body.error === undefined && this.head.expect === '' && fits(body.remaining);
    this.#bodyUse = short ? 'discard' : 'later';
    const edits = this.#evaluation?.edits.responseEdits ?? [];
    const fields = this.answerFields('none');
    writeLocal(this.host.writer, answer, this.head.method, edits, fields, this.host.home.services.date);
    this.host.writer.flush();
    if (short) this.#useBody('discard');
    else this.#end();
  }

  #bodyDiscarded(): void {
    this.#end();
  }

  #defect(cause: unknown): void {
    const message = cause instanceof Error ? cause.message : String(cause);
    this.host.home.services.log.error('exchange-failed', { requestId: this.requestId, cause: message });
    this.#refuse(INTERNAL, undefined);
  }

  #end(): void {
    this.#finish();
    if (this.#close) this.host.closeGently();
    else this.host.exchangeEnded();
  }

  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#bodyUse = 'later';
    this.#buffered = [];
    finishRecord(this);
    this.serving.release();
  }
}

function fits(remaining: number | undefined): boolean {
  return remaining !== undefined && remaining <= DISCARD_BYTES;
}
