import type { FastifyInstance } from 'fastify';
import type { RevocationEntry } from '../../../store/index.ts';
import { Revocation, Revocations, TokenRevocation } from '../caller-schemas.ts';
import type { AdminDeps } from '../deps.ts';
import { jsonRoute } from '../json-body.ts';
import { NoQuery } from '../schemas.ts';
import { ADMIN, isoOrNull, isoTime, timeOf } from './answers.ts';

const tags = ['revocations'];

/** What was taken back of others’ making: of the document, and tokens of issuers. */
export function addRevocationRoutes(app: FastifyInstance, { callers: { revocations } }: AdminDeps): void {
  app.get(
    '/api/revocations',
    {
      schema: {
        tags,
        summary: 'Revoked tokens, and credentials and consumers of the document that are refused',
        querystring: NoQuery,
        response: { 200: Revocations },
      },
    },
    async () => ({ revocations: revocations.list().map(viewRevocation) }),
  );
  app.post<{ Body: TokenRevocation }>(
    '/api/revocations/tokens',
    {
      ...jsonRoute,
      schema: {
        tags,
        summary: 'Refuse one token of an issuer in every worker, until it expires by itself',
        querystring: NoQuery,
        body: TokenRevocation,
        response: { 201: Revocation },
      },
    },
    async ({ body: { issuer, id, until, reason } }, reply) => {
      const token = { issuer, id, until: timeOf('until', until), reason };
      return reply.code(201).send(viewRevocation(await revocations.revokeToken(token, ADMIN)));
    },
  );
}

const viewRevocation = ({ kind, issuer, subject, at, by, reason, until }: RevocationEntry) => ({
  kind,
  issuer: kind === 'token' ? issuer : null,
  subject,
  at: isoTime(at),
  by,
  reason,
  until: isoOrNull(until),
});
