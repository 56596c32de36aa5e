import type { HeaderList } from '../lib/header-list.ts';

/** One HTTP exchange that a policy asks for: with an issuer, an authorisation service, a feed. */
export interface OutboundRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | 'PATCH' | 'OPTIONS';
  /** Absolute, `http:` or `https:`. From the document or from what the document names, never from a caller. */
  readonly url: string;
  /** Flat list: name, value, name, value. */
  readonly headers?: readonly string[];
  readonly body?: string | Uint8Array;
  /** For the whole exchange, the body of the answer included. */
  readonly timeoutMs: number;
  /** A longer answer is a failure. */
  readonly maxBytes: number;
  /** PEM of the CAs that may sign the server's certificate, beside none other; undefined for the system's. */
  readonly ca?: string | undefined;
}

/** Whatever was answered, errors included; redirects are answers, never followed. */
export interface OutboundResponse {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Uint8Array;
}

/**
 * The outside world as policies may ask it. Live traffic has the real one; tests, replay and explain have one that
 * is not there, so that judging a request never causes another.
 */
export interface Network {
  /** Rejects with NetworkError. */
  send(request: OutboundRequest): Promise<OutboundResponse>;
}
