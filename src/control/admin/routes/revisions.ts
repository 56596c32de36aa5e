import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { DOCUMENT_TYPES } from '../body.ts';
import type { AdminDeps } from '../deps.ts';
import { ProblemError, sendProblem } from '../problem.ts';
import { OfferQuery, Started } from '../rollout-schemas.ts';
import { NoQuery, PageQuery, Revision, RevisionPage, RevisionParams } from '../schemas.ts';
import { actorOf, isoTime, nextOf, storeOf } from './answers.ts';
import { changesSince } from './stale.ts';

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
  app.post<{ Querystring: OfferQuery }>(
    '/api/revisions',
    {
      schema: {
        tags,
        summary: 'Check a document and serve it in every worker, or in none',
        description:
          'One that goes its way step by step is answered with 202 and the id of its rollout. If-Match with the active ' +
          'revision in quotes refuses (412) when another one became active; `changes` then has what is to be merged.',
        querystring: OfferQuery,
        body: { content: Object.fromEntries(DOCUMENT_TYPES.map((type) => [type, { schema: {} }])) },
        response: { 200: Started, 201: Started, 202: Started },
      },
    },
    async (request, reply) => (await offer(deps, request, reply)) ?? reply,
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

const STATUS = Object.freeze({ activated: 201, unchanged: 200, rollout: 202 });

/** Offers the document of a request. Gives what to answer with, or undefined where a problem was sent. */
export async function offer(
  deps: AdminDeps,
  request: FastifyRequest<{ Querystring: OfferQuery }>,
  reply: FastifyReply,
) {
  const { body: text } = request;
  if (typeof text !== 'string' || text.trim() === '') {
    throw new ProblemError('malformed-request', 'The body holds no document.');
  }
  const expectedRevision = expectedOf(request.headers['if-match']);
  const { reason, as } = request.query;
  const result = await deps.publisher.publish({ text, actor: actorOf(as), reason, expectedRevision });
  const { outcome, revision } = result;
  switch (outcome) {
    case 'stale': {
      const changes = await changesSince(deps.store(), expectedRevision ?? '', revision);
      sendProblem(reply, 'precondition-failed', staleText(revision), undefined, changes);
      return undefined;
    }
    case 'busy':
      throw new ProblemError(
        'rollout-in-progress',
        `Rollout ${result.rollout} is under way; see how it ends.`,
      );
    case 'refused':
      sendProblem(reply, 'invalid-document', 'The active revision is served on.', result.issues);
      return undefined;
    default:
      reply
        .code(STATUS[outcome])
        .header('etag', `"${revision}"`)
        .header('location', `/api/revisions/${revision}`);
      return {
        revision,
        outcome,
        rollout: outcome === 'rollout' ? result.rollout : null,
        findings: result.findings ?? [],
      };
  }
}

const staleText = (active: string | undefined): string =>
  `Active is ${active ?? 'none'}; look at it, then send again.`;

/** A precondition that is not understood fails: ignoring it would overwrite what it was to protect. */
function expectedOf(ifMatch: string | undefined): string | undefined {
  if (ifMatch === undefined || ifMatch === '*') return undefined;
  const revision = ENTITY_TAG.exec(ifMatch)?.[1];
  if (revision === undefined)
    throw new ProblemError('precondition-failed', 'If-Match takes one revision in quotes.');
  return revision;
}
