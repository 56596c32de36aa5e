import { createServer as createTcpServer, type Server, Socket } from 'node:net';
import { TLSSocket, type Server as TlsServer } from 'node:tls';
import type { ListenerPlan } from '../contract/index.ts';
import { InternalError } from '../errors.ts';
import { type IpAddress, parseIpAddress } from '../lib/ip-address.ts';
import type { Inlet } from '../lib/read-buffer.ts';
import { type Certificates, clientRules } from './certificates.ts';
import { ClientConnection, type ConnectedClient, type ConnectionOwner } from './client-connection.ts';
import { type ConnectionPlace, ConnectionPlaces } from './connection-places.ts';
import { type Carrier, Handshakes } from './handshakes.ts';
import { listenerKey } from './listener-key.ts';
import { ProxyHeaders, type ReadHeader } from './proxy-headers.ts';
import { type ConnectionRefusal, Refusals } from './refusals.ts';
import { createSecureServer, type SecureServerOwner, shownCertificate } from './secure-server.ts';
import type { DataPlaneServices } from './services.ts';
import type { Serving } from './serving.ts';
import { UnnamedHome } from './unnamed-home.ts';

/** Pending connections the kernel keeps for us. */
const BACKLOG = 4096;

/** An accepted socket that is read into `inlet`, or where there is none, by its events. */
interface Reader {
  readonly socket: Socket;
  readonly inlet: Inlet | undefined;
}

/** One listening socket of this worker and the connections that came through it. */
export class Listener implements ConnectionOwner, SecureServerOwner {
  readonly key: string;
  readonly services: DataPlaneServices;
  /** Listens. */
  readonly #server: Server;
  /** Makes TLS connections of those that come in; the same server where nothing comes before TLS. */
  readonly #secure: TlsServer | undefined;
  readonly #connections = new Set<ClientConnection>();
  readonly #places: ConnectionPlaces;
  readonly #handshakes: Handshakes;
  readonly #headers: ProxyHeaders;
  readonly #refusals: Refusals;
  /** Connections that came between opening and the first `serve`: they wait instead of being dropped. */
  readonly #early: Socket[] = [];
  #serving: Serving | undefined = undefined;
  #turnsAway = false;
  #certificates: Certificates | undefined;
  #plan: ListenerPlan;
  /** By what certificates of clients are judged now. */
  #rules: string;
  /** The snapshot it keeps while it drains. */
  #held: Serving | undefined = undefined;
  draining = false;

  /** `certificates`: of a listener that speaks TLS. */
  constructor(plan: ListenerPlan, services: DataPlaneServices, certificates: Certificates | undefined) {
    this.key = listenerKey(plan);
    this.services = services;
    this.#handshakes = new Handshakes(services.deadlines);
    this.#headers = new ProxyHeaders(services.deadlines);
    this.#refusals = new Refusals(services);
    this.#places = new ConnectionPlaces(plan.name, services.counts, services.evaluation.clock);
    this.#plan = plan;
    this.#rules = clientRules(plan.tls);
    this.#certificates = certificates;
    const options = { noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000 };
    // Not half-open: a client that ends its side within the handshake would otherwise stay until it times out.
    this.#secure =
      certificates === undefined
        ? undefined
        : createSecureServer(certificates, plan.tls?.clients, options, this);
    if (this.#secure === undefined || plan.proxyProtocol) {
      const allowHalfOpen = this.#secure === undefined;
      this.#server = createTcpServer({ ...options, allowHalfOpen, pauseOnConnect: true }, (socket) =>
        this.#accept(socket),
      );
    } else {
      this.#server = this.#secure;
      this.#server.on('connection', (raw: Socket) => this.#acceptSecure(raw));
    }
  }

  get serving(): Serving {
    if (this.#serving === undefined) throw new InternalError('a listener took a request before its snapshot');
    return this.#serving;
  }

  get plan(): ListenerPlan {
    return this.#plan;
  }

  /** It knows whose its connections are. */
  seenBy(plan: ListenerPlan): ListenerPlan {
    return plan;
  }

  get certificates(): Certificates | undefined {
    return this.#certificates;
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

  /** Until it serves, connections are closed at once: it may be long until then, and nobody is to wait for so long. */
  turnAway(): void {
    this.#turnsAway = true;
    for (const socket of this.#early.splice(0)) socket.destroy();
  }

  /** From now on requests are judged by this snapshot, and TLS clients are shown these certificates. */
  serve(serving: Serving, plan: ListenerPlan, certificates: Certificates | undefined): void {
    const rules = clientRules(plan.tls);
    const areOutdated = rules !== this.#rules;
    this.#serving = serving;
    this.#plan = plan;
    this.#certificates = certificates;
    this.#refusals.announce(plan.name);
    this.services.shedder.announce(plan.name);
    // For clients that name no server.
    if (certificates !== undefined) this.#secure?.setSecureContext(certificates.first);
    this.#rules = rules;
    // What was proved was proved to other authorities and lists than are in force now.
    if (areOutdated) for (const connection of this.#connections) connection.outdate();
    for (const socket of this.#early.splice(0)) this.#arrive(socket);
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
    this.#headers.cut();
    // A head that has come in half is still to be judged by it.
    if (this.#connections.size > 0) this.#held = this.#serving;
    this.#held?.hold();
    for (const connection of this.#connections) connection.closeSoon();
  }

  cutIf(isBanned: (address: IpAddress) => boolean): void {
    for (const connection of this.#connections) connection.cutIf(isBanned);
  }

  /** Cuts whatever is left. */
  cut(): void {
    for (const connection of this.#connections) connection.cut();
  }

  gone(connection: ClientConnection): void {
    if (!this.#connections.delete(connection)) return;
    this.services.deadlines.remove(connection);
    if (this.#connections.size > 0) return;
    this.#held?.release();
    this.#held = undefined;
  }

  onHandshake(socket: TLSSocket): void {
    socket.on('error', noop);
    if (this.draining) return void socket.destroy();
    if (this.#serving === undefined) return this.#wait(socket);
    this.#secured(socket);
  }

  onWrongCertificate(cause: string): void {
    this.#refusals.count(this.#plan.name, 'client-certificate', cause);
  }

  #accept(socket: Socket): void {
    socket.on('error', noop);
    const peer = parseIpAddress(socket.remoteAddress ?? '');
    // A peer without an address is already gone.
    if (peer === undefined || this.draining) return void socket.destroy();
    if (this.#serving === undefined) return this.#wait(socket);
    if (this.#plan.proxyProtocol) return this.#awaitHeader(socket, peer);
    const place = this.#enter(socket);
    if (place === undefined || !this.#admits(place, socket, peer)) return;
    const reader = this.#reader(socket);
    leaveWith(reader.socket, place);
    this.#begin(reader, peer, this);
  }

  #acceptSecure(raw: Socket): void {
    raw.on('error', noop);
    const peer = parseIpAddress(raw.remoteAddress ?? '');
    if (peer === undefined || this.draining) return void raw.destroy();
    const place = this.#enter(raw);
    if (place === undefined || !this.#admits(place, raw, peer)) return;
    leaveWith(raw, place);
    this.#beginHandshake({ below: raw, peer, isNamed: true, rules: this.#rules });
  }

  #wait(socket: Socket): void {
    if (this.#turnsAway) socket.destroy();
    else this.#early.push(socket);
  }

  /** One that came early. */
  #arrive(socket: Socket): void {
    if (socket instanceof TLSSocket) this.onHandshake(socket);
    else this.#accept(socket);
  }

  // Before the first byte of HTTP or TLS.

  /** Only a proxy that is trusted may say whose a connection is: what anybody else sends is not even read. */
  #awaitHeader(accepted: Socket, proxy: IpAddress): void {
    if (!this.#plan.trusts(proxy)) {
      this.#refusals.count(this.#plan.name, 'proxy-untrusted', 'peer', proxy.text);
      return void accepted.destroy();
    }
    const place = this.#enter(accepted);
    if (place === undefined) return;
    const reader =
      this.#secure === undefined ? this.#reader(accepted) : { socket: accepted, inlet: undefined };
    const { socket, inlet } = reader;
    socket.on('error', noop);
    leaveWith(socket, place);
    const receiver = this.#headers.await(socket, this.#plan.limits.headerTimeoutMs, {
      onHeader: (header) => {
        if (inlet === undefined) socket.off('data', onData).pause();
        this.#named(reader, place, proxy, header);
      },
      onNoHeader: (cause) => {
        // Now, and not when the system has closed it: whoever sees it closed may come next.
        place.leave();
        if (cause !== 'ended') this.#refusals.count(this.#plan.name, 'proxy-header', cause);
      },
    });
    const onData = (bytes: Buffer): void => receiver.receive(bytes);
    if (inlet !== undefined) inlet.receiver = receiver;
    else socket.on('data', onData).resume();
  }

  /** It is known whose connection it is, or that the proxy does not know. */
  #named(reader: Reader, place: ConnectionPlace, proxy: IpAddress, { source, rest }: ReadHeader): void {
    const peer = source ?? proxy;
    const isNamed = source !== undefined;
    const { socket } = reader;
    if (!this.#admits(place, socket, peer)) return;
    if (this.#secure === undefined) {
      const connection = this.#begin(reader, peer, isNamed ? this : new UnnamedHome(this));
      if (rest.length > 0) connection.receive(rest);
      return;
    }
    if (rest.length > 0) socket.unshift(rest);
    const carrier = { below: socket, peer, isNamed, rules: this.#rules };
    this.#beginHandshake(carrier);
    this.#secure.emit('connection', socket);
  }

  /** A TLS client is counted from its first byte on, until the connection below TLS is closed. */
  #beginHandshake(carrier: Carrier): void {
    this.#handshakes.begin(carrier, this.#plan.limits.headerTimeoutMs);
  }

  /** Counts a connection, whosever it is, or turns it away. */
  #enter(socket: Socket): ConnectionPlace | undefined {
    const place = this.#places.enter(this.#plan.limits);
    if (typeof place !== 'string') return place;
    this.#turnAway(socket, place);
    return undefined;
  }

  /** Counts a connection by whose it is, or turns it away. */
  #admits(place: ConnectionPlace, socket: Socket, peer: IpAddress): boolean {
    const refusal = this.#places.name(place, peer, this.#plan);
    if (refusal === undefined) return true;
    place.leave();
    this.#turnAway(socket, refusal);
    return false;
  }

  #turnAway(socket: Socket, reason: ConnectionRefusal, cause?: string): void {
    this.#refusals.count(this.#plan.name, reason, cause);
    socket.destroy();
  }

  // Connections.

  #reader(accepted: Socket): Reader {
    const inlet = this.services.io.reads.inlet();
    const socket = readInto(accepted, inlet);
    return socket === undefined ? { socket: accepted, inlet: undefined } : { socket, inlet };
  }

  #begin({ socket, inlet }: Reader, peer: IpAddress, home: ConnectionOwner): ClientConnection {
    const connection = this.#connect(socket, inlet, home, { peer, scheme: 'http' });
    if (inlet === undefined) socket.resume();
    return connection;
  }

  #secured(socket: TLSSocket): void {
    const carrier = this.#handshakes.finish(socket);
    // What carried it is gone.
    if (carrier === undefined) return void socket.destroy();
    const shown = shownCertificate(socket, this.#plan.tls?.clients);
    if ('fault' in shown) return this.#turnAway(socket, 'client-certificate', shown.fault);
    const { below, peer, isNamed, rules } = carrier;
    const { certificate } = shown;
    const home = isNamed ? this : new UnnamedHome(this);
    const client = { peer, scheme: 'https', certificate, below } as const;
    const connection = this.#connect(socket, undefined, home, client);
    if (rules !== this.#rules) connection.outdate();
  }

  #connect(
    socket: Socket,
    inlet: Inlet | undefined,
    home: ConnectionOwner,
    client: ConnectedClient,
  ): ClientConnection {
    const connection = new ClientConnection(socket, inlet, home, client);
    this.#connections.add(connection);
    this.services.deadlines.add(connection);
    return connection;
  }
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

/** Of a TLS connection, the one below it counts: from its first byte to its end. */
function leaveWith(socket: Socket, place: ConnectionPlace): void {
  socket.once('close', () => place.leave());
}

function noop(): void {}
