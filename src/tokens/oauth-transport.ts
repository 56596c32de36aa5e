import type { Network, OutboundResponse } from '../contract/index.ts';
import { NetworkError } from '../errors.ts';
import { parseStrictJson } from '../lib/strict-json.ts';
import type { IssuerAccess } from './issuer-metadata.ts';

/** What oauth4webapi sends: the second argument of its `customFetch`. */
export interface LibraryRequest {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  /** A form, where there is one. */
  readonly body?: unknown;
}

const MAX_BYTES = 256 * 1024;
const MAX_DEPTH = 32;
const NO_BODY: readonly number[] = [204, 205, 304];

/**
 * Sends what oauth4webapi asks for over our own network: no redirects, bounded answers, strict JSON. Rejects with
 * NetworkError, whose message holds nothing of the answer.
 */
export async function sendForLibrary(
  network: Network,
  url: string,
  { method, headers, body }: LibraryRequest,
  { ca, timeoutMs }: IssuerAccess,
): Promise<Response> {
  const answer = await network.send({
    method,
    url,
    headers: Object.entries(headers).flat(),
    ...(body === undefined || body === null ? {} : { body: String(body) }),
    timeoutMs,
    maxBytes: MAX_BYTES,
    ca,
  });
  // What two parsers read differently is refused: `active` twice in one answer must not be anybody's choice. So is a
  // signed answer (RFC 9701), which was not asked for: nobody here verifies one.
  if (answer.status === 200 && !isStrictJson(answer)) throw malformed(url, 'its answer is no sound JSON');
  return responseOf(answer) ?? Promise.reject(malformed(url, `its answer has the status ${answer.status}`));
}

function malformed(url: string, problem: string): NetworkError {
  return new NetworkError('malformed', `${new URL(url).host}: ${problem}`);
}

/** Undefined for a status that the library's kind of answer cannot have. */
function responseOf({ status, headers, body }: OutboundResponse): Response | undefined {
  if (status < 200 || status > 599) return undefined;
  const content = NO_BODY.includes(status) ? null : Buffer.from(body);
  return new Response(content, { status, headers: [...headers] });
}

function isStrictJson({ headers, body }: OutboundResponse): boolean {
  if (!/^application\/json *(;|$)/i.test(headers.get('content-type') ?? '')) return false;
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    return !('fault' in parseStrictJson(text, MAX_DEPTH));
  } catch {
    return false;
  }
}
