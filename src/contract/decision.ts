import type { PolicyRejection } from '../errors.ts';

/** An answer the gateway gives by itself (a CORS preflight, a cache hit). */
export interface LocalResponse {
  readonly status: number;
  /** Flat list: name, value, name, value. */
  readonly headers: readonly string[];
  readonly body: string | Uint8Array;
}

/** What one attachment says of one request. Data, never a boolean: a forgotten case cannot mean "allow". */
export type Decision =
  /** `rule`: which rule let it on, where there are several and the record should tell. */
  | { readonly kind: 'continue'; readonly rule?: string }
  | { readonly kind: 'reject'; readonly error: PolicyRejection }
  | { readonly kind: 'respond'; readonly response: LocalResponse }
  /**
   * The request is for the policy itself, which has a path of its own. Only in the request phase: no policy behind it is
   * asked, the body is buffered, and its `requestBody` answers. Nothing of it ever reaches an upstream.
   */
  | { readonly kind: 'take' };

/** What a policy says of one piece of a streamed answer. */
export type ChunkDecision =
  | { readonly kind: 'continue' }
  | { readonly kind: 'replace'; readonly bytes: Uint8Array }
  | { readonly kind: 'abort'; readonly error: PolicyRejection };

/** The one `continue`; policies return it without allocating. */
export const CONTINUE: { readonly kind: 'continue' } = Object.freeze({ kind: 'continue' });

/** The one `take`. */
export const TAKE: Decision = Object.freeze({ kind: 'take' });
export const reject = (error: PolicyRejection): Decision => ({ kind: 'reject', error });
export const respond = (response: LocalResponse): Decision => ({ kind: 'respond', response });

/** `enforce` acts; `shadow` is evaluated, counted and recorded, never acted on; `off` is not evaluated. */
export type Mode = 'enforce' | 'shadow' | 'off';

/** What a failing policy does: `reject` (default) refuses the request, `continue` lets it on. Both are counted. */
export type OnError = 'reject' | 'continue';

/** What an attachment did with a request, as recorded. `error`: it threw. `skipped`: its `when` was false. */
export type Outcome = 'continue' | 'reject' | 'respond' | 'error' | 'skipped';

export type Phase = 'request' | 'requestBody' | 'response' | 'responseChunk';

/** One attachment's part in a verdict. */
export interface DecisionEntry {
  /** Stable id of the attachment, e.g. `route:orders/rate-limit`. */
  readonly attachment: string;
  readonly policy: string;
  readonly mode: Mode;
  readonly phase: Phase;
  readonly outcome: Outcome;
  /** For `reject`: the error code. */
  readonly code?: string;
  /** For `reject`, and for `continue` where several rules could have let it on. */
  readonly rule?: string;
  /** For `reject` and `error`: why, in words for the operator. */
  readonly reason?: string;
}
