import type { Attachment } from '../contract/index.ts';
import { ERRORS, PolicyRejection, type RequestError, type UpstreamError } from '../errors.ts';

/** An error on its way to becoming an answer. */
export interface Problem {
  readonly error: PolicyRejection | RequestError | UpstreamError;
  readonly requestId: string;
  readonly revision: string;
  /** The attachment that refused, where one did. */
  readonly by: Attachment | undefined;
}

/** The one place of the data side where an error becomes HTTP (RFC 9457). */
export interface ProblemAnswer {
  readonly status: number;
  /** Flat fields, without length and date. */
  readonly fields: readonly string[];
  readonly body: string | Uint8Array;
}

/** Public facts only: causes and reasons stay in the record. */
export function problemAnswer({ error, requestId, revision, by }: Problem): ProblemAnswer {
  const entry = ERRORS[error.code];
  const rejection = error instanceof PolicyRejection ? error : undefined;
  const status = rejection?.status ?? entry.status;
  const type = rejection?.body?.type ?? 'application/problem+json';
  const fields = ['Content-Type', type, 'Cache-Control', 'no-store', ...(rejection?.headers ?? [])];
  if (rejection?.body !== undefined) return { status, fields, body: rejection.body.bytes };
  const body = JSON.stringify({
    type: `urn:sallyport:error:${error.code}`,
    title: entry.title,
    status,
    detail: error.detail,
    instance: `urn:sallyport:request:${requestId}`,
    code: error.code,
    requestId,
    ...(by === undefined ? {} : { policy: by.policy }),
    ...(rejection?.rule === undefined ? {} : { rule: rejection.rule }),
    revision,
  });
  return { status, fields, body: `${body}\n` };
}
