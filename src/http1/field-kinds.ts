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
  ['x-forwarded-for', FieldKind.FORWARDING],
  ['x-forwarded-host', FieldKind.FORWARDING],
  ['x-forwarded-proto', FieldKind.FORWARDING],
  ['x-forwarded-port', FieldKind.FORWARDING],
  ['x-forwarded-prefix', FieldKind.FORWARDING],
  ['x-forwarded-server', FieldKind.FORWARDING],
  ['x-real-ip', FieldKind.FORWARDING],
  ['x-client-ip', FieldKind.FORWARDING],
  ['true-client-ip', FieldKind.FORWARDING],
  ['x-original-url', FieldKind.FORWARDING],
  ['x-rewrite-url', FieldKind.FORWARDING],
  ['x-original-host', FieldKind.FORWARDING],
  ['x-consumer-id', FieldKind.FORWARDING],
  ['x-consumer-username', FieldKind.FORWARDING],
  ['x-consumer-custom-id', FieldKind.FORWARDING],
  ['x-consumer-groups', FieldKind.FORWARDING],
  ['x-credential-identifier', FieldKind.FORWARDING],
  ['x-anonymous-consumer', FieldKind.FORWARDING],
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
];

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
 * The kind of a field name in any case. `_` counts as `-`: servers that fold the two must not be handed an
 * identity under the other spelling.
 */
export function fieldKind(name: string): FieldKind {
  if (name.length > LONGEST || name.length === 0) return FieldKind.OTHER;
  const rivals = BY_SHAPE[shapeOf(name)];
  if (rivals.length === 0) return FieldKind.OTHER;
  const plain = name.includes('_') ? name.replaceAll('_', '-') : name;
  for (const [known, kind] of rivals) if (sameName(plain, known)) return kind;
  return FieldKind.OTHER;
}
