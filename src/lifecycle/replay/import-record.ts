import type { Identity, JudgedOutcome, RecordedRequest, UnknownParts } from '../../contract/index.ts';

/** What is taken for true of all requests of an import where it does not say so itself. */
export interface ImportOptions {
  /** Name of the listener that they came to. */
  readonly listener: string;
  readonly scheme: 'http' | 'https';
  /** Host of requests of which it is not known; undefined: nobody knows. */
  readonly host?: string | undefined;
  /** Address that requests came from of which it is not known; undefined: nobody knows. */
  readonly peer?: string | undefined;
  /**
   * Who a consumer is, of which an access record has the name and the id of the credential; undefined where nobody can
   * tell what groups it is in.
   */
  readonly identityOf?:
    | ((consumer: string, credential: string | undefined) => Identity | undefined)
    | undefined;
}

/** What an import says of one request. */
export interface ImportedRequest {
  /** Its own id, or where it stands in the file. */
  readonly id: string;
  readonly atMs: number;
  readonly durationMs: number;
  readonly listener?: string | undefined;
  readonly scheme?: 'http' | 'https' | undefined;
  readonly peer: string | undefined;
  readonly method: string;
  readonly target: string;
  readonly httpVersion: RecordedRequest['httpVersion'];
  readonly headers: readonly string[];
  readonly withheldHeaders?: readonly string[] | undefined;
  readonly unknownHeaders: UnknownParts['headers'];
  readonly isQueryUnknown?: boolean | undefined;
  /** Undefined where it does not tell. */
  readonly body?: Uint8Array | undefined;
  readonly identity?: Identity | undefined;
  readonly revision?: string | undefined;
  readonly outcome?: JudgedOutcome | undefined;
  readonly decisions?: RecordedRequest['decisions'] | undefined;
  /** Of the answer; 0 for none. */
  readonly status: number;
  readonly upstreamMs?: number | undefined;
}

/** Answers that are as likely a gateway's own: nobody knows what the service behind it would have said. */
const OFTEN_REFUSED: ReadonlySet<number> = new Set([0, 401, 403, 407, 429, 499, 502, 503, 504]);
/** Methods whose requests commonly have a body. */
const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

/** A record of what an import says, and of what it does not say. */
export function importedRecord(from: ImportedRequest, options: ImportOptions): RecordedRequest {
  const { peer = options.peer, headers, unknownHeaders } = from;
  const hasHost = headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'host');
  const host = hasHost || options.host === undefined ? [] : ['Host', options.host];
  const unknown: UnknownParts = {
    headers: unknownHeaders,
    query: from.isQueryUnknown === true,
    peer: peer === undefined,
    certificate: (from.scheme ?? options.scheme) === 'https',
  };
  return {
    requestId: from.id,
    atMs: from.atMs,
    durationMs: from.durationMs,
    revision: from.revision ?? '',
    listener: from.listener ?? options.listener,
    scheme: from.scheme ?? options.scheme,
    peer: peer ?? '',
    method: from.method,
    target: from.target,
    httpVersion: from.httpVersion,
    headers: [...host, ...headers],
    withheld: { headers: from.withheldHeaders ?? [], query: [], unknown },
    body: bodyOf(from),
    certificate: undefined,
    identity: from.identity,
    outcome: from.outcome,
    decisions: from.decisions ?? [],
    upstream: upstreamOf(from),
    weight: 1,
  };
}

function bodyOf({ body, method, unknownHeaders }: ImportedRequest): RecordedRequest['body'] {
  if (body !== undefined && body.length > 0) return { kind: 'whole', bytes: body };
  if (body === undefined && unknownHeaders === 'all' && WITH_BODY.has(method)) {
    return { kind: 'missing', size: 0, why: 'not-read' };
  }
  return { kind: 'none' };
}

function upstreamOf({
  outcome,
  status,
  upstreamMs,
  durationMs,
}: ImportedRequest): RecordedRequest['upstream'] {
  const isAnswered =
    outcome === undefined ? !OFTEN_REFUSED.has(status) : outcome.kind === 'forward' && status > 0;
  return isAnswered ? { status, ms: upstreamMs ?? durationMs } : undefined;
}

/** An HTTP version as files spell it; 1.1 where it is not known. */
export function httpVersionOf(text: string): RecordedRequest['httpVersion'] {
  const version = /(\d)(?:\.(\d))?\s*$/.exec(text);
  if (version === null) return '1.1';
  if (version[1] === '1') return version[2] === '0' ? '1.0' : '1.1';
  return version[1] === '0' ? '1.0' : '2';
}
