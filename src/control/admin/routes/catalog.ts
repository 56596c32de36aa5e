import type { FastifyInstance } from 'fastify';
import type { AdminDeps } from '../deps.ts';
import { NoQuery, Policies } from '../schemas.ts';

const tags = ['catalog'];

/** What can be configured, and this API itself (`openApi`). */
export function addCatalogRoutes(
  app: FastifyInstance,
  deps: AdminDeps,
  openApi: () => Promise<object>,
): void {
  app.get(
    '/api/policies',
    {
      schema: {
        tags,
        summary: 'Kinds of policies',
        querystring: NoQuery,
        response: { 200: Policies },
      },
    },
    async () => ({ policies: deps.policies.map(({ name, summary, schema }) => ({ name, summary, schema })) }),
  );
  app.get(
    '/api/schema.json',
    { schema: { tags, summary: 'JSON Schema of documents', querystring: NoQuery } },
    async (_request, reply) =>
      reply.type('application/schema+json').send(JSON.stringify(deps.documentSchema())),
  );
  app.get('/api/openapi.json', { schema: { tags, summary: 'This document', querystring: NoQuery } }, () =>
    openApi(),
  );
}
