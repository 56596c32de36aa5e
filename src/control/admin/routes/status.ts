import type { FastifyInstance } from 'fastify';
import type { Refusal } from '../../publisher.ts';
import type { WorkerStatus } from '../../workers.ts';
import type { AdminDeps } from '../deps.ts';
import { ProblemError } from '../problem.ts';
import { NoQuery, Status, Worker, WorkerParams, Workers } from '../schemas.ts';
import { ADMIN, isoTime } from './answers.ts';

/** What the node is doing, and its workers. */
export function addStatusRoutes(app: FastifyInstance, deps: AdminDeps): void {
  const schema = { tags: ['status'], querystring: NoQuery };
  app.get(
    '/api/status',
    {
      schema: {
        ...schema,
        summary: 'What is served, and since when',
        response: { 200: Status },
      },
    },
    async () => statusOf(deps),
  );
  app.get(
    '/api/workers',
    { schema: { ...schema, summary: 'The worker threads', response: { 200: Workers } } },
    async () => ({ workers: deps.workers().map(viewWorker) }),
  );
  app.post<{ Params: WorkerParams }>(
    '/api/workers/:id/restart',
    {
      schema: {
        ...schema,
        summary: 'Replace a worker; the new one serves before the old one drains',
        params: WorkerParams,
        response: { 202: Worker },
      },
    },
    async (request, reply) => reply.code(202).send(await restart(deps, request.params.id)),
  );
}

function statusOf(deps: AdminDeps) {
  const { ready, reason = null, revision = null, source = null } = deps.readiness();
  const { refusal, activatedAtMs } = deps.publisher;
  return {
    version: deps.version,
    ready,
    reason,
    revision,
    source,
    activatedAt: activatedAtMs === undefined ? null : isoTime(activatedAtMs),
    store: deps.storeState?.() ?? (deps.store() === undefined ? 'unavailable' : 'ok'),
    sharedState: deps.sharedState?.() ?? null,
    refusal: refusal === undefined ? null : viewRefusal(refusal),
    workers: deps.workers().map(viewWorker),
  };
}

const viewRefusal = ({ atMs, origin, revision, issues }: Refusal) => ({
  at: isoTime(atMs),
  origin,
  revision: revision ?? null,
  issues,
});

const viewWorker = ({ lastEnd, ...status }: WorkerStatus) => ({ ...status, lastEnd: lastEnd ?? null });

/** Answers before the drain is over, which may take minutes. */
async function restart(deps: AdminDeps, id: number) {
  const worker = deps.workers().find((w) => w.id === id);
  if (worker === undefined) throw new ProblemError('not-found', `There is no worker ${id}.`);
  await auditRestart(deps, id);
  deps
    .restartWorker(id)
    .catch((error: unknown) => deps.log.error('worker-restart-failed', { worker: id, error }));
  return viewWorker(worker);
}

/** A store that fails must not keep an operator from replacing a sick worker. */
async function auditRestart({ store, clock, log }: AdminDeps, id: number): Promise<void> {
  const entry = { at: clock.now(), actor: ADMIN, action: 'worker.restart', subject: String(id), detail: {} };
  try {
    await store()?.appendAudit(entry);
  } catch (error) {
    log.error('audit-failed', { action: entry.action, error });
  }
}
