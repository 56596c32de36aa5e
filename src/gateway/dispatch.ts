import { InternalError, type UpstreamError } from '../errors.ts';
import type { ResponseHead } from '../http1/index.ts';
import type {
  ConnectWaiter,
  Target,
  Upstream,
  UpstreamClient,
  UpstreamConnection,
} from '../upstream/index.ts';

/** Methods that may be sent twice (RFC 9110 §9.2.2). */
const IDEMPOTENT: ReadonlySet<string> = new Set([
  'GET',
  'HEAD',
  'OPTIONS',
  'PUT',
  'DELETE',
  'PROPFIND',
  'SEARCH',
  'REPORT',
  'QUERY',
]);

/** What a dispatch asks of its exchange. */
export interface DispatchOwner {
  /** A connection is ready for the request. */
  sendRequest(): void;
  upstreamDrained(): void;
  upstreamInterim(head: ResponseHead): void;
  upstreamHead(head: ResponseHead): void;
  upstreamBody(bytes: Buffer, from: number, to: number): void;
  upstreamBatchEnd(): void;
  upstreamEnd(trailers: readonly string[]): void;
  upstreamFailed(error: UpstreamError): void;
  /** Every target was tried, or none may be. */
  noTarget(): void;
  /** Something failed that cannot. */
  fail(cause: unknown): void;
}

/** How a try ended, for metrics. */
export type DispatchOutcome = 'answered' | 'connect-failed' | 'reset' | 'timeout' | 'malformed' | 'abandoned';

/** The way of one request to an upstream: choosing a target, connecting, trying again where that is safe. */
export class Dispatch implements ConnectWaiter, UpstreamClient {
  readonly upstream: Upstream;
  readonly #owner: DispatchOwner;
  readonly #method: string;
  readonly #replayable: boolean;
  readonly #services: { now(): number };
  readonly #tried: Target[] = [];
  #target: Target | undefined = undefined;
  #connection: UpstreamConnection | undefined = undefined;
  #attempt: { cancel(): void } | undefined = undefined;
  /** Whether this request counts in its target's load. */
  #counted = false;
  #sentAtMs = 0;
  /** Milliseconds from the request sent to the answer's head; undefined until then. */
  upstreamMs: number | undefined = undefined;
  /** When that came, monotonic; 0 until then. */
  headAtMs = 0;
  outcome: DispatchOutcome = 'abandoned';

  /** `replayable`: the whole request is at hand, so a stale connection's failure can be tried again. */
  constructor(
    owner: DispatchOwner,
    upstream: Upstream,
    method: string,
    replayable: boolean,
    services: { now(): number },
  ) {
    this.#owner = owner;
    this.upstream = upstream;
    this.#method = method;
    this.#replayable = replayable;
    this.#services = services;
  }

  get target(): Target {
    if (this.#target === undefined) throw new InternalError('no target was chosen yet');
    return this.#target;
  }

  /** The target last tried, once there is one. */
  get chosen(): Target | undefined {
    return this.#target;
  }

  get congested(): boolean {
    return this.#connection?.writer.congested === true;
  }

  start(): void {
    const target = this.upstream.pick(this.#tried) ?? this.upstream.pick([]);
    if (target === undefined) return this.#owner.noTarget();
    this.#choose(target);
    const idle = target.takeIdle();
    if (idle === undefined) this.#attempt = target.connect(this);
    else this.#use(idle);
  }

  write(text: string): void {
    this.#connection?.writer.text(text);
  }

  writeBytes(bytes: Buffer, from: number, to: number): void {
    this.#connection?.writer.bytes(bytes, from, to);
  }

  flushSoon(): void {
    this.#connection?.writer.flushSoon();
  }

  /** The upstream takes no more for now; it must within the time it has to answer. */
  awaitDrain(): void {
    if (this.#connection === undefined || this.outcome === 'answered') return;
    this.#connection.deadlineMs = this.#services.now() + this.upstream.plan.responseTimeoutMs;
  }

  /** The request is written whole: from here the answer is awaited. */
  requestSent(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    connection.requestSent = true;
    this.#sentAtMs = this.#services.now();
    connection.deadlineMs = this.#sentAtMs + this.upstream.plan.responseTimeoutMs;
  }

  pause(): void {
    if (this.#connection === undefined) return;
    this.#connection.deadlineMs = 0;
    this.#connection.socket.pause();
  }

  resume(): void {
    if (this.#connection === undefined || !this.#connection.socket.isPaused()) return;
    this.#connection.deadlineMs = this.#services.now() + this.upstream.plan.idleTimeoutMs;
    this.#connection.socket.resume();
  }

  /** Nothing more is wanted of the upstream. */
  abandon(): void {
    this.#attempt?.cancel();
    this.#attempt = undefined;
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.abandon();
    this.#leave();
  }

  /** After 101: the connection is no longer ours; its raw socket goes to a tunnel. */
  takeConnection(): UpstreamConnection {
    const connection = this.#connection;
    if (connection === undefined) throw new InternalError('there is no connection to take');
    this.#connection = undefined;
    this.#leave();
    return connection;
  }

  onConnected(connection: UpstreamConnection): void {
    this.#attempt = undefined;
    this.#use(connection);
  }

  onConnectFailure(error: UpstreamError): void {
    this.#attempt = undefined;
    this.#target?.failed(error);
    this.outcome = error.code === 'upstream-timeout' ? 'timeout' : 'connect-failed';
    this.#leave();
    // Nothing was sent: any request may try the next target.
    if (this.#tried.length < this.upstream.plan.connectAttempts) this.start();
    else this.#owner.upstreamFailed(error);
  }

  onInterim(head: ResponseHead): void {
    this.#owner.upstreamInterim(head);
  }

  onHead(head: ResponseHead): void {
    const now = this.#services.now();
    this.upstreamMs = now - (this.#sentAtMs === 0 ? now : this.#sentAtMs);
    this.headAtMs = now;
    this.outcome = 'answered';
    this.#target?.succeeded();
    if (this.#connection !== undefined) this.#connection.deadlineMs = now + this.upstream.plan.idleTimeoutMs;
    this.#owner.upstreamHead(head);
  }

  onBody(bytes: Buffer, from: number, to: number): void {
    this.#owner.upstreamBody(bytes, from, to);
  }

  onBatchEnd(): void {
    if (this.#connection !== undefined && this.outcome === 'answered')
      this.#connection.deadlineMs = this.#services.now() + this.upstream.plan.idleTimeoutMs;
    this.#owner.upstreamBatchEnd();
  }

  onEnd(trailers: readonly string[]): void {
    this.#connection = undefined;
    this.#leave();
    this.#owner.upstreamEnd(trailers);
  }

  onDrain(): void {
    const connection = this.#connection;
    if (connection?.requestSent === false && this.outcome !== 'answered') connection.deadlineMs = 0;
    this.#owner.upstreamDrained();
  }

  onDefect(cause: unknown): void {
    this.abandon();
    this.#owner.fail(cause);
  }

  onFailure(error: UpstreamError): void {
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection !== undefined && error.code === 'upstream-reset' && this.#mayRepeat(connection)) {
      this.#leave();
      this.#choose(connection.target);
      this.#attempt = connection.target.connect(this);
      return;
    }
    if (this.outcome !== 'answered') this.#target?.failed(error);
    this.outcome = outcomeOf(error);
    this.#leave();
    this.#owner.upstreamFailed(error);
  }

  /** A kept connection the server closed just as we used it; the server may still have acted on the request. */
  #mayRepeat(connection: UpstreamConnection): boolean {
    const stale = connection.requests > 1 && !connection.answered;
    return stale && this.#replayable && IDEMPOTENT.has(this.#method);
  }

  #use(connection: UpstreamConnection): void {
    this.#connection = connection;
    connection.begin(this, this.#method);
    // No answer is due before the request is whole; until then the client's own timeouts count.
    connection.deadlineMs = 0;
    this.#owner.sendRequest();
  }

  #choose(target: Target): void {
    this.#target = target;
    this.#tried.push(target);
    target.active++;
    this.#counted = true;
  }

  #leave(): void {
    if (!this.#counted || this.#target === undefined) return;
    this.#counted = false;
    this.#target.active--;
  }
}

function outcomeOf(error: UpstreamError): DispatchOutcome {
  if (error.code === 'upstream-timeout') return 'timeout';
  return error.code === 'upstream-malformed' ? 'malformed' : 'reset';
}
