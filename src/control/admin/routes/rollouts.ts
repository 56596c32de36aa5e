import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isOpen } from '../../../lifecycle/index.ts';
import { RolloutError, type ShownRollout } from '../../rollouts/desk.ts';
import { waitsFor } from '../../rollouts/waits-for.ts';
import { DOCUMENT_TYPES } from '../body.ts';
import type { AdminDeps } from '../deps.ts';
import { EventStreams } from '../event-stream.ts';
import { jsonRoute } from '../json-body.ts';
import { ProblemError } from '../problem.ts';
import {
  ApprovalRequest,
  Asked,
  OfferQuery,
  PromoteRequest,
  RollbackRequest,
  RolledBack,
  Rollout,
  RolloutPage,
  RolloutParams,
  Started,
} from '../rollout-schemas.ts';
import { NoQuery, PageQuery } from '../schemas.ts';
import { actorOf, isoOrNull, isoTime } from './answers.ts';
import { offer } from './revisions.ts';

const tags = ['rollouts'];
const one = { tags, querystring: NoQuery, params: RolloutParams };

/** The way of revisions: one at a time, step by step. */
export function addRolloutRoutes(app: FastifyInstance, deps: AdminDeps): void {
  addReading(app, deps);
  addStart(app, deps);
  addDecisions(app, deps);
  addRollback(app, deps);
}

function addReading(app: FastifyInstance, deps: AdminDeps): void {
  const { rollouts, clock } = deps;
  const streams = new EventStreams(app);
  app.get<{ Querystring: PageQuery }>(
    '/api/rollouts',
    {
      schema: {
        tags,
        summary: 'Rollouts, newest first',
        querystring: PageQuery,
        response: { 200: RolloutPage },
      },
    },
    async ({ query }) => {
      const page = await refused(rollouts().list(query));
      const next = page.length < query.limit ? null : (page.at(-1)?.number ?? null);
      return { rollouts: page.map((rollout) => viewOf(rollout, clock.now())), next };
    },
  );
  app.get(
    '/api/rollouts/current',
    {
      schema: {
        tags,
        querystring: NoQuery,
        summary: 'The rollout under way or, where none is, the latest',
        response: { 200: Rollout },
      },
    },
    async () => {
      const current = await refused(rollouts().current());
      if (current === undefined) throw new ProblemError('not-found', 'There was no rollout yet.');
      return viewOf(current, clock.now());
    },
  );
  app.get<{ Params: RolloutParams }>(
    '/api/rollouts/:id',
    { schema: { ...one, summary: 'One rollout', response: { 200: Rollout } } },
    async ({ params }) => viewOf(await refused(rollouts().get(params.id)), clock.now()),
  );
  app.get<{ Params: RolloutParams }>(
    '/api/rollouts/:id/events',
    {
      schema: {
        ...one,
        summary: 'One rollout as it goes on, as server-sent events, until it has ended',
        description: 'Each event is called `rollout`; its data is what GET of the rollout answers.',
        produces: ['text/event-stream'],
      },
    },
    async ({ params }, reply) => {
      await refused(rollouts().get(params.id));
      await streams.send(reply, {
        subscribe: (listener) => rollouts().subscribe(listener),
        latest: async () => {
          const rollout = await rollouts().get(params.id);
          return { data: viewOf(rollout, clock.now()), isLast: !isOpen(rollout.rollout) };
        },
      });
      return reply;
    },
  );
}

function addStart(app: FastifyInstance, deps: AdminDeps): void {
  app.post<{ Querystring: OfferQuery }>(
    '/api/rollouts',
    {
      schema: {
        tags,
        summary: 'Check a document and take it on its way',
        description:
          'A document that says nothing of a rollout is live at once, unless the one in service does. If-Match with the ' +
          'active revision in quotes refuses (412) when another one became active; `changes` then has what is to be merged.',
        querystring: OfferQuery,
        body: { content: Object.fromEntries(DOCUMENT_TYPES.map((type) => [type, { schema: {} }])) },
        response: { 200: Started, 201: Started, 202: Started },
      },
    },
    async (request, reply) => {
      const started = await offer(deps, request, reply);
      if (started === undefined) return reply;
      reply.header(
        'location',
        started.rollout === null ? `/api/revisions/${started.revision}` : `/api/rollouts/${started.rollout}`,
      );
      return started;
    },
  );
}

function addDecisions(app: FastifyInstance, { rollouts, clock }: AdminDeps): void {
  const route = (summary: string, body: object) => ({
    ...jsonRoute,
    schema: { ...one, summary, body, response: { 200: Rollout } },
  });
  const answer = async (work: Promise<ShownRollout>) => viewOf(await refused(work), clock.now());
  app.post<{ Params: RolloutParams; Body: ApprovalRequest }>(
    '/api/rollouts/:id/approve',
    route('Agree to what it shows', ApprovalRequest),
    ({ params, body: { evidence, ...asked } }) =>
      answer(rollouts().approve(params.id, { ...by(asked), evidence })),
  );
  app.post<{ Params: RolloutParams; Body: Asked }>(
    '/api/rollouts/:id/pause',
    route('Keep it from going on; what is broken is rolled back all the same', Asked),
    ({ params, body }) => answer(rollouts().pause(params.id, by(body))),
  );
  app.post<{ Params: RolloutParams; Body: Asked }>(
    '/api/rollouts/:id/resume',
    route('Let it go on', Asked),
    ({ params, body }) => answer(rollouts().resume(params.id, by(body))),
  );
  app.post<{ Params: RolloutParams; Body: PromoteRequest }>(
    '/api/rollouts/:id/promote',
    route('Go on to the next step now', PromoteRequest),
    ({ params, body: { to, ...asked } }) => answer(rollouts().promote(params.id, { ...by(asked), to })),
  );
  app.post<{ Params: RolloutParams; Body: Asked }>(
    '/api/rollouts/:id/abort',
    route('End it: the revision in service decides all requests', Asked),
    ({ params, body }) => answer(rollouts().abort(params.id, by(body))),
  );
}

function addRollback(app: FastifyInstance, { rollouts }: AdminDeps): void {
  app.post<{ Body: RollbackRequest }>(
    '/api/rollback',
    {
      ...jsonRoute,
      schema: {
        tags,
        querystring: NoQuery,
        summary: 'Go back at once: end the rollout under way, or serve an earlier revision',
        body: RollbackRequest,
        response: { 200: RolledBack },
      },
    },
    async ({ body: { revision, ...asked } }: FastifyRequest<{ Body: RollbackRequest }>) => {
      const result = await refused(rollouts().rollback({ ...by(asked), revision }));
      if (result.outcome === 'aborted')
        return { outcome: result.outcome, revision: null, aborted: result.rollout };
      return { ...result, aborted: result.aborted ?? null };
    },
  );
}

const by = ({ as, reason }: Asked) => ({ actor: actorOf(as), reason });

async function refused<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof RolloutError)) throw error;
    throw new ProblemError(error.code, error.message, error.issues);
  }
}

/** Members that the answer's schema does not name are left out of it. */
function viewOf(shown: ShownRollout, nowMs: number) {
  const { rollout, live, number, evidence, replay } = shown;
  const { paused, approvals, plan, history } = rollout;
  return {
    id: rollout.id,
    number: number ?? null,
    revision: rollout.revision,
    base: rollout.base,
    phase: rollout.phase,
    step: rollout.step,
    steps: plan.steps.length,
    origin: rollout.origin,
    actor: rollout.actor,
    reason: rollout.reason,
    startedAt: isoTime(rollout.startedAt),
    since: isoTime(rollout.since),
    deadline: isoOrNull(rollout.deadline),
    pausedBy: paused?.by ?? null,
    approvalsNeeded: rollout.approvalsNeeded,
    approvals: approvals.map(({ actor, at }) => ({ actor, at: isoTime(at) })),
    endedAt: isoOrNull(rollout.endedAt),
    evidence: evidence ?? null,
    waitsFor: waitsFor(shown, nowMs) ?? null,
    plan,
    replay: rollout.replay ?? null,
    replaying: replay === undefined ? null : { records: replay.records, at: isoTime(replay.atMs) },
    live: live ?? null,
    history: history.map((entry) => ({ ...entry, at: isoTime(entry.at), evidence: entry.evidence ?? null })),
  };
}
