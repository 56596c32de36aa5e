import type { Dispatcher } from 'undici';
import type { Network, OutboundRequest, OutboundResponse } from '../contract/index.ts';
import { NetworkError, type NetworkFailure } from '../errors.ts';
import { HeaderList } from '../lib/header-list.ts';

type Undici = typeof import('undici');

/** Connections kept to one server: an issuer or authorisation service answers many at once. */
const CONNECTIONS = 32;
const MAX_HEADER_BYTES = 64 * 1024;

/**
 * The real network, over undici: kept connections, TLS verified against the system's CAs (and NODE_EXTRA_CA_CERTS) or
 * those that the request names. Redirects are not followed: where they lead was never in a document. The library is
 * loaded with the first request.
 */
export function createNetwork(): Network {
  return new UndiciNetwork();
}

class UndiciNetwork implements Network {
  #library: Promise<Undici> | undefined = undefined;
  /** By their CAs; '' for the system's. */
  readonly #agents = new Map<string, Dispatcher>();

  async send(request: OutboundRequest): Promise<OutboundResponse> {
    const deadline = AbortSignal.timeout(request.timeoutMs);
    try {
      this.#library ??= import('undici');
      return await this.#exchange(await this.#library, request, deadline);
    } catch (cause) {
      throw asNetworkError(cause, request.url, deadline);
    }
  }

  async #exchange(undici: Undici, request: OutboundRequest, signal: AbortSignal): Promise<OutboundResponse> {
    const { url, method, headers = [], body = null, maxBytes } = request;
    const dispatcher = this.#agent(undici, request.ca);
    const response = await undici.request(url, {
      method,
      headers: [...headers],
      body,
      signal,
      dispatcher,
      responseHeaders: 'raw',
    });
    return {
      status: response.statusCode,
      headers: headerList(response.headers),
      body: await readAtMost(response.body, maxBytes),
    };
  }

  #agent({ Agent }: Undici, ca: string | undefined): Dispatcher {
    const key = ca ?? '';
    let agent = this.#agents.get(key);
    if (agent === undefined) {
      const connect = ca === undefined ? {} : { ca };
      agent = new Agent({
        connections: CONNECTIONS,
        maxHeaderSize: MAX_HEADER_BYTES,
        pipelining: 1,
        allowH2: false,
        connect,
      });
      this.#agents.set(key, agent);
    }
    return agent;
  }
}

/** Raw headers come as a flat list of texts or bytes, whatever the types say. */
function headerList(raw: unknown): HeaderList {
  const list = new HeaderList();
  if (!Array.isArray(raw)) return list;
  for (let i = 0; i + 1 < raw.length; i += 2) list.append(String(raw[i]), String(raw[i + 1]));
  return list;
}

async function readAtMost(body: Dispatcher.ResponseData['body'], maxBytes: number): Promise<Uint8Array> {
  const pieces: Buffer[] = [];
  let length = 0;
  for await (const piece of body) {
    const bytes: Buffer = Buffer.from(piece);
    length += bytes.length;
    if (length > maxBytes) throw new NetworkError('too-large', `an answer is longer than ${maxBytes} bytes`);
    pieces.push(bytes);
  }
  return Buffer.concat(pieces, length);
}

/** What the library calls an answer that is no HTTP, or more than it takes. */
const FAILURES: ReadonlyMap<string, NetworkFailure> = new Map([
  ['HTTPParserError', 'malformed'],
  ['ResponseContentLengthMismatchError', 'malformed'],
  ['HeadersOverflowError', 'too-large'],
]);

const WORDS: Readonly<Record<NetworkFailure, string>> = {
  offline: 'is not asked here',
  unreachable: 'cannot be reached',
  timeout: 'did not answer in time',
  'too-large': 'answered with more than is taken',
  malformed: 'answered with no HTTP',
};

/** Names the server alone: a path or query may hold what is nobody's to read, and so may an answer's first bytes. */
function asNetworkError(cause: unknown, url: string, deadline: AbortSignal): NetworkError {
  if (cause instanceof NetworkError) return cause;
  const server = URL.canParse(url) ? new URL(url).host : 'an address that is no URL';
  const name = cause instanceof Error ? cause.name : '';
  const failure = deadline.aborted ? 'timeout' : (FAILURES.get(name) ?? 'unreachable');
  const code =
    cause instanceof Error && 'code' in cause && cause.code !== undefined ? ` (${cause.code})` : '';
  const message = `${server} ${WORDS[failure]}`;
  // What could not be read is in the library's error.
  if (failure === 'malformed') return new NetworkError(failure, message);
  return new NetworkError(failure, failure === 'unreachable' ? message + code : message, { cause });
}
