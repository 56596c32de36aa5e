import type { FastifyRequest, RouteShorthandOptions } from 'fastify';
import { parseStrictJson } from '../../lib/strict-json.ts';
import { ProblemError } from './problem.ts';

const MAX_BYTES = 64 * 1024;
const MAX_DEPTH = 5;

/**
 * What a route has that takes an object in JSON: nothing else is read as one, a key may not stand twice, and a body
 * that is left out is an empty object.
 */
export const jsonRoute = Object.freeze({
  bodyLimit: MAX_BYTES,
  async preValidation(request: FastifyRequest) {
    request.body = bodyOf(request);
  },
}) satisfies RouteShorthandOptions;

function bodyOf({ body, headers }: FastifyRequest): unknown {
  if (body === undefined || body === null) return {};
  const type = headers['content-type']?.split(';')[0].trim().toLowerCase();
  if (type !== 'application/json' || typeof body !== 'string') {
    throw new ProblemError('unsupported-media-type', 'Send application/json.');
  }
  const parsed = parseStrictJson(body, MAX_DEPTH);
  if ('value' in parsed) return parsed.value;
  throw new ProblemError('malformed-request', `The body is not JSON that can be read (${parsed.fault}).`);
}
