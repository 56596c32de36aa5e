import type { FastifyInstance } from 'fastify';
import type { QuotaUsageEntry } from '../../../store/index.ts';
import type { AdminDeps } from '../deps.ts';
import { jsonRoute } from '../json-body.ts';
import { QuotaGrant, QuotaPage, QuotaParams, QuotaQuery, QuotaReset, QuotaUsage } from '../quota-schemas.ts';
import { NoQuery } from '../schemas.ts';
import { ADMIN, isoTime } from './answers.ts';

const tags = ['quotas'];
const one = { tags, querystring: NoQuery, params: QuotaParams };

/** What callers have used of their quotas. */
export function addQuotaRoutes(app: FastifyInstance, { quotas }: AdminDeps): void {
  app.get<{ Querystring: QuotaQuery }>(
    '/api/quotas',
    {
      schema: {
        tags,
        summary: 'What is used of quotas, in windows that have not ended',
        querystring: QuotaQuery,
        response: { 200: QuotaPage },
      },
    },
    async ({ query }) => {
      const page = await quotas.list(query);
      const next = page.length < query.limit ? null : page.at(-1)?.id;
      return { quotas: page.map(viewUsage), next, shared: quotas.isShared };
    },
  );
  app.get<{ Params: QuotaParams }>(
    '/api/quotas/:id',
    { schema: { ...one, summary: 'What one caller has used of one quota', response: { 200: QuotaUsage } } },
    async ({ params }) => viewUsage(await quotas.get(params.id)),
  );
  app.post<{ Params: QuotaParams; Body: QuotaReset }>(
    '/api/quotas/:id/reset',
    {
      ...jsonRoute,
      schema: {
        ...one,
        summary:
          'Give back all that was used in the window, in every worker and node before this is answered',
        body: QuotaReset,
        response: { 200: QuotaUsage },
      },
    },
    async ({ params, body }) => viewUsage(await quotas.reset(params.id, body.reason, ADMIN)),
  );
  app.post<{ Params: QuotaParams; Body: QuotaGrant }>(
    '/api/quotas/:id/grant',
    {
      ...jsonRoute,
      schema: {
        ...one,
        summary: 'Add to the limit until the window ends, in every worker and node before this is answered',
        body: QuotaGrant,
        response: { 200: QuotaUsage },
      },
    },
    async ({ params, body }) => viewUsage(await quotas.grant(params.id, body.amount, body.reason, ADMIN)),
  );
}

const viewUsage = ({
  id,
  attachment,
  name,
  by,
  key,
  shadow,
  limit,
  carried,
  used,
  ...rest
}: QuotaUsageEntry) => ({
  id,
  attachment,
  quota: name,
  by,
  key,
  shadow,
  limit,
  extra: carried,
  used,
  remaining: Math.max(0, limit + carried - used),
  startedAt: isoTime(rest.startMs),
  renewsAt: isoTime(rest.endMs),
});
