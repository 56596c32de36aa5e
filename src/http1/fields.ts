import { COLON, CR, FIELD_VALUE, HTAB, LF, SP, TOKEN } from './characters.ts';

/** Why a message is not HTTP/1.1 as RFC 9112 has it. A bounded set: counted by reason, never repaired. */
export type SyntaxFault =
  | 'bare-cr'
  | 'bare-lf'
  | 'obs-fold'
  | 'field-name'
  | 'space-before-colon'
  | 'field-value'
  | 'too-many-fields'
  | 'start-line'
  | 'method'
  | 'target'
  | 'version'
  | 'status'
  | 'host-missing'
  | 'host-repeated'
  | 'absolute-form-mismatch'
  | 'content-length'
  | 'content-length-repeated'
  | 'transfer-encoding'
  | 'transfer-encoding-version'
  | 'length-and-chunked'
  | 'chunk-size'
  | 'chunk-extension'
  | 'chunk-end'
  | 'trailer';

/** A place where field lines go: name and value as sent, value without surrounding whitespace. */
export interface FieldSink {
  readonly flat: string[];
}

/**
 * Parses field lines up to and including the empty line. `text` is the latin1 text of `bytes` from `base` on;
 * the empty line is known to be inside. Returns the offset behind it, or the fault.
 */
export function parseFields(
  bytes: Uint8Array,
  text: string,
  base: number,
  start: number,
  maxFields: number,
  sink: FieldSink,
): number | SyntaxFault {
  const { flat } = sink;
  const room = flat.length + 2 * maxFields;
  let i = start;
  for (;;) {
    let byte = bytes[i];
    if (byte === CR) return bytes[i + 1] === LF ? i + 2 : 'bare-cr';
    const nameStart = i;
    while (TOKEN[byte] === 1) byte = bytes[++i];
    if (byte !== COLON || i === nameStart) return nameFault(byte, i === nameStart);
    const nameEnd = i;
    byte = bytes[++i];
    while (byte === SP || byte === HTAB) byte = bytes[++i];
    const valueStart = i;
    while (FIELD_VALUE[byte] === 1) byte = bytes[++i];
    if (byte !== CR || bytes[i + 1] !== LF) return valueFault(byte);
    let valueEnd = i;
    while (valueEnd > valueStart && isBlank(bytes[valueEnd - 1])) valueEnd--;
    if (flat.length >= room) return 'too-many-fields';
    flat.push(text.slice(nameStart - base, nameEnd - base), text.slice(valueStart - base, valueEnd - base));
    i += 2;
  }
}

const isBlank = (byte: number): boolean => byte === SP || byte === HTAB;

function nameFault(byte: number, empty: boolean): SyntaxFault {
  if (byte === LF) return 'bare-lf';
  if (isBlank(byte)) return empty ? 'obs-fold' : 'space-before-colon';
  return 'field-name';
}

function valueFault(byte: number): SyntaxFault {
  if (byte === LF) return 'bare-lf';
  return byte === CR ? 'bare-cr' : 'field-value';
}

/**
 * The offset behind the empty line that ends a head starting at `start`, or -1 when it has not arrived.
 * Line ends are checked by the parsers; this only finds where to stop.
 */
export function findHeadEnd(bytes: Uint8Array, start: number): number {
  // `i` is where the last of the four bytes may be; a byte that is neither CR nor LF rules out the next four places.
  let i = start + 3;
  while (i < bytes.length) {
    const byte = bytes[i];
    if (byte !== CR && byte !== LF) i += 4;
    else if (byte === CR) i++;
    else if (bytes[i - 1] === CR && bytes[i - 2] === LF && bytes[i - 3] === CR) return i + 1;
    else i += 2;
  }
  return -1;
}

/**
 * What is already wrong with a head that has not arrived whole, so that a sender of bare line ends is refused
 * at once instead of at the timeout. `from` is where the last look ended: every byte is looked at once.
 */
export function faultInPartialHead(bytes: Uint8Array, from: number): SyntaxFault | undefined {
  for (let i = from; i < bytes.length; i++) {
    const byte = bytes[i];
    if (byte === LF && (i === 0 || bytes[i - 1] !== CR)) return 'bare-lf';
    if (byte === CR && i + 1 < bytes.length && bytes[i + 1] !== LF) return 'bare-cr';
    if (byte === 0) return 'field-value';
  }
  return undefined;
}
