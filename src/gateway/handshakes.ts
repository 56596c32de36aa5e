import type { Socket } from 'node:net';
import type { Deadlines, Waiting } from '../lib/deadlines.ts';
import type { IpAddress } from '../lib/ip-address.ts';

/** Whose connection carries TLS. */
export interface Carrier {
  readonly below: Socket;
  /** The client, as the connection or the proxy before it told. */
  readonly peer: IpAddress;
  /** Whether it is known whose the connection is; else `peer` is the proxy. */
  readonly isNamed: boolean;
  /** By what certificates are judged, as it was when the handshake began. */
  readonly rules: string;
}

/** One TLS handshake under way, on the connection that will carry TLS. */
class Handshake implements Waiting {
  readonly carrier: Carrier;
  deadlineMs: number;

  constructor(carrier: Carrier, deadlineMs: number) {
    this.carrier = carrier;
    this.deadlineMs = deadlineMs;
  }

  onDeadline(): void {
    this.carrier.below.destroy();
  }
}

/** The TLS handshakes of a listener that are not over: bounded in time, and counted, or they would be free. */
export class Handshakes {
  readonly #deadlines: Deadlines;
  /** By address and port of the other end, the one thing that the sockets below and above TLS have in common. */
  readonly #open = new Map<string, Handshake>();

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  get size(): number {
    return this.#open.size;
  }

  begin(carrier: Carrier, timeoutMs: number): void {
    const { below } = carrier;
    const endpoint = endpointOf(below);
    const handshake = new Handshake(carrier, this.#deadlines.after(timeoutMs));
    this.#open.set(endpoint, handshake);
    this.#deadlines.add(handshake);
    below.once('close', () => {
      if (this.#open.get(endpoint) === handshake) this.#end(endpoint, handshake);
    });
  }

  /** The handshake of this TLS socket is over: what carries it; undefined where that is gone already. */
  finish(above: Socket): Carrier | undefined {
    const endpoint = endpointOf(above);
    const handshake = this.#open.get(endpoint);
    if (handshake !== undefined) this.#end(endpoint, handshake);
    return handshake?.carrier;
  }

  cut(): void {
    for (const { carrier } of this.#open.values()) carrier.below.destroy();
  }

  #end(endpoint: string, handshake: Handshake): void {
    this.#open.delete(endpoint);
    this.#deadlines.remove(handshake);
  }
}

const endpointOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
