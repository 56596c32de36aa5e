/** Byte classes of RFC 9110 §5 and RFC 3986, as tables: one load per byte on the hot path. */

function table(accept: (byte: number) => boolean): Uint8Array {
  const bytes = new Uint8Array(256);
  for (let byte = 0; byte < 256; byte++) if (accept(byte)) bytes[byte] = 1;
  return bytes;
}

const isAlphanumeric = (b: number): boolean =>
  (b >= 0x30 && b <= 0x39) || (b >= 0x41 && b <= 0x5a) || (b >= 0x61 && b <= 0x7a);

const TOKEN_MARKS = "!#$%&'*+-.^_`|~";

/** `tchar` (RFC 9110 §5.6.2). */
export const TOKEN = table((b) => isAlphanumeric(b) || TOKEN_MARKS.includes(String.fromCharCode(b)));

/** `field-vchar`, SP and HTAB (RFC 9110 §5.5): no controls, no DEL. */
export const FIELD_VALUE = table((b) => b === 0x09 || (b >= 0x20 && b !== 0x7f));

/** What may stand in a request target: visible US-ASCII without `#` (fragments never travel). */
export const TARGET = table((b) => b > 0x20 && b < 0x7f && b !== 0x23);

/** `qdtext` (RFC 9110 §5.6.4) within US-ASCII. */
export const QUOTED_TEXT = table((b) => b === 0x09 || (b >= 0x20 && b < 0x7f && b !== 0x22 && b !== 0x5c));

/** Value of a hex digit, 255 for anything else. */
export const HEX_VALUE = new Uint8Array(256).fill(255);
for (let i = 0; i < 16; i++) {
  const digit = i.toString(16);
  HEX_VALUE[digit.charCodeAt(0)] = i;
  HEX_VALUE[digit.toUpperCase().charCodeAt(0)] = i;
}

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COLON = 0x3a;
