import type { Socket } from 'node:net';
import type { ClientCertificate } from '../contract/index.ts';
import { ERRORS, RequestError } from '../errors.ts';
import {
  CR,
  faultInPartialHead,
  findHeadEnd,
  HEAD_TOO_LARGE,
  LF,
  parseRequestHead,
  refusal,
  SP,
  TARGET_TOO_LONG,
} from '../http1/index.ts';
import type { Waiting } from '../lib/deadlines.ts';
import type { IpAddress } from '../lib/ip-address.ts';
import type { Inlet, Receiver } from '../lib/read-buffer.ts';
import { SocketWriter } from '../lib/socket-writer.ts';
import type { AnswerFields } from './client-response.ts';
import { Exchange } from './exchange.ts';
import type { ConnectionHome, ExchangeHost } from './host.ts';
import { writeLocal } from './local-answer.ts';
import type { Resting } from './overload/rested.ts';
import { problemAnswer } from './respond.ts';

/** Bytes kept of what a client sends ahead of its turn; beyond it the socket is not read. */
const READ_AHEAD_BYTES = 64 * 1024;
/** How long a closed connection is still read, so that the last answer is not lost to a reset (RFC 9112 §9.6). */
const LINGER_MS = 2_000;
/** How long an idle connection of a draining listener is open for a request that is already on its way. */
const LAST_REQUEST_MS = 1_000;

/** The listener a connection came through. */
export interface ConnectionOwner extends ConnectionHome {
  /** The connection is closed for good. */
  gone(connection: ClientConnection): void;
}

/** Whose connection it is, as far as was decided when it was accepted. */
export interface ConnectedClient {
  readonly peer: IpAddress;
  readonly scheme: 'http' | 'https';
  /** Verified; undefined for none. */
  readonly certificate?: ClientCertificate | undefined;
  /** What carries a TLS socket, which cannot be reset itself. */
  readonly below?: Socket | undefined;
}

const TOO_SLOW = new RequestError(
  'request-timeout',
  'head-timeout',
  'The request head did not arrive in time.',
);

/** One client connection: cuts the byte stream into requests, one exchange at a time. */
export class ClientConnection implements Waiting, ExchangeHost, Receiver, Resting {
  readonly socket: Socket;
  readonly writer: SocketWriter;
  readonly home: ConnectionOwner;
  readonly peer: IpAddress;
  readonly scheme: 'http' | 'https';
  readonly certificate: ClientCertificate | undefined;
  deadlineMs = 0;
  #exchange: Exchange | undefined = undefined;
  #pending: Buffer | undefined = undefined;
  /** How much of `#pending` was already looked at for faults. */
  #inspected = 0;
  #reading = false;
  #closing = false;
  /** Not read until the answers it has were taken. */
  #unread = false;
  #tunnelled = false;
  #outdated = false;
  /** Not read, since there are too many requests, from now on or after its exchange. */
  #rests: 'no' | 'soon' | 'now' = 'no';
  wokenAtTick = Number.NEGATIVE_INFINITY;

  readonly #inlet: Inlet | undefined;
  readonly #below: Socket | undefined;

  /** Reads come through `inlet` where there is one, else as the socket's own events. */
  constructor(socket: Socket, inlet: Inlet | undefined, home: ConnectionOwner, client: ConnectedClient) {
    this.socket = socket;
    this.writer = new SocketWriter(socket, home.services.io.writes);
    this.home = home;
    this.peer = client.peer;
    this.scheme = client.scheme;
    this.certificate = client.certificate;
    this.#expectRequest();
    this.#inlet = inlet;
    this.#below = client.below;
    if (inlet === undefined) socket.on('data', this.#onData);
    else inlet.receiver = this;
    socket.on('drain', this.#onDrain);
    socket.on('end', this.#onEnd);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  /** Whether input is being worked on: then what is written upstream leaves in one piece at the end. */
  get reading(): boolean {
    return this.#reading;
  }

  get idle(): boolean {
    return this.#exchange === undefined && this.#pending === undefined && !this.#tunnelled;
  }

  get leaving(): boolean {
    return this.#outdated || this.home.draining;
  }

  /** The exchange now wants the body's bytes: those that came early first. */
  wantBody(): void {
    if (this.#reading) return;
    this.socket.resume();
    this.#continue();
  }

  /** The exchange is over and the connection goes on. */
  exchangeEnded(): void {
    this.#exchange = undefined;
    if (this.leaving) {
      this.closeGently();
      return;
    }
    this.#expectRequest();
    if (this.#rests === 'soon') return this.#rest();
    if (this.socket.isPaused()) this.socket.resume();
    if (!this.#reading) this.#continue();
  }

  restSoon(): void {
    this.#rests = 'soon';
  }

  /** What its client sends meanwhile stays with the client, or with the system: it costs nothing here. */
  #rest(): void {
    this.#rests = 'now';
    this.socket.pause();
    this.home.services.shedder.rest(this);
  }

  wake(late: boolean): void {
    this.#rests = 'no';
    if (this.#closing || this.#unread || this.socket.destroyed) return;
    if (late) this.wokenAtTick = this.home.services.shedder.ticks;
    this.socket.resume();
    this.#continue();
  }

  /** Sends what is written, then closes; what still comes in is read and thrown away for a moment. */
  closeGently(): void {
    this.#exchange = undefined;
    this.#pending = undefined;
    if (this.#closing) return;
    this.#closing = true;
    this.writer.flush();
    const { services, plan } = this.home;
    // What is written may still wait for a slow reader: the moment begins once it has left.
    this.deadlineMs = services.now() + plan.limits.writeTimeoutMs;
    this.socket.end(() => {
      this.deadlineMs = services.now() + LINGER_MS;
    });
    this.socket.resume();
  }

  /** What it proved when it was made is no longer asked as it was: it makes room for one that is. */
  outdate(): void {
    this.#outdated = true;
    this.closeSoon();
  }

  /** A client that is banned by now gets nothing more of what is under way: an answer, a tunnel. */
  cutIf(isBanned: (address: IpAddress) => boolean): void {
    const exchange = this.#exchange;
    if (exchange !== undefined && isBanned(exchange.judged?.request.client ?? this.peer)) this.cut();
  }

  /** Its listener takes no more: it closes with its next answer, or when there is nothing to answer for a moment. */
  closeSoon(): void {
    if (!this.idle || this.#closing) return;
    const soonMs = this.home.services.now() + LAST_REQUEST_MS;
    this.deadlineMs = this.deadlineMs === 0 ? soonMs : Math.min(this.deadlineMs, soonMs);
  }

  /** Cuts the connection: the client must see that the answer is not whole. */
  cut(): void {
    this.socket.destroy();
    this.#endExchange();
  }

  /** Cuts with a reset: where the end of the connection ends the answer, a plain close would look whole. */
  reset(): void {
    (this.#below ?? this.socket).resetAndDestroy();
    this.socket.destroy();
    this.#endExchange();
  }

  detach(receiver: Receiver): Buffer | undefined {
    this.#tunnelled = true;
    this.deadlineMs = 0;
    const rest = this.#pending;
    this.#pending = undefined;
    this.socket.off('data', this.#onData);
    if (this.#inlet === undefined) this.socket.on('data', (bytes: Buffer) => receiver.receive(bytes));
    else this.#inlet.receiver = receiver;
    this.socket.off('drain', this.#onDrain);
    this.socket.off('end', this.#onEnd);
    return rest;
  }

  onDeadline(): void {
    if (this.#exchange !== undefined) this.#exchange.onClientDeadline();
    else if (this.leaving && this.idle && !this.#closing) this.closeGently();
    else if (this.#closing || this.#unread || this.#pending === undefined) this.socket.destroy();
    else this.#refuse(TOO_SLOW);
  }

  readonly #onData = (bytes: Buffer): void => this.receive(bytes);

  receive(bytes: Buffer): void {
    if (this.#closing) return;
    const input = this.#pending === undefined ? bytes : Buffer.concat([this.#pending, bytes]);
    this.#pending = undefined;
    this.#read(input);
  }

  readonly #onDrain = (): void => {
    if (this.#exchange !== undefined) this.#exchange.onClientDrain();
    else if (this.#unread) this.#readOn();
  };

  /** A client that closes its side is gone (as with nginx and Node): its upstream work is cancelled. */
  readonly #onEnd = (): void => {
    if (!this.#closing) this.socket.destroy();
  };

  readonly #onError = (): void => {
    this.socket.destroy();
  };

  readonly #onClose = (): void => {
    this.#endExchange();
    this.home.gone(this);
  };

  /** Whoever closes the connection, its exchange must let go of its snapshot and its upstream. */
  #endExchange(): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    exchange?.onClientGone();
  }

  /** A client that asks on and on and reads no answer would have them all kept here: it is not read either. */
  #stopReading(): void {
    this.#unread = true;
    this.socket.pause();
    this.deadlineMs = this.home.services.now() + this.home.plan.limits.writeTimeoutMs;
  }

  #readOn(): void {
    this.#unread = false;
    this.#expectRequest();
    this.socket.resume();
    this.#continue();
  }

  #continue(): void {
    const input = this.#pending;
    if (input === undefined) return;
    this.#pending = undefined;
    this.#read(input);
  }

  /** What throws here is a defect: it ends this connection, not the worker. */
  #read(input: Buffer): void {
    try {
      this.#work(input);
    } catch (cause) {
      this.#reading = false;
      if (this.#exchange !== undefined) return this.#exchange.fail(cause);
      const message = cause instanceof Error ? cause.message : String(cause);
      this.home.services.log.error('connection-failed', { cause: message });
      this.cut();
    }
  }

  /** Works through input until it is used up or has to wait for the exchange. */
  #work(input: Buffer): void {
    this.#reading = true;
    let at = 0;
    while (at < input.length && !this.#closing && !this.socket.destroyed) {
      const exchange = this.#exchange;
      if (exchange !== undefined ? !exchange.takesBody : this.#rests === 'now' || this.writer.congested)
        break;
      const next = exchange === undefined ? this.#takeHead(input, at) : exchange.takeBody(input, at);
      if (next === -1) break;
      at = next;
    }
    this.#reading = false;
    if (at < input.length && !this.#closing) this.#keep(input.subarray(at));
    if (this.#exchange === undefined && !this.#closing && this.writer.congested) this.#stopReading();
    this.#exchange?.onInputEnd();
  }

  /** What has to wait is copied out of the shared read buffer. */
  #keep(rest: Buffer): void {
    this.#pending = Buffer.from(rest);
    if (this.#exchange !== undefined && rest.length > READ_AHEAD_BYTES) this.socket.pause();
  }

  /** Starts an exchange; the offset behind its head, or -1 when the head is not whole or was refused. */
  #takeHead(input: Buffer, from: number): number {
    // One empty line before a request is ignored (RFC 9112 §2.2).
    const start = input[from] === CR && input[from + 1] === LF ? from + 2 : from;
    const { limits } = this.home.plan;
    const end = findHeadEnd(input, start);
    if (end === -1) return this.#waitForHead(input, start, from);
    if (end - start > limits.headerBytes) return this.#refuse(HEAD_TOO_LARGE);
    const head = parseRequestHead(input, start, end, limits);
    if (head instanceof RequestError) return this.#refuse(head);
    this.#inspected = 0;
    this.deadlineMs = 0;
    this.#exchange = new Exchange(this, head);
    this.#exchange.start();
    return end;
  }

  #waitForHead(input: Buffer, start: number, from: number): number {
    const { limits } = this.home.plan;
    const fault = faultInPartialHead(input, Math.max(start, from + this.#inspected - 1));
    if (fault !== undefined) return this.#refuse(refusal(fault));
    if (input.length - start > limits.headerBytes) {
      return this.#refuse(oversize(input, start));
    }
    if (this.#inspected === 0) this.deadlineMs = this.home.services.now() + limits.headerTimeoutMs;
    this.#inspected = input.length - from;
    return -1;
  }

  #expectRequest(): void {
    this.#inspected = 0;
    const { services, plan } = this.home;
    this.deadlineMs = services.deadlines.after(plan.limits.idleTimeoutMs);
  }

  /** Answers what cannot be read as a request, and closes: where the next one would begin is not known. */
  #refuse(error: RequestError): -1 {
    const { serving, plan, services } = this.home;
    const requestId = services.random.hex(16);
    const problem = problemAnswer({ error, requestId, revision: serving.revision, by: undefined });
    const revision = plan.revisionHeader ? serving.revision : '';
    const fields: AnswerFields = { requestId, revision, close: true, minor: 1 };
    writeLocal(this.writer, problem, 'GET', [], fields, services.date);
    serving.meters.refused(plan.name, error.reason);
    serving.meters.route(plan.name, undefined).count(ERRORS[error.code].status, 'client');
    this.closeGently();
    return -1;
  }
}

/** What an endless head is too much of: a method without end, a target without end, or fields. */
function oversize(input: Buffer, start: number): RequestError {
  if (input.indexOf(SP, start) === -1) return refusal('method');
  return input.indexOf(CR, start) === -1 ? TARGET_TOO_LONG : HEAD_TOO_LARGE;
}
