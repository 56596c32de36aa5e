import type { Socket } from 'node:net';
import { UpstreamError } from '../errors.ts';
import { ChunkedDecoder, findHeadEnd, parseResponseHead, type ResponseHead } from '../http1/index.ts';
import type { Waiting } from '../lib/deadlines.ts';
import type { Inlet, Receiver } from '../lib/read-buffer.ts';
import { SocketWriter } from '../lib/socket-writer.ts';
import type { WriteBatch } from '../lib/write-batch.ts';
import type { Target } from './target.ts';

/** Field lines an answer may have; beyond it the answer is refused as malformed. */
const MAX_RESPONSE_FIELDS = 256;
const MAX_RESPONSE_HEAD_BYTES = 64 * 1024;
/** Interim answers (1xx) before a final one; a server that sends more holds the exchange hostage. */
const MAX_INTERIM = 16;

/** Whoever has a request under way on an upstream connection. Called synchronously, in this order. */
export interface UpstreamClient {
  /** A 1xx that is not 101. */
  onInterim(head: ResponseHead): void;
  /** The final head (or 101). `complete` when no body follows. */
  onHead(head: ResponseHead, complete: boolean): void;
  /** Body bytes `bytes[from, to)`; valid only during the call. `complete` with the last of them. */
  onBody(bytes: Buffer, from: number, to: number): void;
  /** The answer ended cleanly; the connection is no longer the client's. */
  onEnd(trailers: readonly string[]): void;
  /** The answer cannot be had, or broke off. */
  onFailure(error: UpstreamError): void;
  /** All bytes that arrived together have been handed over. */
  onBatchEnd(): void;
  /** The socket takes bytes again. */
  onDrain(): void;
  /** One of the above threw, which none should: the answer is lost, the connection closed. */
  onDefect(cause: unknown): void;
}

const NO_TRAILERS: readonly string[] = Object.freeze([]);

/** One connection to a target: parses answers, one request at a time. */
export class UpstreamConnection implements Waiting, Receiver {
  readonly target: Target;
  readonly socket: Socket;
  readonly writer: SocketWriter;
  deadlineMs = 0;
  /** Requests sent on it so far: a failure on the first is not a stale connection's. */
  requests = 0;
  /** Whether a byte of the current answer has arrived. */
  answered = false;
  readonly #inlet: Inlet | undefined;
  #client: UpstreamClient | undefined = undefined;
  #method = '';
  #state: 'idle' | 'head' | 'length' | 'chunked' | 'until-close' | 'tunnel' = 'idle';
  #pending: Buffer | undefined = undefined;
  #remaining = 0;
  #interim = 0;
  #decoder: ChunkedDecoder | undefined = undefined;
  #keepAlive = false;
  /** The request has been written whole; until then an answer must not free the connection. */
  requestSent = false;

  /** Reads come through `inlet` where there is one, else as the socket's own events. */
  constructor(target: Target, socket: Socket, inlet: Inlet | undefined, writes: WriteBatch) {
    this.target = target;
    this.socket = socket;
    this.writer = new SocketWriter(socket, writes);
    this.#inlet = inlet;
    if (inlet === undefined) socket.on('data', (bytes: Buffer) => this.receive(bytes));
    else inlet.receiver = this;
    socket.on('end', () => this.#onEnd());
    socket.on('error', (cause) => this.#onError(cause));
    socket.on('close', () => this.#onClose());
    socket.on('drain', () => this.#client?.onDrain());
  }

  /** Begins an exchange; the caller then writes the request. */
  begin(client: UpstreamClient, method: string): void {
    this.#client = client;
    this.#method = method;
    this.#state = 'head';
    this.#interim = 0;
    this.answered = false;
    this.requestSent = false;
    this.requests++;
  }

  /** Hands the raw socket to a tunnel (after 101), its reads to `receiver`; returns bytes that came behind the head. */
  detach(receiver: Receiver): Buffer | undefined {
    this.#state = 'tunnel';
    this.#client = undefined;
    const rest = this.#pending;
    this.#pending = undefined;
    this.socket.removeAllListeners();
    if (this.#inlet === undefined) this.socket.on('data', (bytes: Buffer) => receiver.receive(bytes));
    else this.#inlet.receiver = receiver;
    this.target.forget(this);
    return rest;
  }

  /** Ends the exchange from the client's side: nothing more is wanted of this connection. */
  abandon(): void {
    this.#client = undefined;
    this.socket.destroy();
  }

  onDeadline(): void {
    if (this.#client === undefined) {
      this.socket.destroy();
      return;
    }
    this.#fail(new UpstreamError('upstream-timeout', 'The upstream did not answer in time.'));
  }

  receive(bytes: Buffer): void {
    const client = this.#client;
    if (client === undefined) {
      // An answer nobody asked for: the next request must not receive it (response queue poisoning).
      this.socket.destroy();
      return;
    }
    this.answered = true;
    let input = bytes;
    if (this.#pending !== undefined) {
      input = Buffer.concat([this.#pending, bytes]);
      this.#pending = undefined;
    }
    try {
      this.#consume(input);
    } catch (cause) {
      // It may have let go of the connection before it threw, and another may have it by now.
      if (this.#client === client) {
        this.#client = undefined;
        this.socket.destroy();
      }
      client.onDefect(cause);
    }
  }

  #consume(input: Buffer): void {
    let at = 0;
    while (this.#client !== undefined && (at < input.length || this.#state === 'idle')) {
      const next = this.#state === 'head' ? this.#takeHead(input, at) : this.#takeBody(input, at);
      if (next === -1) return;
      at = next;
    }
    if (at < input.length && this.#state === 'idle') this.socket.destroy();
    this.#client?.onBatchEnd();
  }

  /** The offset behind the head, or -1 when no more can be done with `input` now. */
  #takeHead(input: Buffer, at: number): number {
    const end = findHeadEnd(input, at);
    if (end === -1 || end - at > MAX_RESPONSE_HEAD_BYTES) {
      if (end !== -1 || input.length - at > MAX_RESPONSE_HEAD_BYTES) this.#malformed('head-too-large');
      else this.#pending = Buffer.from(input.subarray(at));
      return -1;
    }
    const head = parseResponseHead(input, at, end, MAX_RESPONSE_FIELDS);
    if (typeof head === 'string') {
      this.#malformed(head);
      return -1;
    }
    if (head.status < 200 && head.status !== 101) {
      if (++this.#interim > MAX_INTERIM) this.#malformed('too-many-interim');
      else this.#client?.onInterim(head);
      return this.#client === undefined ? -1 : end;
    }
    return this.#takeFinalHead(head, input, end);
  }

  #takeFinalHead(head: ResponseHead, input: Buffer, end: number): number {
    const framing = head.status === 101 ? 'tunnel' : head.framing(this.#method);
    this.#keepAlive = head.keepAlive && framing !== 'until-close';
    if (framing === 'tunnel') {
      if (end < input.length) this.#pending = Buffer.from(input.subarray(end));
      this.#client?.onHead(head, false);
      return -1;
    }
    if (framing === 'none') {
      // Bytes behind a complete answer belong to nobody.
      if (end < input.length) this.#keepAlive = false;
      this.#client?.onHead(head, true);
      this.#finish(NO_TRAILERS);
      return -1;
    }
    this.#state = framing;
    this.#remaining = head.contentLength;
    this.#decoder = framing === 'chunked' ? new ChunkedDecoder(MAX_RESPONSE_FIELDS) : undefined;
    this.#client?.onHead(head, false);
    return end;
  }

  #takeBody(input: Buffer, at: number): number {
    if (this.#state === 'until-close') {
      this.#client?.onBody(input, at, input.length);
      return input.length;
    }
    return this.#decoder === undefined
      ? this.#takeLength(input, at)
      : this.#takeChunks(this.#decoder, input, at);
  }

  #takeLength(input: Buffer, at: number): number {
    const to = Math.min(input.length, at + this.#remaining);
    this.#remaining -= to - at;
    this.#client?.onBody(input, at, to);
    if (this.#remaining > 0 || this.#client === undefined) return to;
    if (to < input.length) this.#keepAlive = false;
    this.#finish(NO_TRAILERS);
    return -1;
  }

  #takeChunks(decoder: ChunkedDecoder, input: Buffer, at: number): number {
    const end = decoder.decode(input, at);
    const { pieces } = decoder;
    for (let i = 0; i < pieces.length; i += 2) this.#client?.onBody(input, pieces[i], pieces[i + 1]);
    if (decoder.fault !== undefined) {
      this.#malformed(decoder.fault);
      return -1;
    }
    if (!decoder.done || this.#client === undefined) return end;
    if (end < input.length) this.#keepAlive = false;
    this.#finish(decoder.trailers);
    return -1;
  }

  /** The answer is whole: the connection goes back to its pool where both sides allow it. */
  #finish(trailers: readonly string[]): void {
    const client = this.#client;
    this.#client = undefined;
    this.#state = 'idle';
    this.#decoder = undefined;
    this.deadlineMs = 0;
    // It may have been held while a policy thought; nobody would wake it in the pool.
    if (this.socket.isPaused()) this.socket.resume();
    if (this.#keepAlive && this.requestSent && !this.socket.destroyed) this.target.release(this);
    else this.socket.destroy();
    client?.onEnd(trailers);
  }

  #onEnd(): void {
    if (this.#state === 'until-close' && this.#client !== undefined) {
      this.#keepAlive = false;
      this.#finish(NO_TRAILERS);
      return;
    }
    this.#fail(
      new UpstreamError('upstream-reset', 'The upstream closed the connection before its answer ended.'),
    );
  }

  #onError(cause: Error): void {
    const code = this.socket.connecting || !this.#wasConnected ? 'upstream-unreachable' : 'upstream-reset';
    this.#fail(new UpstreamError(code, 'The connection to the upstream failed.', cause));
  }

  #onClose(): void {
    this.target.forget(this);
    this.#fail(new UpstreamError('upstream-reset', 'The upstream closed the connection.'));
  }

  get #wasConnected(): boolean {
    return this.socket.bytesWritten > 0 || this.socket.bytesRead > 0 || this.requests > 1;
  }

  #malformed(fault: string): void {
    this.#fail(
      new UpstreamError(
        'upstream-malformed',
        'The upstream sent an answer that is not valid HTTP/1.1.',
        fault,
      ),
    );
  }

  #fail(error: UpstreamError): void {
    const client = this.#client;
    this.#client = undefined;
    this.deadlineMs = 0;
    this.socket.destroy();
    client?.onFailure(error);
  }
}
