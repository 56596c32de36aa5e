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
  /** By the addresses and ports of both ends, all that the sockets below and above TLS have in common. */
  readonly #open = new Map<string, Handshake>();

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  get size(): number {
    return this.#open.size;
  }

  begin(carrier: Carrier, timeoutMs: number): void {
    const { below } = carrier;
    const ends = endsOf(below);
    const handshake = new Handshake(carrier, this.#deadlines.after(timeoutMs));
    this.#open.set(ends, handshake);
    this.#deadlines.add(handshake);
    below.once('close', () => {
      if (this.#open.get(ends) === handshake) this.#end(ends, handshake);
    });
  }

  /** The handshake of this TLS socket is over: what carries it; undefined where that is gone already. */
  finish(above: Socket): Carrier | undefined {
    const ends = endsOf(above);
    const handshake = this.#open.get(ends);
    if (handshake !== undefined) this.#end(ends, handshake);
    return handshake?.carrier;
  }

  cut(): void {
    for (const { carrier } of this.#open.values()) carrier.below.destroy();
  }

  #end(ends: string, handshake: Handshake): void {
    this.#open.delete(ends);
    this.#deadlines.remove(handshake);
  }
}

/** Both ends: to another of our addresses a client may come from the same port. */
const endsOf = ({ remoteAddress, remotePort, localAddress, localPort }: Socket): string =>
  `${remoteAddress} ${remotePort} ${localAddress} ${localPort}`;
