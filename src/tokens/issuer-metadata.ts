import type { Network } from '../contract/index.ts';
import { NetworkError } from '../errors.ts';
import { parseStrictJson } from '../lib/strict-json.ts';
import { isObject } from './compact-jws.ts';

/** How something is fetched of an issuer. */
export interface IssuerAccess {
  /** PEM of the CAs that may sign its certificate; undefined for the system's. */
  readonly ca: string | undefined;
  /** For each exchange. */
  readonly timeoutMs: number;
}

/** What an authorization server says of itself. */
export type IssuerMetadata = Readonly<Record<string, unknown>>;

const MAX_BYTES = 256 * 1024;
const MAX_DEPTH = 16;
const HEADERS = Object.freeze(['Accept', 'application/json']);

/**
 * The metadata of an issuer: from OpenID Connect Discovery 1.0 §4, or from RFC 8414 §3 where that has none. Taken only
 * if it names the very issuer it was asked of (RFC 8414 §3.3): else one server could speak for another.
 * Rejects with NetworkError.
 */
export async function discoverIssuer(
  network: Network,
  issuer: string,
  access: IssuerAccess,
): Promise<IssuerMetadata> {
  const [openid, oauth] = metadataUrls(issuer);
  let metadata = await fetchJson(network, openid, access);
  if (typeof metadata === 'number') metadata = await fetchJson(network, oauth, access);
  if (typeof metadata === 'number')
    throw malformed(issuer, `answers ${metadata} where its metadata should be`);
  if (metadata.issuer !== issuer) throw malformed(issuer, 'publishes the metadata of another issuer');
  return metadata;
}

/**
 * An endpoint of the metadata: an absolute URL without user information, over TLS unless the issuer itself is without.
 * Throws NetworkError.
 */
export function endpointOf(metadata: IssuerMetadata, name: string, issuer: string): string {
  const url = metadata[name];
  if (typeof url === 'string' && isEndpoint(url, issuer)) return url;
  throw malformed(issuer, `publishes no usable ${name}`);
}

/** Whether a URL may be asked on behalf of an issuer: with `https:`, or with `http:` where the issuer has it too. */
export function isEndpoint(url: string, issuer: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, username, password } = new URL(url);
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && issuer.startsWith('http:'));
}

/** Whether a text can be an issuer whose metadata is looked for (RFC 8414 §2): a URL without query and fragment. */
export function isIssuerUrl(text: string): boolean {
  if (!/^https?:\/\/[^/]/.test(text) || !URL.canParse(text)) return false;
  const { username, password } = new URL(text);
  return username === '' && password === '' && !/[?#]/.test(text);
}

/** Where metadata is looked for, in this order. */
function metadataUrls(issuer: string): readonly [openid: string, oauth: string] {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  return [
    `${origin}${path}/.well-known/openid-configuration`,
    `${origin}/.well-known/oauth-authorization-server${path}`,
  ];
}

/** A JSON object from a URL, or the status of an answer that is not 200. Rejects with NetworkError. */
export async function fetchJson(
  network: Network,
  url: string,
  { ca, timeoutMs }: IssuerAccess,
): Promise<Readonly<Record<string, unknown>> | number> {
  const { status, body } = await network.send({
    method: 'GET',
    url,
    headers: HEADERS,
    timeoutMs,
    maxBytes: MAX_BYTES,
    ca,
  });
  if (status !== 200) return status;
  const parsed = parseStrictJson(new TextDecoder().decode(body), MAX_DEPTH);
  if ('fault' in parsed || !isObject(parsed.value)) throw malformed(url, 'answered with no JSON object');
  return parsed.value;
}

function malformed(url: string, problem: string): NetworkError {
  return new NetworkError('malformed', `${new URL(url).host} ${problem}`);
}
