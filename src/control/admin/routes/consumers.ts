import type { FastifyInstance } from 'fastify';
import type { ConsumerView } from '../../callers/index.ts';
import {
  Consumer,
  ConsumerPage,
  ConsumerUpdate,
  NamePageQuery,
  NameParams,
  NewConsumer,
  WithReason,
} from '../caller-schemas.ts';
import type { AdminDeps } from '../deps.ts';
import { jsonRoute } from '../json-body.ts';
import { NoQuery } from '../schemas.ts';
import { ADMIN, isoOrNull } from './answers.ts';

const tags = ['consumers'];
const one = { tags, querystring: NoQuery, params: NameParams };

/** Who calls: consumers of the document and those kept live. */
export function addConsumerRoutes(app: FastifyInstance, { callers: { consumers } }: AdminDeps): void {
  app.get<{ Querystring: NamePageQuery }>(
    '/api/consumers',
    {
      schema: {
        tags,
        summary: 'Consumers of the document and live ones, by name',
        querystring: NamePageQuery,
        response: { 200: ConsumerPage },
      },
    },
    async ({ query }) => {
      const page = await consumers.list(query);
      return {
        consumers: page.map(viewConsumer),
        next: page.length < query.limit ? null : page.at(-1)?.name,
      };
    },
  );
  app.post<{ Body: NewConsumer }>(
    '/api/consumers',
    {
      ...jsonRoute,
      schema: {
        tags,
        summary: 'Make a live consumer',
        querystring: NoQuery,
        body: NewConsumer,
        response: { 201: Consumer },
      },
    },
    async ({ body: { name, id, groups = [] } }, reply) => {
      const made = await consumers.create({ name, id, groups }, ADMIN);
      return reply.code(201).header('location', `/api/consumers/${name}`).send(viewConsumer(made));
    },
  );
  app.get<{ Params: NameParams }>(
    '/api/consumers/:name',
    { schema: { ...one, summary: 'One consumer', response: { 200: Consumer } } },
    async ({ params }) => viewConsumer(await consumers.get(params.name)),
  );
  app.patch<{ Params: NameParams; Body: ConsumerUpdate }>(
    '/api/consumers/:name',
    {
      ...jsonRoute,
      schema: {
        ...one,
        summary: 'Change a live consumer',
        body: ConsumerUpdate,
        response: { 200: Consumer },
      },
    },
    async ({ params, body }) => viewConsumer(await consumers.update(params.name, body, ADMIN)),
  );
  app.delete<{ Params: NameParams }>(
    '/api/consumers/:name',
    {
      schema: {
        ...one,
        summary: 'Delete a live consumer with all its credentials',
        response: { 204: { type: 'null', description: 'No caller is taken for it any more.' } },
      },
    },
    async ({ params }, reply) => {
      await consumers.delete(params.name, ADMIN);
      return reply.code(204).send();
    },
  );
  addSwitches(app, consumers);
}

function addSwitches(app: FastifyInstance, consumers: AdminDeps['callers']['consumers']): void {
  app.post<{ Params: NameParams; Body: WithReason }>(
    '/api/consumers/:name/disable',
    {
      ...jsonRoute,
      schema: {
        ...one,
        summary: 'Refuse a consumer, live or of the document, in every worker',
        body: WithReason,
        response: { 200: Consumer },
      },
    },
    async ({ params, body }) => viewConsumer(await consumers.disable(params.name, body.reason, ADMIN)),
  );
  app.post<{ Params: NameParams }>(
    '/api/consumers/:name/enable',
    {
      ...jsonRoute,
      schema: { ...one, summary: 'Let a disabled consumer call again', response: { 200: Consumer } },
    },
    async ({ params }) => viewConsumer(await consumers.enable(params.name, ADMIN)),
  );
}

const viewConsumer = ({ id, isDisabled, createdAt, createdBy, name, groups, origin }: ConsumerView) => ({
  name,
  id: id ?? null,
  groups,
  origin,
  disabled: isDisabled,
  createdAt: isoOrNull(createdAt),
  createdBy: createdBy ?? null,
});
