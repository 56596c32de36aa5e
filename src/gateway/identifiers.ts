import type { Random } from '../contract/index.ts';

/** What a caller's `X-Request-Id` may be: it goes into logs, headers and answers. */
const REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._:+/=-]{7,127}$/;

/** W3C Trace Context §3.2: version 00, no all-zero ids. */
const TRACEPARENT = /^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;

/** How a request is known in logs, answers and upstream. */
export interface Identifiers {
  /** The caller's where it is well-formed, else 32 hex digits. */
  readonly requestId: string;
  /** The caller's where it is valid, else the start of a new, unsampled trace. */
  readonly traceparent: string;
}

/** Keeps what the caller sent well-formed and makes the rest, from one draw of randomness. */
export function identify(
  sentId: string | undefined,
  sentParent: string | undefined,
  random: Random,
): Identifiers {
  const keptId = sentId !== undefined && REQUEST_ID.test(sentId) ? sentId : undefined;
  const keptParent = sentParent !== undefined && TRACEPARENT.test(sentParent) ? sentParent : undefined;
  if (keptId !== undefined && keptParent !== undefined) return { requestId: keptId, traceparent: keptParent };
  const hex = random.hex(40);
  return {
    requestId: keptId ?? hex.slice(0, 32),
    traceparent: keptParent ?? `00-${hex.slice(32, 64)}-${hex.slice(64)}-00`,
  };
}

/** The trace id inside a valid `traceparent`. */
export function traceIdOf(parent: string): string {
  return parent.slice(3, 35);
}
