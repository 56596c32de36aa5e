import type { LimitOutcome, PolicyContext } from '../../contract/index.ts';

/**
 * The RateLimit fields of draft-ietf-httpapi-ratelimit-headers-11 (an Internet-Draft, not RFC 9331): lists of
 * structured items (RFC 9651), so that several limits on one request are members of one list.
 */
export class LimitHeaders {
  readonly #name: string;
  readonly #policy: string;

  /** `name` is of the characters that need no escape in a structured string. */
  constructor(name: string, limit: number, windowMs: number) {
    this.#name = `"${name}"`;
    // The draft's `w` is a whole number of seconds; a window that is none is better left out than told wrongly.
    const window = windowMs % 1000 === 0 ? `;w=${windowMs / 1000}` : '';
    this.#policy = `${this.#name};q=${limit}${window}`;
  }

  append({ edits }: PolicyContext, outcome: LimitOutcome): void {
    // A refused client must not read an earlier time here than in Retry-After.
    const untilMs = outcome.allowed ? outcome.resetMs : outcome.retryAfterMs;
    edits.appendResponseHeader('RateLimit-Policy', this.#policy);
    edits.appendResponseHeader(
      'RateLimit',
      `${this.#name};r=${outcome.remaining};t=${wholeSeconds(untilMs)}`,
    );
  }
}

/** Rounded up: a client that waits for as long as it was told gets through. */
export const wholeSeconds = (ms: number): number => Math.ceil(ms / 1000);

/** A name for the headers when the document gives none: the attachment's own part of its id. */
export function defaultName(attachment: string, route: string | undefined): string {
  const own = attachment.slice(attachment.lastIndexOf('/') + 1).replace(/[^A-Za-z0-9._-]/g, '-');
  return route === undefined ? `listener-${own}` : own;
}
