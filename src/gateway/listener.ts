import { createServer as createTcpServer, type Server, Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions, Server as TlsServer } from 'node:tls';
import type { Counter, ListenerPlan, TlsPlan } from '../contract/index.ts';
import { InternalError } from '../errors.ts';
import { type IpAddress, networkKey, parseIpAddress } from '../lib/ip-address.ts';
import type { Inlet } from '../lib/read-buffer.ts';
import type { Certificates } from './certificates.ts';
import { ClientConnection, type ConnectionOwner } from './client-connection.ts';
import { Handshakes } from './handshakes.ts';
import type { DataPlaneServices } from './services.ts';
import type { Serving } from './serving.ts';

/** Pending connections the kernel keeps for us. */
const BACKLOG = 4096;
/** Node's own limit is only a net below ours, `headerTimeout`. */
const HANDSHAKE_MS = 120_000;

/** What makes a listening socket: two plans with the same key share one across revisions, whatever their certificates. */
export function listenerKey(plan: ListenerPlan): string {
  return `${plan.tls === undefined ? 'tcp' : 'tls'} ${plan.host} ${plan.port}`;
}

/** One listening socket of this worker and the connections that came through it. */
export class Listener implements ConnectionOwner {
  readonly key: string;
  readonly services: DataPlaneServices;
  readonly #server: Server | TlsServer;
  readonly #connections = new Set<ClientConnection>();
  readonly #perAddress = new Map<string, number>();
  readonly #handshakes: Handshakes;
  /** Connections that came between opening and the first `serve`: they wait instead of being dropped. */
  readonly #early: Socket[] = [];
  #serving: Serving | undefined = undefined;
  #certificates: Certificates | undefined = undefined;
  #plan: ListenerPlan;
  #refused: { readonly total: Counter; readonly address: Counter };
  /** The snapshot it keeps while it drains. */
  #held: Serving | undefined = undefined;
  draining = false;

  constructor(plan: ListenerPlan, services: DataPlaneServices) {
    this.key = listenerKey(plan);
    this.services = services;
    this.#handshakes = new Handshakes(services.deadlines);
    this.#plan = plan;
    this.#refused = this.#refusalCounters(plan);
    const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };
    const accept = (socket: Socket): void => this.#accept(socket);
    if (plan.tls === undefined)
      this.#server = createTcpServer({ ...options, allowHalfOpen: true, pauseOnConnect: true }, accept);
    else {
      // Not half-open: a client that ends its side within the handshake would otherwise stay until it times out.
      this.#server = createTlsServer({ ...options, ...this.#tlsOptions(plan.tls) }, accept);
      this.#server.on('connection', (raw: Socket) => this.#beginHandshake(raw));
      // A handshake that failed or took too long: Node only tells, and leaves the connection open.
      this.#server.on('tlsClientError', (_cause, socket) => socket.destroy());
    }
  }

  get serving(): Serving {
    if (this.#serving === undefined) throw new InternalError('a listener took a request before its snapshot');
    return this.#serving;
  }

  get plan(): ListenerPlan {
    return this.#plan;
  }

  get openConnections(): number {
    return this.#connections.size;
  }

  /** Starts listening; rejects with the system's error (`EADDRINUSE`, `EACCES`…). Nothing is accepted before `serve`. */
  open(): Promise<void> {
    const { host, port } = this.#plan;
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, backlog: BACKLOG, reusePort: true }, () => {
        this.#server.off('error', reject);
        this.#server.on('error', (cause) =>
          this.services.log.error('listener-failed', { cause: cause.message }),
        );
        resolve();
      });
    });
  }

  address(): { readonly listener: string; readonly host: string; readonly port: number } {
    const address = this.#server.address();
    const port = address !== null && typeof address === 'object' ? address.port : this.#plan.port;
    return { listener: this.#plan.name, host: this.#plan.host, port };
  }

  /** From now on requests are judged by this snapshot, and TLS clients are shown these certificates. */
  serve(serving: Serving, plan: ListenerPlan, certificates: Certificates | undefined): void {
    this.#serving = serving;
    this.#plan = plan;
    this.#certificates = certificates;
    // For clients that name no server.
    if (plan.tls !== undefined && this.#server instanceof TlsServer) {
      this.#server.setSecureContext(firstCertificate(plan.tls));
    }
    this.#refused = this.#refusalCounters(plan);
    for (const socket of this.#early.splice(0)) this.#accept(socket);
  }

  /**
   * Takes no more connections. Busy ones close when their answer is out; idle ones are given a moment, in which a
   * request that is already on its way is still answered and told to close.
   */
  drain(): void {
    this.draining = true;
    this.#server.close();
    for (const socket of this.#early.splice(0)) socket.destroy();
    this.#handshakes.cut();
    // A head that has come in half is still to be judged by it.
    if (this.#connections.size > 0) this.#held = this.#serving;
    this.#held?.hold();
    for (const connection of this.#connections) connection.closeSoon();
  }

  /** Cuts whatever is left. */
  cut(): void {
    for (const connection of this.#connections) connection.cut();
  }

  gone(connection: ClientConnection): void {
    if (!this.#connections.delete(connection)) return;
    this.services.deadlines.remove(connection);
    // Of a TLS connection, the one below it counts.
    if (connection.scheme === 'http') this.#uncount(connection.peer);
    if (this.#connections.size > 0) return;
    this.#held?.release();
    this.#held = undefined;
  }

  #accept(socket: Socket): void {
    socket.on('error', noop);
    const peer = parseIpAddress(socket.remoteAddress ?? '');
    // A peer without an address is already gone.
    if (peer === undefined || this.draining) return void socket.destroy();
    if (this.#serving === undefined) return void this.#early.push(socket);
    const isPlain = this.#plan.tls === undefined;
    if (isPlain && !this.#admits(socket, peer)) return;
    const connection = isPlain ? this.#plain(socket, peer) : this.#secure(socket, peer);
    this.#connections.add(connection);
    this.services.deadlines.add(connection);
  }

  /** A TLS client is counted from its first byte on, until the connection below TLS is closed. */
  #beginHandshake(raw: Socket): void {
    raw.on('error', noop);
    const peer = parseIpAddress(raw.remoteAddress ?? '');
    if (peer === undefined || this.draining) return void raw.destroy();
    if (!this.#admits(raw, peer)) return;
    this.#handshakes.begin(raw, this.#plan.limits.headerTimeoutMs);
    raw.once('close', () => this.#uncount(peer));
  }

  /** Counts a connection, or turns it away. */
  #admits(socket: Socket, peer: IpAddress): boolean {
    const { limits } = this.#plan;
    const key = networkKey(peer, 32, 64);
    const sameAddress = this.#perAddress.get(key) ?? 0;
    const isFull = this.#connections.size + this.#handshakes.size >= limits.connections;
    if (isFull || sameAddress >= limits.connectionsPerAddress) {
      (isFull ? this.#refused.total : this.#refused.address).add(1);
      socket.destroy();
      return false;
    }
    this.#perAddress.set(key, sameAddress + 1);
    return true;
  }

  #uncount(peer: IpAddress): void {
    const key = networkKey(peer, 32, 64);
    const left = (this.#perAddress.get(key) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(key);
    else this.#perAddress.set(key, left);
  }

  /** Certificates are asked for at each handshake, so that new ones need no new socket. */
  #tlsOptions(tls: TlsPlan): TlsOptions {
    const pick = (name: string) => this.#certificates?.pick(name);
    return {
      ...firstCertificate(tls),
      ALPNProtocols: ['http/1.1'],
      handshakeTimeout: HANDSHAKE_MS,
      SNICallback: (name, done) => done(null, pick(name)),
    };
  }

  #plain(accepted: Socket, peer: IpAddress): ClientConnection {
    const inlet = this.services.io.reads.inlet();
    const socket = readInto(accepted, inlet);
    if (socket !== undefined) return new ClientConnection(socket, inlet, this, peer, 'http');
    const connection = new ClientConnection(accepted, undefined, this, peer, 'http');
    accepted.resume();
    return connection;
  }

  #secure(socket: Socket, peer: IpAddress): ClientConnection {
    const below = this.#handshakes.finish(socket);
    return new ClientConnection(socket, undefined, this, peer, 'https', below);
  }

  #refusalCounters(plan: ListenerPlan): { readonly total: Counter; readonly address: Counter } {
    const counter = (reason: string): Counter =>
      this.services.meter.counter('sallyport_connections_refused_total', { listener: plan.name, reason });
    return { total: counter('connections'), address: counter('connections-per-address') };
  }
}

function firstCertificate(tls: TlsPlan): { cert: string; key: string; minVersion: 'TLSv1.2' } {
  const [{ cert, key }] = tls.certificates;
  return { cert, key, minVersion: 'TLSv1.2' };
}

/**
 * The accepted connection as a socket that reads into `inlet`. `net.Server` has no option for it, so the
 * connection's handle is given to a socket of our own, as Node's cluster does; undefined where there is none.
 */
function readInto(accepted: Socket, { onread }: Inlet): Socket | undefined {
  const handle: unknown = Reflect.get(accepted, '_handle');
  if (typeof handle !== 'object' || handle === null) return undefined;
  const options = { handle, onread, allowHalfOpen: true, readable: true, writable: true };
  const socket: unknown = Reflect.construct(Socket, [options]);
  return socket instanceof Socket ? socket : undefined;
}

function noop(): void {}
