import { parseStrictJson } from '../lib/strict-json.ts';

/** A signed token as it was sent (JWS Compact Serialization, RFC 7515 §7.1), read strictly. Nothing of it is proved. */
export interface CompactJws {
  readonly token: string;
  readonly alg: string;
  /** Compared with the ids of keys and put to no other use; undefined for none. */
  readonly kid: string | undefined;
  /** Media type, lower case, without `application/` (RFC 7515 §4.1.9); undefined for none. */
  readonly typ: string | undefined;
  /** The whole protected header. `jku`, `x5u`, `x5c` and `jwk` in it are never followed. */
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: Uint8Array;
}

/** Why a token is not read, in words for the record; nothing of the token is in them. */
export interface Unreadable {
  readonly fault: string;
  /** It has not even the form of a signed token. */
  readonly isOfAnotherKind: boolean;
}

/** Key ids are names, not documents. */
const MAX_KID_LENGTH = 256;
const HEADER_DEPTH = 8;
const CLAIMS_DEPTH = 32;

/**
 * Canonical base64url (RFC 4648 §5, §3.5): no padding, no white space, no set bits behind the last byte. One token has
 * one spelling then, so that what is remembered, revoked or counted by its text is not there a second time.
 */
const BASE64URL = /^(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?$/;

/**
 * Reads a token whose length the caller has bounded. Refused before any key is looked for: what is not three parts of
 * canonical base64url, headers that are no JSON object or name a member twice, and every critical extension, since none
 * is known here (RFC 7515 §4.1.11; `b64`, RFC 7797, would change what was signed).
 */
export function readCompactJws(token: string): CompactJws | Unreadable {
  const parts = token.split('.', 4);
  if (parts.length !== 3) return { fault: 'the token has not three parts', isOfAnotherKind: true };
  const [header, payload, signature] = parts;
  if (signature === '' || header === '') return unreadable('the token is not signed');
  if (!parts.every((part) => BASE64URL.test(part))) return unreadable('the token is not canonical base64url');
  const members = jsonObject(Buffer.from(header, 'base64url'), HEADER_DEPTH);
  if ('fault' in members) return unreadable(`the header of the token ${members.fault}`);
  return readHeader(token, members.object, Buffer.from(payload, 'base64url'));
}

function readHeader(
  token: string,
  header: Readonly<Record<string, unknown>>,
  payload: Uint8Array,
): CompactJws | Unreadable {
  const { alg, kid, typ } = header;
  if (typeof alg !== 'string') return unreadable('the header of the token names no algorithm');
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64'))
    return unreadable('the header of the token has a critical extension');
  if (kid !== undefined && !(typeof kid === 'string' && kid.length <= MAX_KID_LENGTH))
    return unreadable('the key id of the token is no text of a sensible length');
  if (typ !== undefined && typeof typ !== 'string') return unreadable('the type of the token is no text');
  return { token, alg, kid, typ: typ === undefined ? undefined : mediaType(typ), header, payload };
}

/**
 * The claims of a token (RFC 7519 §4), which are not proved by being read. A text says why there are none: an object
 * with a fault in it would look like claims.
 */
export function readClaims({ payload }: CompactJws): Readonly<Record<string, unknown>> | string {
  const claims = jsonObject(payload, CLAIMS_DEPTH);
  return 'fault' in claims ? `the payload of the token ${claims.fault}` : claims.object;
}

/** Names of media types have no case; without a slash `application/` is meant. */
export function mediaType(typ: string): string {
  const lower = typ.toLowerCase();
  return lower.startsWith('application/') && lower.indexOf('/', 12) === -1 ? lower.slice(12) : lower;
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A member named twice is two documents: one reader believes the first, another the last. */
function jsonObject(
  bytes: Uint8Array,
  maxDepth: number,
): { readonly object: Readonly<Record<string, unknown>> } | Unreadable {
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return unreadable('is not UTF-8');
  }
  const parsed = parseStrictJson(text, maxDepth);
  if ('fault' in parsed) return unreadable(`is not sound JSON (${parsed.fault})`);
  const { value } = parsed;
  if (!isObject(value)) return unreadable('is no JSON object');
  return { object: value };
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const unreadable = (fault: string): Unreadable => ({ fault, isOfAnotherKind: false });
