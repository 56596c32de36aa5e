import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { ERRORS, type ErrorCode } from '../../errors.ts';
import { reasonPhrase } from '../../http1/index.ts';
import { StoreError } from '../../store/index.ts';
import type { AdminDeps } from './deps.ts';
import { setGuardHeaders } from './guard.ts';
import { PROBLEM_TYPE, ProblemError, problemText, sendProblem } from './problem.ts';

/** Codes of the framework that a caller can cause. */
const FRAMEWORK_CODES: Readonly<Record<string, [ErrorCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['payload-too-large', 'The body is over the limit of this address.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported-media-type', 'Send application/yaml or application/json.'],
};

/** Turns whatever was thrown into a problem. What is no caller's fault is logged, and told by its id only. */
export function createErrorHandler({ log }: AdminDeps) {
  return (error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    setGuardHeaders(reply);
    if (error instanceof ProblemError) return sendProblem(reply, error.code, error.message, error.errors);
    if (error instanceof StoreError && error.code === 'conflict') {
      return sendProblem(reply, 'conflict', 'There is such a one already.');
    }
    if (error instanceof StoreError) {
      // That it is lost was told once, by its health.
      if (error.cause !== undefined || error.code !== 'unavailable') {
        log.error('store-failed', { requestId: request.id, error });
      }
      return sendProblem(reply, 'store-unavailable', 'The store failed; traffic is served on.');
    }
    if ('validation' in error && error.validation !== undefined) {
      return sendProblem(reply, 'invalid-request', error.message);
    }
    const known = 'code' in error ? FRAMEWORK_CODES[error.code] : undefined;
    if (known !== undefined) return sendProblem(reply, ...known);
    if ('statusCode' in error && error.statusCode !== undefined && error.statusCode < 500) {
      return sendProblem(reply, 'malformed-request', 'The request cannot be understood.');
    }
    log.error('admin-request-failed', { requestId: request.id, error });
    return sendProblem(reply, 'internal', 'An unexpected error; the log holds more under the request id.');
  };
}

const SOCKET_CODES: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers-too-large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
};

/** Answers what is not HTTP at all, before there is a request. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = SOCKET_CODES[error.code ?? ''] ?? 'malformed-request';
  const body = problemText(code, { detail: 'The request cannot be understood.' });
  const { status } = ERRORS[code];
  socket.end(
    `HTTP/1.1 ${status} ${reasonPhrase(status)}\r\nconnection: close\r\ncontent-type: ${PROBLEM_TYPE}\r\n` +
      `cache-control: no-store\r\nx-content-type-options: nosniff\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
