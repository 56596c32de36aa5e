import type { Socket } from 'node:net';
import type { Deadlines, Waiting } from '../lib/deadlines.ts';
import type { UpstreamConnection } from '../upstream/index.ts';
import type { ExchangeHost } from './host.ts';

/** What a tunnel needs of the data plane. */
interface TunnelServices {
  readonly deadlines: Deadlines;
  now(): number;
}

/** Joins client and upstream byte for byte once both have switched protocols; ends both together. */
export function openTunnel(
  host: ExchangeHost,
  upstream: UpstreamConnection,
  services: TunnelServices,
  idleTimeoutMs: number,
  onClosed: () => void,
): void {
  const tunnel = new Tunnel(host.socket, upstream.socket, services, idleTimeoutMs, onClosed);
  const fromClient = host.detach({ receive: (bytes) => tunnel.fromClient(bytes) });
  const fromUpstream = upstream.detach({ receive: (bytes) => tunnel.fromUpstream(bytes) });
  tunnel.start();
  if (fromUpstream !== undefined) host.socket.write(fromUpstream);
  if (fromClient !== undefined) upstream.socket.write(fromClient);
}

class Tunnel implements Waiting {
  deadlineMs = 0;
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #services: TunnelServices;
  readonly #idleTimeoutMs: number;
  readonly #onClosed: () => void;
  #closed = false;

  constructor(
    client: Socket,
    upstream: Socket,
    services: TunnelServices,
    idleTimeoutMs: number,
    onClosed: () => void,
  ) {
    this.#client = client;
    this.#upstream = upstream;
    this.#services = services;
    this.#idleTimeoutMs = idleTimeoutMs;
    this.#onClosed = onClosed;
  }

  start(): void {
    this.#services.deadlines.add(this);
    this.#touch();
    this.#join(this.#client, this.#upstream);
    this.#join(this.#upstream, this.#client);
  }

  fromClient(bytes: Buffer): void {
    this.#pass(bytes, this.#client, this.#upstream);
  }

  fromUpstream(bytes: Buffer): void {
    this.#pass(bytes, this.#upstream, this.#client);
  }

  onDeadline(): void {
    this.#close();
  }

  /** The bytes are the shared read buffer's: the other side may take them later, so they are copied. */
  #pass(bytes: Buffer, from: Socket, to: Socket): void {
    this.#touch();
    if (!to.write(Buffer.from(bytes))) from.pause();
  }

  #join(from: Socket, to: Socket): void {
    to.on('drain', () => from.resume());
    from.on('end', () => to.end());
    from.on('error', () => this.#close());
    from.on('close', () => this.#close());
    from.resume();
  }

  #touch(): void {
    this.deadlineMs = this.#services.now() + this.#idleTimeoutMs;
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#services.deadlines.remove(this);
    this.#client.destroy();
    this.#upstream.destroy();
    this.#onClosed();
  }
}
