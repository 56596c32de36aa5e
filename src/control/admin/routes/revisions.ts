import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DOCUMENT_TYPES } from '../body.ts';
import type { AdminDeps } from '../deps.ts';
import { ProblemError, sendProblem } from '../problem.ts';
import {
  NoQuery,
  PageQuery,
  Published,
  PublishQuery,
  Revision,
  RevisionPage,
  RevisionParams,
} from '../schemas.ts';
import { ADMIN, isoTime, nextOf, storeOf } from './answers.ts';

const tags = ['revisions'];
const ENTITY_TAG = /^"([0-9a-f]{64})"$/;

/** Documents: what was served, and the way a new one goes live. */
export function addRevisionRoutes(app: FastifyInstance, deps: AdminDeps): void {
  app.get<{ Querystring: PageQuery }>(
    '/api/revisions',
    {
      schema: {
        tags,
        summary: 'Revisions, newest first',
        querystring: PageQuery,
        response: { 200: RevisionPage },
      },
    },
    async (request) => listRevisions(deps, request.query),
  );
  app.get<{ Params: RevisionParams }>(
    '/api/revisions/:id',
    {
      schema: {
        tags,
        summary: 'One revision with its document',
        querystring: NoQuery,
        params: RevisionParams,
        response: { 200: Revision },
      },
    },
    async (request) => getRevision(deps, request.params.id),
  );
  app.post<{ Querystring: PublishQuery }>(
    '/api/revisions',
    {
      schema: {
        tags,
        summary: 'Check a document and serve it in every worker, or in none',
        description:
          'If-Match with the active revision in quotes refuses (412) when another one became active.',
        querystring: PublishQuery,
        body: { content: Object.fromEntries(DOCUMENT_TYPES.map((type) => [type, { schema: {} }])) },
        response: { 200: Published, 201: Published },
      },
    },
    (request, reply) => publish(deps, request, reply),
  );
}

async function listRevisions(deps: AdminDeps, page: PageQuery) {
  const store = storeOf(deps);
  const revisions = await store.listRevisions(page);
  return {
    revisions: revisions.map((r) => ({ ...r, createdAt: isoTime(r.createdAt) })),
    active: deps.readiness().revision ?? null,
    next: nextOf(revisions, page.limit),
  };
}

async function getRevision(deps: AdminDeps, id: string) {
  const revision = await storeOf(deps).getRevision(id);
  if (revision === undefined) throw new ProblemError('not-found', 'There is no such revision.');
  return { ...revision, createdAt: isoTime(revision.createdAt) };
}

async function publish(
  deps: AdminDeps,
  request: FastifyRequest<{ Querystring: PublishQuery }>,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { body: text } = request;
  if (typeof text !== 'string' || text.trim() === '') {
    throw new ProblemError('malformed-request', 'The body holds no document.');
  }
  const expectedRevision = expectedOf(request.headers['if-match']);
  const { reason } = request.query;
  const result = await deps.publisher.publish({ text, actor: ADMIN, reason, expectedRevision });
  const { outcome, revision } = result;
  if (outcome === 'stale') {
    return sendProblem(
      reply,
      'precondition-failed',
      `Active is ${revision ?? 'none'}; look at it, then send again.`,
    );
  }
  if (outcome === 'refused') {
    return sendProblem(reply, 'invalid-document', 'The active revision is served on.', result.issues);
  }
  reply.header('etag', `"${revision}"`).header('location', `/api/revisions/${revision}`);
  return reply.code(outcome === 'activated' ? 201 : 200).send({ revision, outcome });
}

/** A precondition that is not understood fails: ignoring it would overwrite what it was to protect. */
function expectedOf(ifMatch: string | undefined): string | undefined {
  if (ifMatch === undefined || ifMatch === '*') return undefined;
  const revision = ENTITY_TAG.exec(ifMatch)?.[1];
  if (revision === undefined)
    throw new ProblemError('precondition-failed', 'If-Match takes one revision in quotes.');
  return revision;
}
