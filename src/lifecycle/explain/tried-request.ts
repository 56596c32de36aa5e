import type { DocumentTest } from '../../config/index.ts';
import type { Identity, RecordedRequest } from '../../contract/index.ts';

type Steps = Extract<DocumentTest, { steps: unknown }>['steps'];
/** A request as tests of a document write it. */
export type TriedRequest = Steps[number]['request'];

const SOMEBODY = '192.0.2.1';
const NO_FACTS = Object.freeze({ groups: [], scopes: [], claims: {} });

/** A request that has not happened, as one that was recorded at `atMs` and of which all is known. */
export function recordOfTried(
  request: TriedRequest,
  listener: { readonly name: string; readonly scheme: 'http' | 'https' },
  atMs: number,
): RecordedRequest {
  const { method = 'GET', path, headers: written = {}, body: content, client, identity } = request;
  const bytes = bytesOf(content);
  const headers = Object.entries(written).flat();
  const has = (name: string): boolean => Object.keys(written).some((key) => key.toLowerCase() === name);
  if (!has('host')) headers.push('host', 'localhost');
  if (content !== undefined && typeof content !== 'string' && !has('content-type')) {
    headers.push('content-type', 'application/json');
  }
  if (content !== undefined && !has('content-length')) headers.push('content-length', `${bytes.length}`);
  return {
    requestId: 'tried',
    atMs,
    durationMs: 0,
    revision: '',
    listener: listener.name,
    scheme: listener.scheme,
    peer: client ?? SOMEBODY,
    method,
    target: path,
    httpVersion: '1.1',
    headers,
    withheld: { headers: [], query: [] },
    body: content === undefined ? { kind: 'none' } : { kind: 'whole', bytes },
    certificate: undefined,
    identity: identity && proved(identity),
    outcome: undefined,
    decisions: [],
    upstream: undefined,
    weight: 1,
  };
}

const proved = (identity: NonNullable<TriedRequest['identity']>): Identity => ({ ...NO_FACTS, ...identity });

const bytesOf = (content: unknown): Uint8Array =>
  Buffer.from(
    typeof content === 'string' || content === undefined ? (content ?? '') : JSON.stringify(content),
  );
