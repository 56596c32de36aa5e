import type { Dispatcher } from 'undici';
import type { Network, OutboundRequest, OutboundResponse } from '../contract/index.ts';
import { NetworkError } from '../errors.ts';
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

function asNetworkError(cause: unknown, url: string, deadline: AbortSignal): NetworkError {
  if (cause instanceof NetworkError) return cause;
  const server = URL.canParse(url) ? new URL(url).host : 'an address that is no URL';
  if (deadline.aborted) return new NetworkError('timeout', `${server} did not answer in time`, { cause });
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const isMalformed = code.startsWith('HPE_');
  const failure = isMalformed ? 'malformed' : 'unreachable';
  return new NetworkError(
    failure,
    `${server} ${isMalformed ? 'answered with no HTTP' : 'cannot be reached'}${code === '' ? '' : ` (${code})`}`,
    { cause },
  );
}
