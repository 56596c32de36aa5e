import {
  ChunkedDecoder,
  findHeadEnd,
  parseRequestHead,
  parseResponseHead,
  RequestHead,
  ResponseHead,
} from '../../src/http1/index.ts';

/** One message as a reader understood it: what two readers must agree on. */
export interface Message {
  /** Method and target, or status. */
  readonly start: string;
  /** Flat name/value list. */
  readonly fields: readonly string[];
  readonly body: string;
  readonly complete: boolean;
  /** The connection changes protocol behind this head. */
  readonly upgrade: boolean;
}

/** What a reader made of a stream: whole messages in order, then possibly a refusal. */
export interface Reading {
  readonly messages: readonly Message[];
  readonly refused: boolean;
}

const LIMITS = { headers: 1000, targetBytes: 65536 };

interface Body {
  readonly text: string;
  readonly complete: boolean;
  readonly refused: boolean;
  readonly end: number;
}

function readChunked(bytes: Buffer, start: number): Body {
  const decoder = new ChunkedDecoder(LIMITS.headers);
  const end = decoder.decode(bytes, start);
  const parts: string[] = [];
  for (let i = 0; i < decoder.pieces.length; i += 2) {
    parts.push(bytes.toString('latin1', decoder.pieces[i], decoder.pieces[i + 1]));
  }
  const refused = decoder.fault !== undefined;
  return { text: parts.join(''), complete: decoder.done && !refused, refused, end };
}

function readLength(bytes: Buffer, start: number, length: number): Body {
  const end = Math.min(bytes.length, start + length);
  return {
    text: bytes.toString('latin1', start, end),
    complete: end === start + length,
    refused: false,
    end,
  };
}

const isUpgrade = (head: RequestHead): boolean => head.upgrade !== '' && head.connection.upgrade;

/** The requests in `bytes` as this project's codec reads them. */
export function readRequests(bytes: Buffer): Reading {
  const messages: Message[] = [];
  let at = 0;
  while (at < bytes.length) {
    const headEnd = findHeadEnd(bytes, at);
    if (headEnd === -1) return { messages, refused: false };
    const head = parseRequestHead(bytes, at, headEnd, LIMITS);
    if (!(head instanceof RequestHead)) return { messages, refused: true };
    const body = head.chunked
      ? readChunked(bytes, headEnd)
      : readLength(bytes, headEnd, Math.max(0, head.contentLength));
    const { text, complete } = body;
    const upgrade = isUpgrade(head);
    messages.push({
      start: `${head.method} ${head.target}`,
      fields: head.headers.flat,
      body: text,
      complete,
      upgrade,
    });
    if (body.refused) return { messages, refused: true };
    if (!complete || upgrade || !head.keepAlive) break;
    at = body.end;
  }
  return { messages, refused: false };
}

/** The first final answer in `bytes` to a request with `method`; 1xx before it are skipped. */
export function readResponse(bytes: Buffer, method: string): Reading {
  let at = 0;
  for (;;) {
    const headEnd = findHeadEnd(bytes, at);
    if (headEnd === -1) return { messages: [], refused: false };
    const head = parseResponseHead(bytes, at, headEnd, LIMITS.headers);
    if (!(head instanceof ResponseHead)) return { messages: [], refused: true };
    if (head.status === 101) return { messages: [], refused: false };
    if (head.status >= 200) return finalResponse(bytes, headEnd, head, method);
    at = headEnd;
  }
}

function finalResponse(bytes: Buffer, start: number, head: ResponseHead, method: string): Reading {
  const body = responseBody(bytes, start, head, method);
  const { text, complete, refused } = body;
  const message = {
    start: String(head.status),
    fields: head.headers.flat,
    body: text,
    complete,
    upgrade: false,
  };
  return { messages: [message], refused };
}

function responseBody(bytes: Buffer, start: number, head: ResponseHead, method: string): Body {
  switch (head.framing(method)) {
    case 'none':
      return { text: '', complete: true, refused: false, end: start };
    case 'chunked':
      return readChunked(bytes, start);
    case 'length':
      return readLength(bytes, start, head.contentLength);
    case 'until-close':
      return readLength(bytes, start, bytes.length - start);
  }
}
