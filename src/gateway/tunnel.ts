import type { Socket } from 'node:net';
import type { Deadlines, Waiting } from '../lib/deadlines.ts';
import type { ExchangeHost } from './host.ts';

/** What came from the upstream with its 101. */
export interface TunnelEnd {
  readonly socket: Socket;
  readonly early: Buffer | undefined;
}

/** Joins client and upstream byte for byte once both have switched protocols; ends both together. */
export function openTunnel(
  host: ExchangeHost,
  upstream: TunnelEnd,
  services: { readonly deadlines: Deadlines; now(): number },
  idleTimeoutMs: number,
  onClosed: () => void,
): void {
  const early = host.detach();
  const tunnel = new Tunnel(host.socket, upstream.socket, services, idleTimeoutMs, onClosed);
  if (upstream.early !== undefined) host.socket.write(upstream.early);
  if (early !== undefined) upstream.socket.write(early);
  tunnel.start();
}

class Tunnel implements Waiting {
  deadlineMs = 0;
  readonly #client: Socket;
  readonly #upstream: Socket;
  readonly #services: { readonly deadlines: Deadlines; now(): number };
  readonly #idleTimeoutMs: number;
  readonly #onClosed: () => void;
  #closed = false;

  constructor(
    client: Socket,
    upstream: Socket,
    services: { readonly deadlines: Deadlines; now(): number },
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
    this.#join(this.#client, this.#upstream);
    this.#join(this.#upstream, this.#client);
    this.#touch();
  }

  onDeadline(): void {
    this.#close();
  }

  #join(from: Socket, to: Socket): void {
    from.on('data', (bytes: Buffer) => {
      this.#touch();
      if (!to.write(bytes)) from.pause();
    });
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
