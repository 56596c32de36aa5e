import type { FastifyInstance } from 'fastify';
import { EXPOSITION_TYPE } from '../../../observability/index.ts';
import { isLoopback } from '../access.ts';
import type { AdminDeps } from '../deps.ts';
import { Health, NoQuery, Readiness } from '../schemas.ts';

const PUBLIC = { isPublic: true };

/**
 * For probes, which hold no token. Metrics tell names of routes and upstreams: they are open to scrapers on
 * this machine, and need the token where the admin side is bound beyond loopback.
 */
export function addHealthRoutes(app: FastifyInstance, deps: AdminDeps): void {
  const open = { tags: ['health'], security: [], querystring: NoQuery };
  app.get(
    '/healthz',
    { config: PUBLIC, schema: { ...open, summary: 'The process is alive', response: { 200: Health } } },
    async () => ({ status: 'ok' }),
  );
  app.get(
    '/readyz',
    {
      config: PUBLIC,
      schema: {
        ...open,
        summary: 'A valid revision is served',
        response: { 200: Readiness, 503: Readiness },
      },
    },
    async (_request, reply) => {
      const { ready, reason = null, revision = null, source = null } = deps.readiness();
      return reply.code(ready ? 200 : 503).send({ ready, reason, revision, source });
    },
  );
  const isLocal = isLoopback(deps.host);
  const access = isLocal ? open : { tags: open.tags, querystring: NoQuery };
  app.get(
    '/metrics',
    {
      config: { isPublic: isLocal },
      schema: { ...access, summary: 'Prometheus metrics', produces: ['text/plain'] },
    },
    async (_request, reply) => reply.type(EXPOSITION_TYPE).send(await deps.metrics()),
  );
}
