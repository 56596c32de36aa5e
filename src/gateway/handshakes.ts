import type { Socket } from 'node:net';
import type { Deadlines, Waiting } from '../lib/deadlines.ts';

/** One TLS handshake under way, on the connection that will carry TLS. */
class Handshake implements Waiting {
  readonly below: Socket;
  deadlineMs: number;

  constructor(below: Socket, deadlineMs: number) {
    this.below = below;
    this.deadlineMs = deadlineMs;
  }

  onDeadline(): void {
    this.below.destroy();
  }
}

/** The TLS handshakes of a listener that are not over: bounded in time, and counted, or they would be free. */
export class Handshakes {
  readonly #deadlines: Deadlines;
  /** By address and port of the client, the one thing that the sockets below and above TLS have in common. */
  readonly #open = new Map<string, Handshake>();

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  get size(): number {
    return this.#open.size;
  }

  begin(below: Socket, timeoutMs: number): void {
    const endpoint = endpointOf(below);
    const handshake = new Handshake(below, this.#deadlines.after(timeoutMs));
    this.#open.set(endpoint, handshake);
    this.#deadlines.add(handshake);
    below.once('close', () => {
      if (this.#open.get(endpoint) === handshake) this.#end(endpoint, handshake);
    });
  }

  /** The handshake of this TLS socket is over: the connection below it. */
  finish(above: Socket): Socket | undefined {
    const endpoint = endpointOf(above);
    const handshake = this.#open.get(endpoint);
    if (handshake !== undefined) this.#end(endpoint, handshake);
    return handshake?.below;
  }

  cut(): void {
    for (const { below } of this.#open.values()) below.destroy();
  }

  #end(endpoint: string, handshake: Handshake): void {
    this.#open.delete(endpoint);
    this.#deadlines.remove(handshake);
  }
}

const endpointOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
