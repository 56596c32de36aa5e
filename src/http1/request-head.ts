import { type ErrorCode, RequestError } from '../errors.ts';
import { HeaderList } from '../lib/header-list.ts';
import { CR, LF, SP, TARGET, TOKEN } from './characters.ts';
import {
  type ConnectionOptions,
  NO_CONNECTION_OPTIONS,
  parseConnectionOptions,
} from './connection-options.ts';
import { FieldKind, fieldKind } from './field-kinds.ts';
import { parseFields, type SyntaxFault } from './fields.ts';

/** Methods of the IANA registry that a gateway can carry. Others are answered 501, never guessed at. */
export const METHODS: ReadonlySet<string> = new Set(
  (
    'GET POST PUT PATCH DELETE HEAD OPTIONS TRACE CONNECT COPY LOCK UNLOCK MOVE MKCOL PROPFIND PROPPATCH SEARCH ' +
    'REPORT MKCALENDAR ACL BIND REBIND UNBIND LINK UNLINK MERGE CHECKOUT MKACTIVITY QUERY'
  ).split(' '),
);

export interface HeadLimits {
  /** Number of field lines. */
  readonly headers: number;
  /** Bytes of the request target. */
  readonly targetBytes: number;
}

/** A request's head, understood: start line, fields, and what they say about this hop. */
export class RequestHead {
  readonly method: string;
  /** Origin-form (path and query), or `*`. */
  readonly target: string;
  /** 0 or 1: the minor version. */
  readonly minor: 0 | 1;
  readonly headers: HeaderList = new HeaderList();
  /** For each field its FieldKind, in order. */
  readonly kinds: FieldKind[] = [];
  /** The Host value. */
  authority = '';
  /** Length of the body by Content-Length; -1 when there is none. */
  contentLength = -1;
  chunked = false;
  connection: ConnectionOptions = NO_CONNECTION_OPTIONS;
  /** Value of Expect; '' when there is none. */
  expect = '';
  /** Value of Upgrade; '' when there is none. */
  upgrade = '';
  /** Values of fields that ask for another method, joined by commas; undefined when there are none. */
  methodOverride: string | undefined = undefined;

  constructor(method: string, target: string, minor: 0 | 1) {
    this.method = method;
    this.target = target;
    this.minor = minor;
  }

  /** Whether a body follows (RFC 9112 §6.3: only its framing says so). */
  get hasBody(): boolean {
    return this.chunked || this.contentLength > 0;
  }

  /** Whether the client would keep the connection (RFC 9112 §9.3). */
  get keepAlive(): boolean {
    if (this.connection.close) return false;
    return this.minor === 1 || this.connection.keepAlive;
  }
}

/** Parses the head in `bytes[start, end)`, where `end` lies behind its empty line. Returns the head or the refusal. */
export function parseRequestHead(
  bytes: Buffer,
  start: number,
  end: number,
  limits: HeadLimits,
): RequestHead | RequestError {
  const text = bytes.toString('latin1', start, end);
  const line = parseRequestLine(bytes, text, start, limits);
  if (line instanceof RequestError) return line;
  const head = new RequestHead(line.method, line.target, line.minor);
  const fields = parseFields(bytes, text, start, line.end, limits.headers, head.headers);
  if (typeof fields === 'string') return refusal(fields);
  const fault = interpret(head) ?? checkTarget(head, line.authority);
  return fault === undefined ? head : refusal(fault);
}

interface RequestLine {
  readonly method: string;
  readonly target: string;
  /** From absolute-form; undefined for the other forms. */
  readonly authority: string | undefined;
  readonly minor: 0 | 1;
  readonly end: number;
}

function parseRequestLine(
  bytes: Buffer,
  text: string,
  start: number,
  limits: HeadLimits,
): RequestLine | RequestError {
  let i = start;
  while (TOKEN[bytes[i]] === 1) i++;
  if (i === start || bytes[i] !== SP) return refusal(lineFault(bytes, i, 'method'));
  const method = text.slice(0, i - start);
  const targetStart = ++i;
  while (TARGET[bytes[i]] === 1) i++;
  if (i - targetStart > limits.targetBytes) return TARGET_TOO_LONG;
  if (i === targetStart || bytes[i] !== SP) return refusal(lineFault(bytes, i, 'target'));
  const target = text.slice(targetStart - start, i - start);
  const version = text.slice(i + 1 - start, i + 9 - start);
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') return versionFault(version);
  i += 9;
  if (bytes[i] !== CR || bytes[i + 1] !== LF) return refusal(lineFault(bytes, i, 'start-line'));
  if (!METHODS.has(method)) return METHOD_NOT_IMPLEMENTED;
  const form = targetForm(method, target);
  if (form === undefined) return refusal('target');
  return {
    method,
    target: form.target,
    authority: form.authority,
    minor: version === 'HTTP/1.1' ? 1 : 0,
    end: i + 2,
  };
}

interface TargetForm {
  readonly target: string;
  readonly authority: string | undefined;
}

const ABSOLUTE_FORM = /^https?:\/\/([^/?#@]+)([/?].*)?$/i;

/** RFC 9112 §3.2: origin-form, absolute-form, or asterisk-form with OPTIONS. CONNECT is not for a gateway. */
function targetForm(method: string, target: string): TargetForm | undefined {
  if (method === 'CONNECT') return undefined;
  if (target.charCodeAt(0) === 0x2f) return { target, authority: undefined };
  if (target === '*') return method === 'OPTIONS' ? { target, authority: undefined } : undefined;
  const absolute = ABSOLUTE_FORM.exec(target);
  if (absolute === null) return undefined;
  const rest = absolute[2] ?? '/';
  return { target: rest.startsWith('?') ? `/${rest}` : rest, authority: absolute[1] };
}

/** Reads from the fields what this hop must know. */
function interpret(head: RequestHead): SyntaxFault | undefined {
  const { flat } = head.headers;
  let hosts = 0;
  for (let i = 0; i < flat.length; i += 2) {
    const kind = fieldKind(flat[i]);
    head.kinds.push(kind);
    if (kind === FieldKind.OTHER) continue;
    const value = flat[i + 1];
    if (kind === FieldKind.HOST) {
      if (++hosts > 1) return 'host-repeated';
      head.authority = value;
    } else if (kind === FieldKind.CONTENT_LENGTH) {
      // A list of equal lengths may be collapsed (RFC 9112 §6.3); two readers may still disagree: refused.
      if (head.contentLength !== -1) return 'content-length-repeated';
      head.contentLength = framingName(flat[i]) ? parseContentLength(value) : -1;
      if (head.contentLength === -1) return 'content-length';
    } else if (kind === FieldKind.TRANSFER_ENCODING) {
      if (head.chunked || !framingName(flat[i]) || value.toLowerCase() !== 'chunked')
        return 'transfer-encoding';
      head.chunked = true;
    } else if (kind === FieldKind.CONNECTION)
      head.connection = parseConnectionOptions(value, head.connection);
    else if (kind === FieldKind.EXPECT) head.expect = value;
    else if (kind === FieldKind.UPGRADE) head.upgrade = value;
    else if (kind === FieldKind.METHOD_OVERRIDE)
      head.methodOverride = head.methodOverride === undefined ? value : `${head.methodOverride},${value}`;
  }
  return framingFault(head, hosts);
}

function framingFault(head: RequestHead, hosts: number): SyntaxFault | undefined {
  if (head.chunked && head.contentLength !== -1) return 'length-and-chunked';
  if (head.chunked && head.minor === 0) return 'transfer-encoding-version';
  return hosts === 0 ? 'host-missing' : undefined;
}

/** RFC 9112 §3.2.2 lets absolute-form win over Host; the two readings may route differently, so they must agree. */
function checkTarget(head: RequestHead, authority: string | undefined): SyntaxFault | undefined {
  if (authority === undefined || authority.toLowerCase() === head.authority.toLowerCase()) return undefined;
  return 'absolute-form-mismatch';
}

/** Whether a framing field is spelt with `-`: with `_` only some readers take it for framing, so it is refused. */
export function framingName(name: string): boolean {
  return !name.includes('_');
}

/** Digits only, at most 2^53 - 1; -1 for anything else (RFC 9110 §8.6). */
export function parseContentLength(value: string): number {
  if (value.length === 0 || value.length > 16) return -1;
  let length = 0;
  for (let i = 0; i < value.length; i++) {
    const digit = value.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    length = length * 10 + digit;
  }
  return length <= Number.MAX_SAFE_INTEGER ? length : -1;
}

function lineFault(bytes: Uint8Array, at: number, otherwise: SyntaxFault): SyntaxFault {
  if (bytes[at] === LF) return 'bare-lf';
  return bytes[at] === CR && bytes[at + 1] !== LF ? 'bare-cr' : otherwise;
}

const METHOD_NOT_IMPLEMENTED = new RequestError(
  'method-not-implemented',
  'method',
  'This method is not implemented.',
);
/** Request line and fields together are over the limit. */
export const HEAD_TOO_LARGE = new RequestError(
  'headers-too-large',
  'head-too-large',
  'The request head is too large.',
);
export const TARGET_TOO_LONG = new RequestError(
  'uri-too-long',
  'target-too-long',
  'The request target is too long.',
);
const VERSION_NOT_SUPPORTED = new RequestError(
  'http-version-not-supported',
  'version',
  'HTTP/1.0 and 1.1 are spoken here.',
);

function versionFault(version: string): RequestError {
  return /^HTTP\/[0-9]\.[0-9]$/.test(version) ? VERSION_NOT_SUPPORTED : refusal('version');
}

const FRAMING_FAULTS: ReadonlySet<SyntaxFault> = new Set([
  'content-length',
  'content-length-repeated',
  'transfer-encoding',
  'transfer-encoding-version',
  'length-and-chunked',
]);

/** The public refusal for a fault. */
export function refusal(fault: SyntaxFault): RequestError {
  return new RequestError(codeOf(fault), fault, `The request is not valid HTTP/1.1 (${fault}).`);
}

function codeOf(fault: SyntaxFault): ErrorCode {
  if (fault === 'too-many-fields') return 'headers-too-large';
  if (fault.startsWith('host-')) return 'bad-host';
  return FRAMING_FAULTS.has(fault) ? 'ambiguous-framing' : 'malformed-request';
}
