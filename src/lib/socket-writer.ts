import type { Socket } from 'node:net';
import type { WriteBatch } from './write-batch.ts';

/** Pieces up to this size join the text around them in one write: a copy is cheaper than a system call. */
const JOIN_BYTES = 8 * 1024;
/** Text gathered beyond this is written at once: libuv copies up to 16 kB of text without allocating. */
const FLUSH_CHARS = 16 * 1024;

/**
 * Gathers what belongs to one turn of the event loop and writes it with as few system calls as the sizes allow.
 * Text is latin1. Nothing leaves before a flush, so the last call of a turn must be `flush` or `flushSoon`.
 */
export class SocketWriter {
  readonly #socket: Socket;
  readonly #batch: WriteBatch;
  #text = '';
  #waits = false;
  /** Bytes handed over since the start. */
  written = 0;

  constructor(socket: Socket, batch: WriteBatch) {
    this.#socket = socket;
    this.#batch = batch;
  }

  text(latin1: string): void {
    this.written += latin1.length;
    this.#text += latin1;
    if (this.#text.length > FLUSH_CHARS) this.flush();
  }

  /** `bytes[from, to)`, which may be a shared read buffer: they are copied before this returns. */
  bytes(bytes: Buffer, from: number, to: number): void {
    if (to - from <= JOIN_BYTES) {
      this.text(bytes.toString('latin1', from, to));
      return;
    }
    this.flush();
    this.written += to - from;
    this.#socket.write(Buffer.from(bytes.subarray(from, to)));
  }

  /** Writes now: before the socket is closed, or where somebody waits for the system to take it. */
  flush(): void {
    const text = this.#text;
    if (text === '') return;
    this.#text = '';
    // Cut since it was gathered.
    if (this.#socket.destroyed) return;
    this.#socket.write(text, 'latin1');
  }

  /** Writes together with the other sockets of this turn of the event loop, at its end at the latest. */
  flushSoon(): void {
    if (this.#waits || this.#text === '') return;
    this.#waits = true;
    this.#batch.add(this);
  }

  /** For the batch: its turn has come. */
  flushFromBatch(): void {
    this.#waits = false;
    this.flush();
  }

  /** Whether the other side is slower than we are: stop reading the source until 'drain'. */
  get congested(): boolean {
    return this.#socket.writableNeedDrain;
  }
}
