import type { Attachment, Awaitable } from '../contract/index.ts';
import { PolicyRejection, type UpstreamError } from '../errors.ts';
import type { Evaluation, Verdict } from '../evaluator/index.ts';
import {
  type BodyFraming,
  type ConnectionOptions,
  chunkLine,
  lastChunk,
  NO_CONNECTION_OPTIONS,
  type ResponseHead,
} from '../http1/index.ts';
import { type AnswerFields, type AnswerFraming, clientHead } from './client-response.ts';
import type { ExchangeHost } from './host.ts';
import { travellingTrailers } from './travelling-fields.ts';

const INTERNAL = new PolicyRejection('internal', 'The gateway failed to handle the answer.');

/** What an answer asks of its exchange. */
export interface AnswerOwner {
  readonly host: ExchangeHost;
  readonly evaluation: Evaluation;
  /** What every answer says; decides here whether the connection can be kept. */
  answerFields(framing: BodyFraming): AnswerFields;
  /** A policy refused or replaced the upstream's answer before it began. */
  answerReplaced(verdict: Exclude<Verdict, { kind: 'forward' }>): void;
  /** The answer cannot go on: what was sent must not look whole. */
  answerBroken(error: PolicyRejection | UpstreamError, by: Attachment | undefined): void;
  /** The last byte was handed over. */
  answerDone(): void;
  /** Something failed that cannot: for the log. */
  defect(cause: unknown): void;
  /** The upstream waits while a policy thinks. */
  holdUpstream(): void;
  releaseUpstream(): void;
}

/**
 * The way back: an upstream's answer through the response phases to the client. Everything is synchronous until
 * a policy returns a promise; from then on the steps queue behind it in order, with the upstream held.
 */
export class Answer {
  readonly #owner: AnswerOwner;
  readonly #minor: 0 | 1;
  readonly #method: string;
  #framing: AnswerFraming = 'as-is';
  #connection: ConnectionOptions = NO_CONNECTION_OPTIONS;
  #queue: Promise<void> | undefined = undefined;
  #broken = false;
  /** Status once the head was written; 0 before. */
  status = 0;

  constructor(owner: AnswerOwner, method: string, minor: 0 | 1) {
    this.#owner = owner;
    this.#method = method;
    this.#minor = minor;
  }

  /** Whether the client has seen the head: after that an error can only cut. */
  get started(): boolean {
    return this.status !== 0;
  }

  head(head: ResponseHead): void {
    const { evaluation } = this.#owner;
    const verdict: Awaitable<Verdict> | undefined =
      evaluation.pipeline.response.length === 0 ? undefined : evaluation.runResponse(head);
    if (verdict instanceof Promise) this.#enqueue(async () => this.#decide(head, await verdict));
    else if (verdict === undefined) this.#writeHead(head);
    else this.#decide(head, verdict);
  }

  piece(bytes: Buffer, from: number, to: number): void {
    if (this.#broken || from === to) return;
    if (this.#owner.evaluation.pipeline.responseChunk.length > 0) {
      const copy = Buffer.from(bytes.subarray(from, to));
      this.#enqueue(() => this.#judgePiece(copy));
    } else if (this.#queue === undefined) this.#writePiece(bytes, from, to);
    else {
      const copy = Buffer.from(bytes.subarray(from, to));
      this.#enqueue(async () => this.#writePiece(copy, 0, copy.length));
    }
  }

  end(trailers: readonly string[]): void {
    if (this.#queue === undefined) this.#writeEnd(trailers);
    else this.#enqueue(async () => this.#writeEnd(trailers));
  }

  /** The upstream broke off: what was queued before still goes out, then the answer is cut. */
  fail(error: UpstreamError): void {
    if (this.#queue === undefined) this.#break(error, undefined);
    else this.#enqueue(async () => this.#break(error, undefined));
  }

  #enqueue(step: () => Promise<void>): void {
    this.#owner.holdUpstream();
    const next = (this.#queue ?? Promise.resolve()).then(async () => {
      try {
        if (!this.#broken) await step();
      } catch (cause) {
        this.#owner.defect(cause);
        this.#break(INTERNAL, undefined);
      }
      // Now, not with the last in the queue: a piece that was let through does not wait for the next one's verdict.
      if (!this.#broken) this.#owner.host.writer.flushSoon();
      if (this.#queue !== next) return;
      this.#queue = undefined;
      this.#owner.releaseUpstream();
    });
    this.#queue = next;
  }

  /** The exchange is over by other means: what is queued must not reach the client's next answer. */
  stop(): void {
    this.#broken = true;
  }

  #decide(head: ResponseHead, verdict: Verdict): void {
    if (this.#broken) return;
    if (verdict.kind === 'forward') {
      this.#writeHead(head);
      return;
    }
    this.#broken = true;
    this.#owner.answerReplaced(verdict);
  }

  #writeHead(head: ResponseHead): void {
    const { evaluation, host } = this.#owner;
    const framing = head.framing(this.#method);
    const reshaped = framing !== 'none' && evaluation.pipeline.responseChunk.length > 0;
    if (framing === 'chunked' || framing === 'until-close' || reshaped) {
      this.#framing = this.#minor === 1 ? 'chunked' : 'until-close';
    }
    this.status = head.status;
    this.#connection = head.connection;
    const fields = this.#owner.answerFields(this.#framing === 'until-close' ? 'until-close' : framing);
    host.writer.text(clientHead(head, this.#framing, evaluation.edits.responseEdits, fields));
  }

  #writePiece(bytes: Buffer, from: number, to: number): void {
    const { writer } = this.#owner.host;
    if (this.#framing !== 'chunked') {
      writer.bytes(bytes, from, to);
      return;
    }
    writer.text(chunkLine(to - from));
    writer.bytes(bytes, from, to);
    writer.text('\r\n');
  }

  async #judgePiece(bytes: Buffer): Promise<void> {
    const decision = await this.#owner.evaluation.runResponseChunk(bytes);
    if (this.#broken) return;
    if (decision.kind === 'abort') return this.#break(decision.error, undefined);
    const kept = decision.kind === 'replace' ? Buffer.from(decision.bytes) : bytes;
    if (kept.length > 0) this.#writePiece(kept, 0, kept.length);
  }

  #writeEnd(trailers: readonly string[]): void {
    if (this.#broken) return;
    if (this.#framing === 'chunked') {
      const { host, evaluation } = this.#owner;
      const { responseEdits } = evaluation.edits;
      host.writer.text(lastChunk(travellingTrailers(trailers, this.#connection, responseEdits)));
    }
    this.#owner.answerDone();
  }

  #break(error: PolicyRejection | UpstreamError, by: Attachment | undefined): void {
    this.#broken = true;
    this.#owner.answerBroken(error, by);
  }
}
