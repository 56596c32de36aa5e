import { sameName } from '../lib/header-list.ts';

/** Fields that mean something to the codec or the hop. Everything else is `OTHER` and travels untouched. */
export const FieldKind = {
  OTHER: 0,
  HOST: 1,
  CONTENT_LENGTH: 2,
  TRANSFER_ENCODING: 3,
  CONNECTION: 4,
  EXPECT: 5,
  UPGRADE: 6,
  /** Hop-by-hop by definition (RFC 9110 §7.6.1): dropped at this hop. */
  HOP_BY_HOP: 7,
  /** Says who or where the client is; only the gateway says that. */
  FORWARDING: 8,
  VIA: 9,
  REQUEST_ID: 10,
  TRACEPARENT: 11,
  /** Never valid in a trailer section (RFC 9110 §6.5.1), else as OTHER. */
  NOT_IN_TRAILERS: 12,
  DATE: 13,
  /** Told to clients by this gateway alone. */
  REVISION: 14,
  /** Asks servers that know it for another method than the request line's. */
  METHOD_OVERRIDE: 15,
} as const;

export type FieldKind = (typeof FieldKind)[keyof typeof FieldKind];

const KINDS: readonly (readonly [string, FieldKind])[] = [
  ['host', FieldKind.HOST],
  ['content-length', FieldKind.CONTENT_LENGTH],
  ['transfer-encoding', FieldKind.TRANSFER_ENCODING],
  ['connection', FieldKind.CONNECTION],
  ['expect', FieldKind.EXPECT],
  ['upgrade', FieldKind.UPGRADE],
  ['keep-alive', FieldKind.HOP_BY_HOP],
  ['proxy-connection', FieldKind.HOP_BY_HOP],
  ['proxy-authorization', FieldKind.HOP_BY_HOP],
  ['proxy-authenticate', FieldKind.HOP_BY_HOP],
  ['te', FieldKind.HOP_BY_HOP],
  ['trailer', FieldKind.HOP_BY_HOP],
  ['http2-settings', FieldKind.HOP_BY_HOP],
  ['forwarded', FieldKind.FORWARDING],
  ['x-real-ip', FieldKind.FORWARDING],
  ['x-client-ip', FieldKind.FORWARDING],
  ['true-client-ip', FieldKind.FORWARDING],
  ['cf-connecting-ip', FieldKind.FORWARDING],
  ['fastly-client-ip', FieldKind.FORWARDING],
  ['x-cluster-client-ip', FieldKind.FORWARDING],
  ['x-original-forwarded-for', FieldKind.FORWARDING],
  ['x-envoy-external-address', FieldKind.FORWARDING],
  ['x-envoy-internal', FieldKind.FORWARDING],
  ['x-original-url', FieldKind.FORWARDING],
  ['x-rewrite-url', FieldKind.FORWARDING],
  ['x-original-host', FieldKind.FORWARDING],
  ['x-anonymous-consumer', FieldKind.FORWARDING],
  // A certificate that a proxy before us had verified (RFC 9440); Envoy's name for it is a vouched one.
  ['client-cert', FieldKind.FORWARDING],
  ['client-cert-chain', FieldKind.FORWARDING],
  ['via', FieldKind.VIA],
  ['x-request-id', FieldKind.REQUEST_ID],
  ['traceparent', FieldKind.TRACEPARENT],
  ['authorization', FieldKind.NOT_IN_TRAILERS],
  ['cookie', FieldKind.NOT_IN_TRAILERS],
  ['set-cookie', FieldKind.NOT_IN_TRAILERS],
  ['content-type', FieldKind.NOT_IN_TRAILERS],
  ['content-encoding', FieldKind.NOT_IN_TRAILERS],
  ['content-range', FieldKind.NOT_IN_TRAILERS],
  ['cache-control', FieldKind.NOT_IN_TRAILERS],
  ['max-forwards', FieldKind.NOT_IN_TRAILERS],
  ['range', FieldKind.NOT_IN_TRAILERS],
  ['location', FieldKind.NOT_IN_TRAILERS],
  ['www-authenticate', FieldKind.NOT_IN_TRAILERS],
  ['date', FieldKind.DATE],
  ['x-policy-revision', FieldKind.REVISION],
  ['x-http-method-override', FieldKind.METHOD_OVERRIDE],
  ['x-http-method', FieldKind.METHOD_OVERRIDE],
  ['x-method-override', FieldKind.METHOD_OVERRIDE],
];

/** Whole families of names in which gateways tell servers who calls: nobody else may, whatever comes behind. */
const VOUCHED: readonly string[] = ['x-forwarded-', 'x-consumer-', 'x-credential-', 'x-authenticated-'];
const LETTER_X = 0x78;

function isVouched(name: string): boolean {
  for (const prefix of VOUCHED) if (startsWith(name, prefix)) return true;
  return false;
}

/**
 * Whether a name begins with `prefix`, in any case and with any mark for `-`: servers of CGI's kind read every mark in a
 * name as `_`.
 */
function startsWith(name: string, prefix: string): boolean {
  if (name.length < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) {
    const code = name.charCodeAt(i);
    const wanted = prefix.charCodeAt(i);
    if (code !== wanted && (code | 0x20) !== wanted && !(wanted === HYPHEN && isMark(code))) return false;
  }
  return true;
}

const HYPHEN = 0x2d;

/** Of the characters of a token (RFC 9110 §5.6.2): neither letter nor digit. */
function isMark(code: number): boolean {
  const small = code | 0x20;
  return !(small >= 0x61 && small <= 0x7a) && !(code >= 0x30 && code <= 0x39);
}

/** Kinds that are dropped or refused under each spelling. What frames a message is so under its own only. */
const IN_ANY_SPELLING: ReadonlySet<FieldKind> = new Set([FieldKind.FORWARDING, FieldKind.METHOD_OVERRIDE]);

const LONGEST = 32;

/** Known names by length and first letter: hardly any other name shares both, so hardly any is compared. */
const BY_SHAPE: (readonly (readonly [string, FieldKind])[])[] = [];
for (const known of KINDS) {
  const shape = shapeOf(known[0]);
  BY_SHAPE[shape] = [...(BY_SHAPE[shape] ?? []), known];
}
for (let shape = 0; shape < (LONGEST + 1) * 32; shape++) BY_SHAPE[shape] ??= [];

function shapeOf(name: string): number {
  return name.length * 32 + (name.charCodeAt(0) & 31);
}

/**
 * The kind of a field name in any case. `_` counts as `-`, and any mark where a client would say who or where it is:
 * servers that fold them must not be handed an identity under the other spelling.
 */
export function fieldKind(name: string): FieldKind {
  if ((name.charCodeAt(0) | 0x20) === LETTER_X && isVouched(name)) return FieldKind.FORWARDING;
  if (name.length > LONGEST || name.length === 0) return FieldKind.OTHER;
  const rivals = BY_SHAPE[shapeOf(name)];
  if (rivals.length === 0) return FieldKind.OTHER;
  const plain = name.includes('_') ? name.replaceAll('_', '-') : name;
  for (const [known, kind] of rivals) {
    if (sameName(plain, known) || (IN_ANY_SPELLING.has(kind) && startsWith(name, known))) return kind;
  }
  return FieldKind.OTHER;
}
