import type { Random } from '../contract/index.ts';

/** What a caller's `X-Request-Id` may be: it goes into logs, headers and answers. */
const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._:+/=-]{7,127}$/;

/** W3C Trace Context §3.2: version 00, no all-zero ids. */
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** The caller's request id where it is well-formed, else a new one of 32 hex digits. */
export function requestId(sent: string | undefined, random: Random): string {
  return sent !== undefined && REQUEST_ID.test(sent) ? sent : random.hex(16);
}

/** The caller's `traceparent` where it is valid, else the start of a new, unsampled trace. */
export function traceparent(sent: string | undefined, random: Random): string {
  if (sent !== undefined && TRACEPARENT.test(sent)) return sent;
  return `00-${random.hex(16)}-${random.hex(8)}-00`;
}

/** The trace id inside a valid `traceparent`. */
export function traceIdOf(parent: string): string {
  return parent.slice(3, 35);
}
