import type { Attachment, ListenerPlan, Priority, RequestView } from '../contract/index.ts';
import { InternalError, PolicyRejection, RequestError, type UpstreamError } from '../errors.ts';
import { BufferedBody, Evaluation, refusalUnasked, type Verdict, viewOf } from '../evaluator/index.ts';
import type { BodyFraming, RequestHead } from '../http1/index.ts';
import { BodyBuffer } from './body-buffer.ts';
import { BodyPace } from './body-pace.ts';
import type { AnswerFields } from './client-response.ts';
import type { Dispatch } from './dispatch.ts';
import { Forwarding, type ForwardingOwner } from './forwarding.ts';
import type { ExchangeHost } from './host.ts';
import { identify } from './identifiers.ts';
import { KeptBody } from './kept-body.ts';
import { type LocalAnswer, writeLocal } from './local-answer.ts';
import { type EndedExchange, finishRecord } from './recorder.ts';
import { type BodySink, RequestBody } from './request-body.ts';
import { requestSource } from './request-source.ts';
import { problemAnswer } from './respond.ts';
import type { Serving } from './serving.ts';
import type { TrialPart } from './trial/index.ts';

/** Trailer fields a request may have. */
const MAX_TRAILERS = 32;
/** An unread body of at most this is read and thrown away to keep the connection; a longer one closes it. */
const DISCARD_BYTES = 64 * 1024;
const NO_BYTES = new Uint8Array();
const NO_EDITS: readonly string[] = Object.freeze([]);

const TOO_SLOW = new RequestError(
  'request-timeout',
  'body-timeout',
  'The request body did not arrive in time.',
);
const UNREAD = new RequestError(
  'client-closed-request',
  'write-timeout',
  'The client did not read its answer.',
);
const CLIENT_GONE = new RequestError('client-closed-request', 'client-gone', 'The client went away.');
const INTERNAL = new PolicyRejection('internal', 'The gateway failed to handle the request.');

/** What becomes of body bytes: not taken yet, kept for a policy, sent on, or thrown away. */
type BodyUse = 'later' | 'buffer' | 'forward' | 'discard';

/**
 * One request from its head to its record: judged, then answered by the gateway or forwarded. Its steps are called
 * by the connection (input, drain, gone), by verdicts, and by the forwarding; each ends by starting the next.
 */
export class Exchange implements ForwardingOwner, BodySink, EndedExchange {
  readonly host: ExchangeHost;
  readonly head: RequestHead;
  /** Once it is judged it stays what it is: a reload meanwhile changes nothing for this request, nor does a trial. */
  serving: Serving;
  /** The listener in that snapshot. */
  plan: ListenerPlan;
  readonly startedAtMs: number;
  readonly requestId: string;
  readonly traceparent: string;
  readonly writtenBefore: number;
  body: RequestBody | undefined = undefined;
  buffered: BodyBuffer | undefined = undefined;
  /** The judgement; undefined while (or when) the request is refused before it. */
  judged: Evaluation | undefined = undefined;
  /** The request as it was seen where its client is banned; undefined for any other. */
  banned: RequestView | undefined = undefined;
  /** Why the gateway answered by itself or cut the answer. */
  error: PolicyRejection | RequestError | UpstreamError | undefined = undefined;
  status = 0;
  #trialPart: TrialPart | undefined = undefined;
  #forwarding: Forwarding | undefined = undefined;
  /** Of a body that is not buffered, where somebody will look at it. */
  #kept: KeptBody | undefined = undefined;
  #bodyUse: BodyUse = 'later';
  #pace: BodyPace | undefined = undefined;
  #close = false;
  #untilClose = false;
  #mustClose = false;
  #answered = false;
  #over = false;
  /** Policies are being asked about its head, or its body. */
  #isAsked = false;

  constructor(host: ExchangeHost, head: RequestHead) {
    const { services, serving, plan } = host.home;
    this.host = host;
    this.plan = plan;
    this.head = head;
    this.serving = serving;
    this.startedAtMs = services.now();
    const { headers } = head;
    const ids = identify(headers.get('x-request-id'), headers.get('traceparent'), services.random);
    this.requestId = ids.requestId;
    this.traceparent = ids.traceparent;
    this.writtenBefore = host.writer.written;
    if (head.hasBody) {
      this.body = new RequestBody(head, plan.limits.bodyBytes, MAX_TRAILERS);
      const { bodyBytes } = services.witnesses;
      if (bodyBytes > 0) this.#kept = new KeptBody(bodyBytes);
    }
    serving.hold();
  }

  get evaluation(): Evaluation {
    if (this.judged === undefined) throw new InternalError('the request was refused before it was judged');
    return this.judged;
  }

  get dispatch(): Dispatch | undefined {
    return this.#forwarding?.dispatch;
  }

  get keptBody(): Uint8Array | undefined {
    if (this.body === undefined) return NO_BYTES;
    if (!this.body.done) return undefined;
    const { received } = this.body;
    const { buffered } = this;
    // One that is thrown away is not buffered any more.
    return buffered?.bytes.length === received ? buffered.bytes : this.#kept?.whole(received);
  }

  get receivedBytes(): number {
    return this.body?.received ?? 0;
  }

  get takesBody(): boolean {
    return this.#bodyUse !== 'later';
  }

  start(): void {
    const { head } = this;
    const { plan } = this;
    const { services } = this.host.home;
    const view = this.#view();
    if (view instanceof RequestError) return this.#refuseUnread(view);
    const unasked = refusalUnasked(head, view, services.evaluation);
    if (unasked !== undefined) return this.#refuseUnasked(unasked, view);
    const evaluation = new Evaluation(plan, view, services.evaluation);
    if (services.trials.current !== undefined && this.#isTried(evaluation)) return this.start();
    this.judged = evaluation;
    const { match } = evaluation;
    // What no route takes is nobody's loss.
    const priority = match.kind === 'found' ? match.route.priority : 'low';
    const hasWaited = services.shedder.hasWaited(this.host.wokenAtTick);
    this.host.wokenAtTick = Number.NEGATIVE_INFINITY;
    const overload = services.shedder.refusal(priority, hasWaited);
    if (overload !== undefined) return this.#shed(overload, priority, view, hasWaited);
    const maxBodyBytes = match.kind === 'found' ? match.route.maxBodyBytes : undefined;
    if (maxBodyBytes !== undefined && head.hasBody)
      this.body = new RequestBody(head, maxBodyBytes, MAX_TRAILERS);
    this.#asked();
    this.#settle('request', evaluation.runRequest());
  }

  /** Asks once whether the candidate judges it. Then it is as if it had come while that was active. */
  #isTried(evaluation: Evaluation): boolean {
    if (this.#trialPart !== undefined) return false;
    const { home } = this.host;
    const { current } = home.services.trials;
    this.#trialPart = current?.partOf(evaluation);
    const plan = this.#trialPart?.candidatePlan;
    if (current === undefined || plan === undefined) return false;
    current.candidate.hold();
    this.serving.release();
    this.serving = current.candidate;
    this.plan = home.seenBy(plan);
    if (this.head.hasBody) this.body = new RequestBody(this.head, plan.limits.bodyBytes, MAX_TRAILERS);
    return true;
  }

  /** Refused before anything was done for it. A proxy's connection is never left alone: it carries others too. */
  #shed(error: PolicyRejection, priority: Priority, { peer }: RequestView, hasWaited: boolean): void {
    const { shedder } = this.host.home.services;
    shedder.count(this.plan.name, priority);
    // Not twice in a row: what is sent next is to have a chance.
    if (shedder.areMany && !hasWaited && !this.plan.trusts(peer)) this.host.restSoon();
    this.refuse(error);
  }

  #refuseUnasked(error: RequestError | PolicyRejection, view: RequestView): void {
    if (error.code === 'address-banned') {
      this.banned = view;
      // Behind a proxy the connection is not the banned client's.
      if (view.client.text === view.peer.text) this.#mustClose = true;
    }
    this.refuse(error);
  }

  #view(): RequestView | RequestError {
    return viewOf(requestSource(this.requestId, this.head, this.host), this.plan);
  }

  // The client's side.

  /** Takes body bytes; the offset behind what belongs to this request. */
  takeBody(bytes: Buffer, from: number): number {
    const { body } = this;
    if (body === undefined) return from;
    const end = body.take(bytes, from, this);
    if (this.#over) return end;
    if (body.error !== undefined) {
      this.refuse(body.error);
      return bytes.length;
    }
    if (body.done) this.#bodyDone();
    else if (this.#bodyUse === 'forward' && this.dispatch?.congested === true) {
      this.#pauseBody();
      this.dispatch.awaitDrain();
    } else this.#awaitBody();
    return end;
  }

  bodyPiece(bytes: Buffer, from: number, to: number): void {
    if (this.#bodyUse === 'buffer') this.buffered?.append(bytes, from, to);
    else if (this.#bodyUse === 'forward') {
      this.#kept?.append(bytes, from, to);
      this.#forwarding?.piece(bytes, from, to);
    } else if (this.#bodyUse === 'discard') this.#kept?.append(bytes, from, to);
  }

  /** All bytes that arrived together were taken. */
  onInputEnd(): void {
    this.dispatch?.flushSoon();
  }

  onClientDrain(): void {
    if (this.takesBody && !this.host.socket.isPaused()) this.#awaitBody();
    else this.host.deadlineMs = 0;
    this.dispatch?.resume();
  }

  onClientGone(): void {
    if (this.#over) return;
    if (!this.#answered) this.error = CLIENT_GONE;
    this.#finish();
  }

  onClientDeadline(): void {
    if (this.#answered || this.#forwarding?.started === true) this.broken(UNREAD, this.status);
    else {
      // What is still to come of the body is not waited for a second time.
      this.#mustClose = true;
      this.refuse(TOO_SLOW);
    }
  }

  #bodyDone(): void {
    const use = this.#bodyUse;
    this.#bodyUse = 'later';
    this.host.deadlineMs = 0;
    if (use === 'discard') this.#end();
    else if (use === 'forward') this.#forwarding?.bodyEnd(this.body?.trailers ?? []);
    else this.#judgeBody();
  }

  #asked(): void {
    this.#isAsked = true;
    this.host.home.services.shedder.began();
  }

  #decided(): void {
    if (!this.#isAsked) return;
    this.#isAsked = false;
    this.host.home.services.shedder.decided();
  }

  #judgeBody(): void {
    const body = new BufferedBody(this.buffered?.bytes ?? NO_BYTES);
    this.#asked();
    this.#settle('requestBody', this.evaluation.runRequestBody(body));
  }

  #useBody(use: BodyUse): void {
    this.#bodyUse = use;
    if (use !== 'discard' && this.head.expect !== '' && this.head.minor === 1) {
      this.host.writer.text('HTTP/1.1 100 Continue\r\n\r\n');
      this.host.writer.flushSoon();
    }
    this.#awaitBody();
    this.host.wantBody();
  }

  #awaitBody(): void {
    const { deadlines } = this.host.home.services;
    const { bodyTimeoutMs, minBodyBytesPerSecond } = this.plan.limits;
    this.#pace ??= new BodyPace(bodyTimeoutMs, minBodyBytesPerSecond);
    this.host.deadlineMs = deadlines.after(this.#pace.await(deadlines.sweptAtMs, this.receivedBytes));
  }

  /** The upstream takes no more for now, for which the client is not to blame. */
  #pauseBody(): void {
    this.#pace?.pause(this.host.home.services.deadlines.sweptAtMs);
    this.host.deadlineMs = 0;
    this.host.socket.pause();
  }

  // Verdicts.

  /** Goes on with a verdict, now or when it is there. A defect on the way refuses: no request stays unanswered. */
  #settle(phase: 'request' | 'requestBody', verdict: Verdict | Promise<Verdict>): void {
    if (!(verdict instanceof Promise)) return this.#judged(phase, verdict);
    verdict
      .then((settled) => {
        if (!this.#over) this.#judged(phase, settled);
      })
      .catch((cause: unknown) => this.fail(cause));
  }

  #judged(phase: 'request' | 'requestBody', verdict: Verdict): void {
    this.#decided();
    if (phase === 'request') this.#requestJudged(verdict);
    else if (verdict.kind !== 'forward') this.conclude(verdict);
    else this.#forward();
  }

  #requestJudged(verdict: Verdict): void {
    if (verdict.kind !== 'forward') return this.conclude(verdict);
    if (this.body?.error !== undefined) return this.refuse(this.body.error);
    if (!this.evaluation.buffersBody) return this.#forward();
    if (this.body === undefined) return this.#judgeBody();
    this.buffered = new BodyBuffer();
    this.#useBody('buffer');
  }

  conclude(verdict: Exclude<Verdict, { kind: 'forward' }>): void {
    if (verdict.kind === 'reject') return this.refuse(verdict.error, verdict.by);
    const { status, headers, body } = verdict.response;
    this.#answerLocally({ status, fields: headers, body });
  }

  // The upstream's side.

  #forward(): void {
    this.#forwarding = new Forwarding(this, this.serving.upstream(this.evaluation.plan.upstream));
    this.#forwarding.start();
  }

  forwardBody(): void {
    this.#useBody('forward');
  }

  resumeBody(): void {
    if (this.#bodyUse === 'forward') this.#awaitBody();
    this.host.socket.resume();
  }

  answerFields(framing: BodyFraming): AnswerFields {
    const { plan } = this;
    const { leaving } = this.host;
    this.#untilClose = framing === 'until-close';
    this.#close = this.#mustClose || !this.head.keepAlive || leaving || this.#untilClose || this.#bodyOpen;
    const revision = plan.revisionHeader ? this.serving.revision : '';
    return { requestId: this.requestId, revision, close: this.#close, minor: this.head.minor };
  }

  /** Whether it is unknown, or may stay so, where the next request begins. */
  get #bodyOpen(): boolean {
    const { body } = this;
    if (body === undefined) return false;
    return body.error !== undefined || (!body.done && this.#bodyUse !== 'discard');
  }

  answered(status: number): void {
    this.#answered = true;
    this.status = status;
    this.host.writer.flushSoon();
    this.#end();
  }

  broken(error: PolicyRejection | RequestError | UpstreamError, status: number): void {
    if (this.#over) return;
    this.error = error;
    this.status = status;
    this.#finish();
    this.host.writer.flush();
    if (this.#untilClose) this.host.reset();
    else this.host.cut();
  }

  tunnelOpened(): void {
    this.#answered = true;
    this.status = 101;
  }

  tunnelClosed(): void {
    this.#finish();
  }

  // The end.

  /** Answers with an error; where an answer has begun already it is cut. */
  refuse(error: PolicyRejection | RequestError | UpstreamError, by?: Attachment): void {
    if (this.#over) return;
    if (this.#forwarding?.started === true) return this.broken(error, 0);
    this.error = error;
    const { requestId: id, serving } = this;
    if (error instanceof RequestError) serving.meters.refused(this.plan.name, error.reason);
    this.#answerLocally(problemAnswer({ error, requestId: id, revision: serving.revision, by }));
  }

  /** What cannot be understood says nothing reliable about where the next request begins: answered, then closed. */
  #refuseUnread(error: RequestError): void {
    this.#mustClose = true;
    this.refuse(error);
  }

  #answerLocally(answer: LocalAnswer): void {
    this.#forwarding?.abandon();
    this.status = answer.status;
    this.#answered = true;
    const discard = this.#canDiscardBody();
    this.#bodyUse = discard ? 'discard' : 'later';
    const edits = this.judged?.edits.responseEdits ?? NO_EDITS;
    const { writer, home } = this.host;
    writeLocal(writer, answer, this.head.method, edits, this.answerFields('none'), home.services.date);
    writer.flushSoon();
    if (discard) this.#useBody('discard');
    else this.#end();
  }

  /** Whether what is left of the body is short enough to read on for the sake of the connection. */
  #canDiscardBody(): boolean {
    const { body } = this;
    if (
      this.#mustClose ||
      body === undefined ||
      body.done ||
      body.error !== undefined ||
      this.head.expect !== ''
    )
      return false;
    return body.remaining !== undefined && body.remaining <= DISCARD_BYTES;
  }

  /** A defect on this side of the evaluator: told in the log, answered if nothing was, and the connection ends. */
  fail(cause: unknown): void {
    this.defect(cause);
    this.#mustClose = true;
    if (this.#over) this.host.cut();
    else this.refuse(INTERNAL);
  }

  defect(cause: unknown): void {
    const message = cause instanceof Error ? cause.message : String(cause);
    this.host.home.services.log.error('exchange-failed', { requestId: this.requestId, cause: message });
  }

  #end(): void {
    if (this.#over) return;
    this.#finish();
    if (this.#close) this.host.closeGently();
    else this.host.exchangeEnded();
  }

  /** Ends it once: whatever still runs upstream is abandoned, the record is written, the snapshot let go. */
  #finish(): void {
    if (this.#over) return;
    this.#over = true;
    this.#decided();
    this.#bodyUse = 'later';
    this.#forwarding?.abandon();
    const { witnesses } = this.host.home.services;
    try {
      this.#tellPolicies();
      finishRecord(this);
      this.#trialPart?.ended(this);
      if (witnesses.count > 0) witnesses.ended(this, (cause) => this.defect(cause));
    } finally {
      this.buffered = undefined;
      this.serving.release();
    }
  }

  /** Nobody waits for what policies do then. */
  #tellPolicies(): void {
    if (this.judged === undefined) return;
    const { error, dispatch } = this;
    const end = { status: this.status, code: error?.code, upstreamMs: dispatch?.upstreamMs };
    void this.judged.end(end, (cause) => this.defect(cause));
  }
}
