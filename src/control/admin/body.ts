import type { FastifyInstance } from 'fastify';
import { ProblemError } from './problem.ts';

const JSON_TYPE = 'application/json';
export const DOCUMENT_TYPES: readonly string[] = [
  'application/yaml',
  'application/x-yaml',
  'text/yaml',
  JSON_TYPE,
];

/**
 * Bodies are handed on as text, so that the document keeps its lines for error messages and its comments.
 * Only these types are taken: a form of a foreign page can send none of them.
 */
export function documentParser(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  for (const type of DOCUMENT_TYPES) {
    app.addContentTypeParser(type, { parseAs: 'buffer' }, async (_request: unknown, bytes: Buffer) => {
      const text = decodeUtf8(bytes);
      if (type === JSON_TYPE) assertJson(text);
      return text;
    });
  }
}

/** A text with replacement characters would be another document than the one that was sent. */
function decodeUtf8(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ProblemError('malformed-request', 'The body is not valid UTF-8.');
  }
}

function assertJson(text: string): void {
  try {
    JSON.parse(text);
  } catch {
    throw new ProblemError('malformed-request', 'The body is not valid JSON.');
  }
}
