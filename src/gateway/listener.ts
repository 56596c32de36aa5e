import { createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createSecureContext, createServer as createTlsServer } from 'node:tls';
import type { Counter, ListenerPlan, TlsPlan } from '../contract/index.ts';
import { InternalError } from '../errors.ts';
import { networkKey, parseIpAddress } from '../lib/ip-address.ts';
import { ClientConnection, type ConnectionOwner } from './client-connection.ts';
import type { DataPlaneServices } from './services.ts';
import type { Serving } from './serving.ts';

/** Pending connections the kernel keeps for us. */
const BACKLOG = 4096;

/** What makes a listening socket: two plans with the same key share one across revisions. */
export function listenerKey(plan: ListenerPlan): string {
  return JSON.stringify([plan.host, plan.port, plan.tls ?? null]);
}

/** One listening socket of this worker and the connections that came through it. */
export class Listener implements ConnectionOwner {
  readonly key: string;
  readonly services: DataPlaneServices;
  readonly #server: Server;
  readonly #connections = new Set<ClientConnection>();
  readonly #perAddress = new Map<string, number>();
  #serving: Serving | undefined = undefined;
  #plan: ListenerPlan;
  #refused: { readonly total: Counter; readonly address: Counter };
  draining = false;

  constructor(plan: ListenerPlan, services: DataPlaneServices) {
    this.key = listenerKey(plan);
    this.services = services;
    this.#plan = plan;
    this.#refused = this.#refusalCounters(plan);
    const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000, allowHalfOpen: true };
    const accept = (socket: Socket): void => this.#accept(socket);
    this.#server =
      plan.tls === undefined
        ? createTcpServer(options, accept)
        : createTlsServer({ ...options, ...tlsOptions(plan.tls) }, accept);
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

  /** From now on requests are judged by this snapshot. */
  serve(serving: Serving, plan: ListenerPlan): void {
    this.#serving = serving;
    this.#plan = plan;
    this.#refused = this.#refusalCounters(plan);
  }

  /** Takes no more connections; idle ones close now, busy ones when their answer is out. */
  drain(): void {
    this.draining = true;
    this.#server.close();
    for (const connection of this.#connections) if (connection.idle) connection.closeGently();
  }

  /** Cuts whatever is left. */
  cut(): void {
    for (const connection of this.#connections) connection.cut();
  }

  gone(connection: ClientConnection): void {
    if (!this.#connections.delete(connection)) return;
    this.services.deadlines.remove(connection);
    const key = networkKey(connection.peer, 32, 64);
    const left = (this.#perAddress.get(key) ?? 1) - 1;
    if (left === 0) this.#perAddress.delete(key);
    else this.#perAddress.set(key, left);
  }

  #accept(socket: Socket): void {
    socket.on('error', noop);
    const peer = parseIpAddress(socket.remoteAddress ?? '');
    // A peer without an address is already gone.
    if (peer === undefined || this.#serving === undefined || this.draining) return void socket.destroy();
    const { limits, tls } = this.#plan;
    const key = networkKey(peer, 32, 64);
    const sameAddress = this.#perAddress.get(key) ?? 0;
    if (this.#connections.size >= limits.connections) return this.#turnAway(socket, this.#refused.total);
    if (sameAddress >= limits.connectionsPerAddress) return this.#turnAway(socket, this.#refused.address);
    this.#perAddress.set(key, sameAddress + 1);
    const connection = new ClientConnection(socket, this, peer, tls === undefined ? 'http' : 'https');
    this.#connections.add(connection);
    this.services.deadlines.add(connection);
  }

  #turnAway(socket: Socket, counter: Counter): void {
    counter.add(1);
    socket.destroy();
  }

  #refusalCounters(plan: ListenerPlan): { readonly total: Counter; readonly address: Counter } {
    const counter = (reason: string): Counter =>
      this.services.meter.counter('sallyport_connections_refused_total', { listener: plan.name, reason });
    return { total: counter('connections'), address: counter('connections-per-address') };
  }
}

function tlsOptions(tls: TlsPlan): {
  secureContext: ReturnType<typeof createSecureContext>;
  ALPNProtocols: string[];
  handshakeTimeout: number;
} {
  const [first] = tls.certificates;
  const secureContext = createSecureContext({ cert: first.cert, key: first.key, minVersion: 'TLSv1.2' });
  return { secureContext, ALPNProtocols: ['http/1.1'], handshakeTimeout: 10_000 };
}

function noop(): void {}
