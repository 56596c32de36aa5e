import type { FastifyReply } from 'fastify';
import type { DocumentChange } from '../../config/index.ts';
import { type ConfigIssue, ERRORS, type ErrorCode } from '../../errors.ts';

export const PROBLEM_TYPE = 'application/problem+json';

/** What only the place of an error knows. */
export interface ProblemDetails {
  /** Public text. */
  readonly detail: string;
  readonly requestId?: string;
  readonly errors?: readonly ConfigIssue[] | undefined;
  /** What somebody else has changed meanwhile. */
  readonly changes?: readonly DocumentChange[] | undefined;
}

/** An error as RFC 9457 has it, with the fields that problems of the data side have. */
export function problemText(code: ErrorCode, { detail, requestId, errors, changes }: ProblemDetails): string {
  const { status, title } = ERRORS[code];
  const instance = requestId === undefined ? undefined : `urn:sallyport:request:${requestId}`;
  return JSON.stringify({
    type: `urn:sallyport:error:${code}`,
    title,
    status,
    detail,
    instance,
    code,
    requestId,
    errors,
    changes,
  });
}

/** Answers with a problem. As bytes: no schema of the route's answers may drop a part of it. */
export function sendProblem(
  reply: FastifyReply,
  code: ErrorCode,
  detail: string,
  errors?: readonly ConfigIssue[],
  changes?: readonly DocumentChange[],
): FastifyReply {
  const requestId = reply.request.id;
  const text = problemText(code, { detail, requestId, errors, changes });
  return reply.code(ERRORS[code].status).header('content-type', PROBLEM_TYPE).send(Buffer.from(text));
}

/** A refusal thrown on the way to an answer; becomes a problem, and is no defect. */
export class ProblemError extends Error {
  override readonly name = 'ProblemError';
  readonly code: ErrorCode;
  readonly errors: readonly ConfigIssue[] | undefined;

  constructor(code: ErrorCode, detail: string, errors?: readonly ConfigIssue[]) {
    super(detail);
    this.code = code;
    this.errors = errors;
  }
}
