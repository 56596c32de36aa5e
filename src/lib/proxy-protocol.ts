import { crc32c } from './crc32c.ts';
import { type IpAddress, ipAddressOf, parseIpAddress } from './ip-address.ts';

/**
 * Why bytes are no PROXY header, or one that says nothing about a TCP client: `signature` (something else is
 * spoken), `line`, `version`, `command`, `family`, `address`, `port`, `length`, `extension` (a TLV) or `checksum`.
 */
export type ProxyFault =
  | 'signature'
  | 'line'
  | 'version'
  | 'command'
  | 'family'
  | 'address'
  | 'port'
  | 'length'
  | 'extension'
  | 'checksum';

/** What the first bytes of a connection say. */
export type ProxyHeader =
  /** The header is not whole yet. */
  | { readonly kind: 'more' }
  | { readonly kind: 'fault'; readonly fault: ProxyFault }
  /** `end`: offset behind it. `source`: undefined where the proxy speaks for itself or does not know for whom. */
  | { readonly kind: 'header'; readonly end: number; readonly source: IpAddress | undefined };

/** Longest text form (PROXY protocol §2.1). */
const MAX_LINE = 107;
/** The binary form may say 64 kB; what is known to be sent is an address, some identifiers and a certificate. */
const MAX_BLOCK = 8192;
const PREAMBLE = 16;
const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
const LINE_START = new TextEncoder().encode('PROXY ');
const [CR, LF] = [0x0d, 0x0a];

const MORE: ProxyHeader = Object.freeze({ kind: 'more' });
const faulty = (fault: ProxyFault): ProxyHeader => ({ kind: 'fault', fault });
const header = (end: number, source: IpAddress | undefined): ProxyHeader => ({ kind: 'header', end, source });

/**
 * Reads a PROXY protocol header, version 1 (text) or 2 (binary), at the start of `bytes`
 * (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt). Strict: what two readers could take for different
 * clients is a fault, found as early as it shows. Never looks past the header, whatever follows it.
 */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader {
  if (bytes.length === 0) return MORE;
  if (bytes[0] === LINE_START[0]) return readLine(bytes);
  return readBinary(bytes);
}

// Version 1.

const PORT = /^(?:0|[1-9][0-9]{0,4})$/;

function readLine(bytes: Uint8Array): ProxyHeader {
  if (!startsLike(bytes, LINE_START)) return faulty('signature');
  const limit = Math.min(bytes.length, MAX_LINE);
  let text = '';
  for (let i = 0; i < limit; i++) {
    const byte = bytes[i];
    if (byte === LF) return bytes[i - 1] === CR ? lineOf(text.slice(0, -1), i + 1) : faulty('line');
    // A CR only ends the line; anything else that no line has would be read in as many ways as there are readers.
    if (bytes[i - 1] === CR || (byte !== CR && (byte < 0x20 || byte > 0x7e))) return faulty('line');
    text += String.fromCharCode(byte);
  }
  return bytes.length < MAX_LINE ? MORE : faulty('line');
}

function lineOf(line: string, end: number): ProxyHeader {
  const [, family, source = '', destination = '', sourcePort = '', destinationPort = '', ...more] =
    line.split(' ');
  // What follows it must be ignored (§2.1).
  if (family === 'UNKNOWN') return header(end, undefined);
  if (family !== 'TCP4' && family !== 'TCP6') return faulty('family');
  if (more.length > 0) return faulty('line');
  const client = addressIn(source, family);
  if (client === undefined || addressIn(destination, family) === undefined) return faulty('address');
  return isPort(sourcePort) && isPort(destinationPort) ? header(end, client) : faulty('port');
}

function addressIn(text: string, family: 'TCP4' | 'TCP6'): IpAddress | undefined {
  return text.includes(':') === (family === 'TCP6') ? parseIpAddress(text) : undefined;
}

const isPort = (text: string): boolean => PORT.test(text) && Number(text) <= 65_535;

// Version 2.

/** Bytes of the two addresses and ports, by family and transport; those of datagrams and UNIX sockets are not TCP's. */
const ADDRESS_BYTES: ReadonlyMap<number, number> = new Map([
  [0x00, 0],
  [0x11, 12],
  [0x21, 36],
]);

function readBinary(bytes: Uint8Array): ProxyHeader {
  if (!startsLike(bytes, SIGNATURE)) return faulty('signature');
  if (bytes.length < PREAMBLE) return MORE;
  if (bytes[12] >> 4 !== 2) return faulty('version');
  const command = bytes[12] & 0x0f;
  if (command > 1) return faulty('command');
  const length = bytes[14] * 256 + bytes[15];
  if (length > MAX_BLOCK) return faulty('length');
  const end = PREAMBLE + length;
  if (bytes.length < end) return MORE;
  // LOCAL: the proxy speaks for itself, and whatever is in the block means nothing (§2.2).
  if (command === 0) return header(end, undefined);
  const addresses = ADDRESS_BYTES.get(bytes[13]);
  if (addresses === undefined) return faulty('family');
  if (length < addresses) return faulty('length');
  const fault = faultInExtensions(bytes, PREAMBLE + addresses, end);
  if (fault !== undefined) return faulty(fault);
  return header(end, addresses === 0 ? undefined : addressAt(bytes, addresses === 12 ? 4 : 16));
}

/** The source comes first. */
function addressAt(bytes: Uint8Array, size: 4 | 16): IpAddress {
  const view = new DataView(bytes.buffer, bytes.byteOffset + PREAMBLE, size);
  if (size === 4) return ipAddressOf(0, 0, 0xffff, view.getUint32(0));
  return ipAddressOf(view.getUint32(0), view.getUint32(4), view.getUint32(8), view.getUint32(12));
}

const CHECKSUM_TYPE = 0x03;

/** The TLVs fill the block exactly; none of them is believed, and the checksum, where there is one, holds (§2.2.4). */
function faultInExtensions(bytes: Uint8Array, from: number, end: number): ProxyFault | undefined {
  let checksumAt = -1;
  let at = from;
  while (at < end) {
    if (end - at < 3) return 'extension';
    const length = bytes[at + 1] * 256 + bytes[at + 2];
    const value = at + 3;
    if (length > end - value) return 'extension';
    if (bytes[at] === CHECKSUM_TYPE) {
      if (length !== 4 || checksumAt !== -1) return 'checksum';
      checksumAt = value;
    }
    at = value + length;
  }
  if (checksumAt === -1) return undefined;
  const written = new DataView(bytes.buffer, bytes.byteOffset + checksumAt, 4).getUint32(0);
  return written === checksumOf(bytes, checksumAt, end) ? undefined : 'checksum';
}

const ZEROS = new Uint8Array(4);

/** Over the whole header, the field itself taken as zeros. */
function checksumOf(bytes: Uint8Array, field: number, end: number): number {
  const before = crc32c(ZEROS, 0, 4, crc32c(bytes, 0, field));
  return crc32c(bytes, field + 4, end, before);
}

/** Whether `bytes` begin with `start`, as far as they go. */
function startsLike(bytes: Uint8Array, start: Uint8Array): boolean {
  const length = Math.min(bytes.length, start.length);
  for (let i = 0; i < length; i++) if (bytes[i] !== start[i]) return false;
  return true;
}
