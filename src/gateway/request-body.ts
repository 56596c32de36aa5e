import { RequestError } from '../errors.ts';
import { ChunkedDecoder, type RequestHead, refusal } from '../http1/index.ts';

/** Where the pieces of a request body go. */
export interface BodySink {
  bodyPiece(bytes: Buffer, from: number, to: number): void;
}

const TOO_LARGE = new RequestError(
  'payload-too-large',
  'body-too-large',
  'The request body is larger than allowed.',
);

/** Reads one request body by its framing and holds it to its limit; what is behind it is not touched. */
export class RequestBody {
  readonly #maxBytes: number;
  readonly #decoder: ChunkedDecoder | undefined;
  #remaining: number;
  /** Body bytes so far. */
  received = 0;
  error: RequestError | undefined = undefined;

  constructor(head: RequestHead, maxBytes: number, maxTrailers: number) {
    this.#maxBytes = maxBytes;
    this.#decoder = head.chunked ? new ChunkedDecoder(maxTrailers) : undefined;
    this.#remaining = Math.max(head.contentLength, 0);
    if (head.contentLength > maxBytes) this.error = TOO_LARGE;
  }

  get done(): boolean {
    return this.#decoder === undefined ? this.#remaining === 0 : this.#decoder.done;
  }

  /** Trailer fields that may travel, flat; known once done. */
  get trailers(): readonly string[] {
    return this.#decoder?.trailers ?? [];
  }

  /** Bytes a length says are still to come; undefined when chunked. */
  get remaining(): number | undefined {
    return this.#decoder === undefined ? this.#remaining : undefined;
  }

  /** Consumes from `bytes[from…]`; returns the offset behind what belongs to this body. Check `error` after. */
  take(bytes: Buffer, from: number, sink: BodySink): number {
    if (this.error !== undefined) return bytes.length;
    return this.#decoder === undefined
      ? this.#takeLength(bytes, from, sink)
      : this.#takeChunks(this.#decoder, bytes, from, sink);
  }

  #takeLength(bytes: Buffer, from: number, sink: BodySink): number {
    const to = Math.min(bytes.length, from + this.#remaining);
    this.#remaining -= to - from;
    this.received += to - from;
    if (to > from) sink.bodyPiece(bytes, from, to);
    return to;
  }

  #takeChunks(decoder: ChunkedDecoder, bytes: Buffer, from: number, sink: BodySink): number {
    const end = decoder.decode(bytes, from);
    this.received = decoder.total;
    if (decoder.fault !== undefined) this.error = refusal(decoder.fault);
    else if (decoder.total > this.#maxBytes) this.error = TOO_LARGE;
    if (this.error !== undefined) return bytes.length;
    const { pieces } = decoder;
    for (let i = 0; i < pieces.length; i += 2) sink.bodyPiece(bytes, pieces[i], pieces[i + 1]);
    return end;
  }
}
