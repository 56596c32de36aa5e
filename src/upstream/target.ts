import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import type { Clock, Logger, TargetPlan, UpstreamPlan } from '../contract/index.ts';
import { UpstreamError } from '../errors.ts';
import type { Deadlines } from '../lib/deadlines.ts';
import type { Inlet } from '../lib/read-buffer.ts';
import type { SharedIo } from '../lib/shared-io.ts';
import { UpstreamConnection } from './connection.ts';
import { OutageLog } from './outage-log.ts';

/** A kept connection is not reused after this long: most servers close theirs later. */
const MAX_IDLE_MS = 55_000;

/** Told when a connection that had to be made is there, or could not be made. */
export interface ConnectWaiter {
  onConnected(connection: UpstreamConnection): void;
  onConnectFailure(error: UpstreamError): void;
  /** It threw when it was given the connection, which is closed. */
  onDefect(cause: unknown): void;
}

/** What the targets of a worker share. */
export interface TargetDeps {
  readonly clock: Clock;
  readonly deadlines: Deadlines;
  readonly io: SharedIo;
  readonly log: Logger;
}

/** One backend: its kept connections, its load, its passive health. */
export class Target {
  readonly plan: TargetPlan;
  readonly name: string;
  /** Requests under way on this worker. */
  active = 0;
  /** Smooth weighted round-robin's running weight. */
  currentWeight = 0;
  readonly #upstream: UpstreamPlan;
  readonly #clock: Clock;
  readonly #deadlines: Deadlines;
  readonly #io: SharedIo;
  readonly #idle: UpstreamConnection[] = [];
  readonly #all = new Set<UpstreamConnection>();
  readonly #outages: OutageLog;
  #failures = 0;
  #restsUntilMs = 0;
  #closed = false;

  constructor(plan: TargetPlan, upstream: UpstreamPlan, { clock, deadlines, io, log }: TargetDeps) {
    this.plan = plan;
    this.#io = io;
    this.name = `${plan.host}:${plan.port}`;
    this.#upstream = upstream;
    this.#clock = clock;
    this.#deadlines = deadlines;
    this.#outages = new OutageLog(log, clock, upstream.name, this.name);
  }

  /** Whether it may be chosen: not resting after failures in a row. */
  get available(): boolean {
    return this.#restsUntilMs === 0 || this.#clock.monotonic() >= this.#restsUntilMs;
  }

  succeeded(): void {
    if (this.#failures === 0) return;
    this.#failures = 0;
    this.#restsUntilMs = 0;
    this.#outages.succeeded();
  }

  /** `error`: why, for the log. */
  failed(error?: UpstreamError): void {
    const { failures, restMs } = this.#upstream.passive;
    const rests = ++this.#failures >= failures;
    if (rests) this.#restsUntilMs = this.#clock.monotonic() + restMs;
    this.#outages.failed(error, rests ? restMs : undefined);
  }

  /** A kept connection, most recently used first, or undefined. */
  takeIdle(): UpstreamConnection | undefined {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (!connection.socket.destroyed) return connection;
    }
    return undefined;
  }

  /** Makes a connection; `waiter` hears of it once. Returns the way to give up. */
  connect(waiter: ConnectWaiter): { cancel(): void } {
    const plain = this.plan.scheme === 'http';
    const inlet = plain ? this.#io.reads.inlet() : undefined;
    const socket = inlet === undefined ? this.#connectTls() : this.#connectPlain(inlet);
    const attempt = new ConnectAttempt(this, socket, inlet, waiter, this.#deadlines);
    attempt.deadlineMs = this.#clock.monotonic() + this.#upstream.connectTimeoutMs;
    return attempt;
  }

  adopt(socket: Socket, inlet: Inlet | undefined): UpstreamConnection {
    const connection = new UpstreamConnection(this, socket, inlet, this.#io.writes);
    this.#all.add(connection);
    this.#deadlines.add(connection);
    return connection;
  }

  /** Takes a connection back for reuse. */
  release(connection: UpstreamConnection): void {
    if (this.#closed || this.#idle.length >= this.#upstream.maxIdleConnections) {
      connection.socket.destroy();
      return;
    }
    connection.deadlineMs = this.#deadlines.after(MAX_IDLE_MS);
    this.#idle.push(connection);
  }

  /** Called once a connection is gone for good. */
  forget(connection: UpstreamConnection): void {
    this.#deadlines.remove(connection);
    if (!this.#all.delete(connection)) return;
    const at = this.#idle.indexOf(connection);
    if (at !== -1) this.#idle.splice(at, 1);
  }

  /** Closes what is idle; what is busy closes when its answer ends. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#idle.splice(0)) connection.socket.destroy();
  }

  #connectPlain({ onread }: Inlet): Socket {
    const { host, port } = this.plan;
    return connectTcp({ host, port, noDelay: true, onread });
  }

  #connectTls(): Socket {
    const { host, port } = this.plan;
    const { ca, serverName = host } = this.#upstream;
    return connectTls({
      host,
      port,
      ALPNProtocols: ['http/1.1'],
      // An address is no server name (RFC 6066 §3). Without one Node checks the certificate against `host`,
      // which may be another: then any server of the same authority would pass for the one that was named.
      ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
      checkServerIdentity: (_, certificate) => checkServerIdentity(serverName, certificate),
      ...(ca === undefined ? {} : { ca }),
      rejectUnauthorized: true,
    }).setNoDelay(true);
  }
}

/** A connection being made, until it is there, fails, times out or is no longer wanted. */
class ConnectAttempt {
  deadlineMs = 0;
  readonly #target: Target;
  readonly #socket: Socket;
  readonly #inlet: Inlet | undefined;
  readonly #deadlines: Deadlines;
  #waiter: ConnectWaiter | undefined;

  constructor(
    target: Target,
    socket: Socket,
    inlet: Inlet | undefined,
    waiter: ConnectWaiter,
    deadlines: Deadlines,
  ) {
    this.#target = target;
    this.#socket = socket;
    this.#inlet = inlet;
    this.#waiter = waiter;
    this.#deadlines = deadlines;
    deadlines.add(this);
    socket.once(target.plan.scheme === 'https' ? 'secureConnect' : 'connect', () => this.#succeed());
    socket.once('error', this.#onError);
  }

  cancel(): void {
    this.#waiter = undefined;
    this.#deadlines.remove(this);
    this.#socket.destroy();
  }

  onDeadline(): void {
    this.#fail(new UpstreamError('upstream-timeout', 'The upstream did not take the connection in time.'));
  }

  readonly #onError = (cause: Error): void => {
    this.#fail(new UpstreamError('upstream-unreachable', 'The upstream cannot be reached.', cause));
  };

  #succeed(): void {
    this.#deadlines.remove(this);
    const waiter = this.#waiter;
    this.#waiter = undefined;
    this.#socket.off('error', this.#onError);
    if (waiter === undefined) return void this.#socket.destroy();
    try {
      waiter.onConnected(this.#target.adopt(this.#socket, this.#inlet));
    } catch (cause) {
      this.#socket.destroy();
      waiter.onDefect(cause);
    }
  }

  #fail(error: UpstreamError): void {
    const waiter = this.#waiter;
    this.cancel();
    waiter?.onConnectFailure(error);
  }
}
