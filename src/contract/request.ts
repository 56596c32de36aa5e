import type { HeaderList } from '../lib/header-list.ts';
import type { IpAddress } from '../lib/ip-address.ts';

/** The one normalised, frozen view of a request that routes and policies see. */
export interface RequestView {
  /** Request id: the caller's `X-Request-Id` where well-formed, else made. */
  readonly id: string;
  readonly method: string;
  /**
   * What fields like `X-HTTP-Method-Override` ask for in place of the method, as it came; several joined by commas.
   * Undefined where there are none, and wherever the listener refuses them.
   */
  readonly methodOverride?: string;
  readonly scheme: 'http' | 'https';
  /** Host without port, lower case, no trailing dot; IPv6 in brackets. */
  readonly host: string;
  /** Host as sent, with port. */
  readonly authority: string;
  /** Path and query as they came, for signatures over them; rules look at `path` and `query`. `*` for `OPTIONS *`. */
  readonly target: string;
  /** Normalised once (percent-encoding, dot segments, slashes); this is also what the upstream receives. */
  readonly path: string;
  /** Raw query without `?`; '' when there is none. */
  readonly query: string;
  readonly headers: HeaderList;
  readonly httpVersion: '1.0' | '1.1' | '2';
  /** The client, after trusted hops. */
  readonly client: IpAddress;
  /** The other end of the connection. */
  readonly peer: IpAddress;
  /** What the client proved itself with in the TLS handshake, its chain verified; undefined for nothing. */
  readonly certificate: ClientCertificate | undefined;
  /** Of a recorded request whose credentials were left out; undefined where all of it is there. */
  readonly withheld?: Withheld;
}

/** What was left out of a recorded request. That it was there is known, what it was is not. */
export interface Withheld {
  /** Names of header fields, in lower case. */
  readonly headers: ReadonlySet<string>;
  /** Names of query parameters, as decoded. */
  readonly query: ReadonlySet<string>;
  /** Fields and query as they were recorded, for who looks at no value that was left out: in the view every look is noted. */
  readonly recordedHeaders: Iterable<[string, string]>;
  readonly recordedQuery: string;
  /** To be called where a decision hangs on what was left out. */
  note(): void;
  /** Whether nobody knows if there was a field of that name (lower case), or any parameter that is not recorded. */
  isUnknown(field: string): boolean;
  /** Whether there may have been fields that are not recorded. */
  readonly areFieldsUnknown: boolean;
  readonly isQueryUnknown: boolean;
  /** To be called where a decision hangs on something of which nobody knows whether it was there. */
  noteUnknown(): void;
}

/** A client's certificate (RFC 5280), as far as rules look at it. */
export interface ClientCertificate {
  /** Distinguished name as RFC 4514 writes it, most specific part first: `CN=orders,O=Example`; '' for none. */
  readonly subject: string;
  /** The common name of the subject; '' for none, and for several: which of them is meant nobody can tell. */
  readonly commonName: string;
  readonly issuer: string;
  /** Hexadecimal, lower case, without leading zeros. */
  readonly serial: string;
  /** Subject alternative names, DNS names in lower case; none where any of them is malformed. */
  readonly names: {
    readonly dns: readonly string[];
    readonly uris: readonly string[];
    readonly emails: readonly string[];
  };
  /** SHA-256 of its DER form, base64url: `x5t#S256` (RFC 8705 §3.1). */
  readonly thumbprint: string;
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number;
}

/** A buffered body. `json()` parses once, strictly, and throws PolicyRejection-worthy SyntaxError. */
export interface BodyView {
  readonly bytes: Uint8Array;
  /** UTF-8 text; throws TypeError for invalid UTF-8 (undecidable means refused). */
  text(): string;
  /** Parsed once and remembered; throws SyntaxError for anything that is not JSON. */
  json(): unknown;
}

export interface ResponseHead {
  readonly status: number;
  readonly headers: HeaderList;
}

/** Who calls, as proved by an authentication policy. */
export interface Identity {
  /** Name of the consumer. */
  readonly consumer: string;
  /** The consumer's id in another system (`X-Consumer-ID`); undefined for none. */
  readonly consumerId?: string;
  readonly groups: readonly string[];
  readonly scopes: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
  /** Public id of the credential that proved it, never the secret. */
  readonly credential?: { readonly id: string; readonly kind: string };
  /** Nothing was proved: the caller goes as this consumer because it presented nothing. */
  readonly anonymous?: true;
}

/** Header fields in which an upstream is told who calls. */
export interface IdentityFields {
  /** Names that only the gateway may say, lower case and with `-` for `_`: a client's own copies never go on. */
  readonly names: ReadonlySet<string>;
  /** Flat list for a caller, or for nobody: name, value, name, value. */
  of(identity: Identity | undefined): readonly string[];
}
