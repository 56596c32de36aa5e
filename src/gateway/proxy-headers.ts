import type { Socket } from 'node:net';
import type { Deadlines, Waiting } from '../lib/deadlines.ts';
import { type ProxyFault, type ProxyHeader, readProxyHeader } from '../lib/proxy-protocol.ts';
import type { Receiver } from '../lib/read-buffer.ts';

/** What a header says, and the bytes that came behind it; they are only valid during the call. */
export interface ReadHeader {
  readonly source: Extract<ProxyHeader, { kind: 'header' }>['source'];
  readonly rest: Buffer;
}

export interface HeaderOwner {
  onHeader(header: ReadHeader): void;
  /** The connection is closed already. */
  onNoHeader(cause: ProxyFault | 'late' | 'ended'): void;
}

/** A connection whose first bytes are still to say whose it is. It takes what the socket reads. */
class AwaitedHeader implements Waiting, Receiver {
  readonly socket: Socket;
  deadlineMs: number;
  readonly #owner: HeaderOwner;
  readonly #onOver: (awaited: AwaitedHeader) => void;
  #bytes: Buffer | undefined = undefined;
  #isOver = false;

  constructor(
    socket: Socket,
    deadlineMs: number,
    owner: HeaderOwner,
    onOver: (awaited: AwaitedHeader) => void,
  ) {
    this.socket = socket;
    this.deadlineMs = deadlineMs;
    this.#owner = owner;
    this.#onOver = onOver;
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onEnd);
  }

  receive(bytes: Buffer): void {
    if (this.#isOver) return;
    const all = this.#bytes === undefined ? bytes : Buffer.concat([this.#bytes, bytes]);
    const header = readProxyHeader(all);
    // The bytes are the shared read buffer's.
    if (header.kind === 'more') this.#bytes = Buffer.from(all);
    else if (header.kind === 'fault') this.#fail(header.fault);
    else {
      this.#finish();
      this.#owner.onHeader({ source: header.source, rest: all.subarray(header.end) });
    }
  }

  onDeadline(): void {
    this.#fail('late');
  }

  readonly #onEnd = (): void => this.#fail('ended');

  #fail(cause: ProxyFault | 'late' | 'ended'): void {
    if (this.#isOver) return;
    this.#finish();
    this.socket.destroy();
    this.#owner.onNoHeader(cause);
  }

  #finish(): void {
    this.#isOver = true;
    this.socket.off('end', this.#onEnd);
    this.socket.off('close', this.#onEnd);
    this.#onOver(this);
  }
}

/** The PROXY headers a listener waits for: bounded in time, and counted, or they would be free. */
export class ProxyHeaders {
  readonly #deadlines: Deadlines;
  readonly #awaited = new Set<AwaitedHeader>();

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  /** What the socket reads is to be given to the receiver that is returned. */
  await(socket: Socket, timeoutMs: number, owner: HeaderOwner): Receiver {
    const awaited = new AwaitedHeader(socket, this.#deadlines.after(timeoutMs), owner, (over) => {
      this.#awaited.delete(over);
      this.#deadlines.remove(over);
    });
    this.#awaited.add(awaited);
    this.#deadlines.add(awaited);
    return awaited;
  }

  cut(): void {
    for (const { socket } of this.#awaited) socket.destroy();
  }
}
