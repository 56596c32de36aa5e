import { CR, HEX_VALUE, LF, QUOTED_TEXT, TOKEN } from './characters.ts';
import { FieldKind, fieldKind } from './field-kinds.ts';
import { parseFields, type SyntaxFault } from './fields.ts';

/** Sizes above this are refused: 2^48 bytes never arrive, and larger numbers lose precision. */
const MAX_SIZE_DIGITS = 12;
/** Bytes of extensions per message; they are dropped at this hop and only serve to hide things. */
const MAX_EXTENSION_BYTES = 1024;
const MAX_TRAILER_BYTES = 8192;

const FRAMING: ReadonlySet<FieldKind> = new Set([
  FieldKind.CONTENT_LENGTH,
  FieldKind.TRANSFER_ENCODING,
  FieldKind.HOST,
]);

type State = 'size' | 'extension' | 'size-lf' | 'data' | 'data-cr' | 'data-lf' | 'trailer' | 'done';

/** Where a chunk extension's grammar stands: `;name`, `=`, token or quoted value. */
type ExtensionState =
  | 'name-start'
  | 'name'
  | 'value-start'
  | 'value'
  | 'quoted'
  | 'quoted-pair'
  | 'quoted-end';

/**
 * Decoder of the chunked transfer coding (RFC 9112 §7.1), fed with whatever arrives. Strict: hex digits, CRLF,
 * well-formed extensions; anything else is a fault, after which the message must not be trusted.
 */
export class ChunkedDecoder {
  /** Body bytes of the last `decode`, as pairs of offsets (from, to) into its input. */
  readonly pieces: number[] = [];
  /** Trailer fields, flat; complete once `done`. Fields that may not be trailers are left out (RFC 9110 §6.5.1). */
  readonly trailers: string[] = [];
  fault: SyntaxFault | undefined = undefined;
  /** Body bytes decoded in all. */
  total = 0;
  readonly #maxTrailers: number;
  #state: State = 'size';
  #extension: ExtensionState = 'name-start';
  #extensionBytes = 0;
  #size = 0;
  #digits = 0;
  #trailerBytes: number[] = [];

  constructor(maxTrailers: number) {
    this.#maxTrailers = maxTrailers;
  }

  get done(): boolean {
    return this.#state === 'done';
  }

  /** Consumes `bytes` from `start`; returns the offset behind what belongs to this message. */
  decode(bytes: Uint8Array, start: number): number {
    this.pieces.length = 0;
    let i = start;
    while (i < bytes.length && this.#state !== 'done' && this.fault === undefined) {
      if (this.#state === 'data') i = this.#takeData(bytes, i);
      else {
        this.fault = this.#takeByte(bytes[i]);
        i++;
      }
    }
    return i;
  }

  #takeData(bytes: Uint8Array, from: number): number {
    const to = Math.min(bytes.length, from + this.#size);
    this.pieces.push(from, to);
    this.#size -= to - from;
    this.total += to - from;
    if (this.#size === 0) this.#state = 'data-cr';
    return to;
  }

  #takeByte(byte: number): SyntaxFault | undefined {
    switch (this.#state) {
      case 'size':
        return this.#takeSize(byte);
      case 'extension':
        return this.#takeExtension(byte);
      case 'size-lf':
        if (byte !== LF) return 'chunk-size';
        this.#state = this.#size === 0 ? 'trailer' : 'data';
        return undefined;
      case 'data-cr':
        this.#state = 'data-lf';
        return byte === CR ? undefined : 'chunk-end';
      case 'data-lf':
        this.#state = 'size';
        this.#digits = 0;
        return byte === LF ? undefined : 'chunk-end';
      default:
        return this.#takeTrailer(byte);
    }
  }

  #takeSize(byte: number): SyntaxFault | undefined {
    const digit = HEX_VALUE[byte];
    if (digit !== 255) {
      this.#size = this.#digits === 0 ? digit : this.#size * 16 + digit;
      return ++this.#digits > MAX_SIZE_DIGITS ? 'chunk-size' : undefined;
    }
    if (this.#digits === 0) return 'chunk-size';
    if (byte === CR) this.#state = 'size-lf';
    else if (byte === 0x3b) {
      this.#state = 'extension';
      this.#extension = 'name-start';
    } else return 'chunk-size';
    return undefined;
  }

  #takeExtension(byte: number): SyntaxFault | undefined {
    if (++this.#extensionBytes > MAX_EXTENSION_BYTES) return 'chunk-extension';
    const next = nextExtensionState(this.#extension, byte);
    if (next === undefined) return 'chunk-extension';
    if (next === 'end') this.#state = 'size-lf';
    else this.#extension = next;
    return undefined;
  }

  #takeTrailer(byte: number): SyntaxFault | undefined {
    const bytes = this.#trailerBytes;
    if (bytes.push(byte) > MAX_TRAILER_BYTES) return 'trailer';
    if (byte !== LF) return undefined;
    const n = bytes.length;
    if (bytes[n - 2] !== CR) return 'bare-lf';
    if (n !== 2 && !(bytes[n - 3] === LF && bytes[n - 4] === CR)) return undefined;
    this.#state = 'done';
    return n === 2 ? undefined : this.#parseTrailers(Buffer.from(bytes));
  }

  #parseTrailers(bytes: Buffer): SyntaxFault | undefined {
    const fields: string[] = [];
    const end = parseFields(bytes, bytes.toString('latin1'), 0, 0, this.#maxTrailers, { flat: fields });
    if (typeof end === 'string') return end;
    for (let i = 0; i < fields.length; i += 2) {
      const kind = fieldKind(fields[i]);
      // Framing told after the body it frames: whoever believes it reads another message than we did.
      if (FRAMING.has(kind)) return 'trailer';
      if (kind === FieldKind.OTHER) this.trailers.push(fields[i], fields[i + 1]);
    }
    return undefined;
  }
}

/** chunk-ext without bad whitespace: `;name`, `;name=token`, `;name="quoted"`; 'end' at CR, undefined when malformed. */
function nextExtensionState(state: ExtensionState, byte: number): ExtensionState | 'end' | undefined {
  switch (state) {
    case 'name-start':
      return TOKEN[byte] === 1 ? 'name' : undefined;
    case 'name':
      if (TOKEN[byte] === 1) return 'name';
      return byte === 0x3d ? 'value-start' : afterExtension(byte);
    case 'value-start':
      if (byte === 0x22) return 'quoted';
      return TOKEN[byte] === 1 ? 'value' : undefined;
    case 'value':
      return TOKEN[byte] === 1 ? 'value' : afterExtension(byte);
    case 'quoted':
      if (byte === 0x22) return 'quoted-end';
      if (byte === 0x5c) return 'quoted-pair';
      return QUOTED_TEXT[byte] === 1 ? 'quoted' : undefined;
    case 'quoted-pair':
      return byte >= 0x20 && byte < 0x7f ? 'quoted' : undefined;
    case 'quoted-end':
      return afterExtension(byte);
  }
}

function afterExtension(byte: number): ExtensionState | 'end' | undefined {
  if (byte === 0x3b) return 'name-start';
  return byte === CR ? 'end' : undefined;
}

/** The line before a chunk of `size` bytes. */
export function chunkLine(size: number): string {
  return `${size.toString(16)}\r\n`;
}

/** The last chunk with its trailers, to the end of the message. */
export function lastChunk(trailers: readonly string[]): string {
  let text = '0\r\n';
  for (let i = 0; i < trailers.length; i += 2) text += `${trailers[i]}: ${trailers[i + 1]}\r\n`;
  return `${text}\r\n`;
}
