import { HeaderList } from '../lib/header-list.ts';
import { CR, FIELD_VALUE, LF, SP } from './characters.ts';
import {
  type ConnectionOptions,
  NO_CONNECTION_OPTIONS,
  parseConnectionOptions,
} from './connection-options.ts';
import { FieldKind, fieldKind } from './field-kinds.ts';
import { parseFields, type SyntaxFault } from './fields.ts';
import { framingName, parseContentLength } from './request-head.ts';

/** How the end of an answer's body is known (RFC 9112 §6.3). */
export type BodyFraming = 'none' | 'length' | 'chunked' | 'until-close';

/** An answer's head, understood. */
export class ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly minor: 0 | 1;
  readonly headers: HeaderList = new HeaderList();
  readonly kinds: FieldKind[] = [];
  contentLength = -1;
  chunked = false;
  connection: ConnectionOptions = NO_CONNECTION_OPTIONS;
  upgrade = '';

  constructor(status: number, reason: string, minor: 0 | 1) {
    this.status = status;
    this.reason = reason;
    this.minor = minor;
  }

  get keepAlive(): boolean {
    if (this.connection.close) return false;
    return this.minor === 1 || this.connection.keepAlive;
  }

  /** How the body of this answer to a request with `method` ends. */
  framing(method: string): BodyFraming {
    if (method === 'HEAD' || this.status === 204 || this.status === 304 || this.status < 200) return 'none';
    if (this.chunked) return 'chunked';
    if (this.contentLength === -1) return 'until-close';
    return this.contentLength === 0 ? 'none' : 'length';
  }
}

/** Parses the head in `bytes[start, end)`, where `end` lies behind its empty line. */
export function parseResponseHead(
  bytes: Buffer,
  start: number,
  end: number,
  maxFields: number,
): ResponseHead | SyntaxFault {
  const text = bytes.toString('latin1', start, end);
  const version = text.slice(0, 9);
  if (version !== 'HTTP/1.1 ' && version !== 'HTTP/1.0 ') return 'version';
  const status = statusAt(bytes, start + 9);
  if (status === -1) return 'status';
  // HTTP/1.0 has no interim answers (RFC 9110 §15.2): a reader that does not expect one takes it for the last.
  if (status < 200 && version === 'HTTP/1.0 ') return 'version';
  let i = start + 12;
  const reasonStart = i + 1;
  // Some servers leave out the space before an empty reason; nothing can be read two ways then.
  if (bytes[i] === SP) while (FIELD_VALUE[bytes[i]] === 1) i++;
  if (bytes[i] !== CR || bytes[i + 1] !== LF) return bytes[i] === LF ? 'bare-lf' : 'start-line';
  const reason = i > reasonStart ? text.slice(reasonStart - start, i - start) : '';
  const head = new ResponseHead(status, reason, version === 'HTTP/1.1 ' ? 1 : 0);
  const fields = parseFields(bytes, text, start, i + 2, maxFields, head.headers);
  return typeof fields === 'string' ? fields : (interpret(head) ?? head);
}

function statusAt(bytes: Uint8Array, at: number): number {
  let status = 0;
  for (let i = at; i < at + 3; i++) {
    const digit = bytes[i] - 0x30;
    if (!(digit >= 0 && digit <= 9)) return -1;
    status = status * 10 + digit;
  }
  return status >= 100 && status <= 599 ? status : -1;
}

function interpret(head: ResponseHead): SyntaxFault | undefined {
  const { flat } = head.headers;
  for (let i = 0; i < flat.length; i += 2) {
    const kind = fieldKind(flat[i]);
    head.kinds.push(kind);
    if (kind === FieldKind.OTHER) continue;
    const value = flat[i + 1];
    if (kind === FieldKind.CONTENT_LENGTH) {
      if (head.contentLength !== -1) return 'content-length-repeated';
      head.contentLength = framingName(flat[i]) ? parseContentLength(value) : -1;
      if (head.contentLength === -1) return 'content-length';
    } else if (kind === FieldKind.TRANSFER_ENCODING) {
      if (head.chunked || !framingName(flat[i]) || value.toLowerCase() !== 'chunked')
        return 'transfer-encoding';
      head.chunked = true;
    } else if (kind === FieldKind.CONNECTION)
      head.connection = parseConnectionOptions(value, head.connection);
    else if (kind === FieldKind.UPGRADE) head.upgrade = value;
  }
  // RFC 9112 §6.3 has chunked win; a response that says both is an attempt at splitting or a broken server.
  if (head.chunked && head.contentLength !== -1) return 'length-and-chunked';
  return head.chunked && head.minor === 0 ? 'transfer-encoding-version' : undefined;
}
