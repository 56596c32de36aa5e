import type { FastifyInstance } from 'fastify';
import type { Attempt } from '../../live/feed.ts';
import { ListError } from '../../live/feed.ts';
import type { ListStatus } from '../../live/feeds.ts';
import {
  AddressList,
  AddressLists,
  ListDecision,
  ListDiff,
  ListDiffQuery,
  ListParams,
  ListRefresh,
  ListRollback,
  ListVersions,
} from '../address-schemas.ts';
import type { AdminDeps } from '../deps.ts';
import { jsonRoute } from '../json-body.ts';
import { ProblemError } from '../problem.ts';
import { NoQuery } from '../schemas.ts';
import { ADMIN, isoOrNull, isoTime, storeOf } from './answers.ts';

const tags = ['lists'];
const schema = { tags, querystring: NoQuery, params: ListParams };

/** Address lists: what they hold, what waits for a person, and the way to any version. */
export function addListRoutes(app: FastifyInstance, deps: AdminDeps): void {
  addReading(app, deps);
  addDecisions(app, deps);
}

function addReading(app: FastifyInstance, deps: AdminDeps): void {
  const { lists } = deps;
  app.get(
    '/api/lists',
    {
      schema: {
        tags,
        querystring: NoQuery,
        summary: 'The address lists of the document in service',
        response: { 200: AddressLists },
      },
    },
    async () => ({ lists: lists.status().map(viewList) }),
  );
  app.get<{ Params: ListParams }>(
    '/api/lists/:name',
    { schema: { ...schema, summary: 'One address list', response: { 200: AddressList } } },
    async (request) => viewList(statusOf(deps, request.params.name)),
  );
  app.get<{ Params: ListParams }>(
    '/api/lists/:name/versions',
    {
      schema: { ...schema, summary: 'Versions that are kept, newest first', response: { 200: ListVersions } },
    },
    async (request) => {
      const { name } = statusOf(deps, request.params.name);
      const versions = await storeOf(deps).lists.versions(name);
      return {
        versions: versions.map(({ list: _, createdAt, ...v }) => ({ ...v, createdAt: isoTime(createdAt) })),
      };
    },
  );
  app.get<{ Params: ListParams; Querystring: ListDiffQuery }>(
    '/api/lists/:name/diff',
    {
      schema: {
        ...schema,
        querystring: ListDiffQuery,
        summary: 'What one version has and another has not',
        description: 'By default from the version in service to the one that waits for approval.',
        response: { 200: ListDiff },
      },
    },
    async (request) => {
      const { name } = request.params;
      const { version, held } = statusOf(deps, name);
      const { from = version, to = held?.version, limit } = request.query;
      if (from === undefined)
        throw new ProblemError('conflict', 'The list has no content yet: there is no "from".');
      if (to === undefined)
        throw new ProblemError('conflict', 'No version waits for approval: name one as "to".');
      return await refused(lists.diff(name, from, to, limit));
    },
  );
}

function addDecisions(app: FastifyInstance, deps: AdminDeps): void {
  app.post<{ Params: ListParams }>(
    '/api/lists/:name/refresh',
    { schema: { ...schema, summary: 'Ask the source now', response: { 200: ListRefresh } } },
    async (request) => viewRefresh(deps, request.params.name),
  );
  const decide = (
    what: 'approve' | 'reject',
    summary: string,
    work: (name: string, version: string) => Promise<void>,
  ): void => {
    app.post<{ Params: ListParams; Body: ListDecision }>(
      `/api/lists/:name/${what}`,
      {
        ...jsonRoute,
        schema: { ...schema, summary, body: ListDecision, response: { 200: AddressList } },
      },
      async (request) => {
        const { name } = request.params;
        await refused(work(name, request.body.version));
        return viewList(statusOf(deps, name));
      },
    );
  };
  decide('approve', 'Take the version that waits', (name, v) => feedOf(deps, name).approve(v, ADMIN));
  decide('reject', 'Turn the version down that waits: it is not offered again', (name, v) =>
    feedOf(deps, name).reject(v, ADMIN),
  );
  app.post<{ Params: ListParams; Body: ListRollback }>(
    '/api/lists/:name/rollback',
    {
      ...jsonRoute,
      schema: {
        ...schema,
        summary: 'Go to a version, and stay there until the list is released',
        body: ListRollback,
        response: { 200: AddressList },
      },
    },
    async (request) => {
      const { name } = request.params;
      const { version, reason } = request.body;
      await refused(feedOf(deps, name).rollBack(version, ADMIN, reason));
      return viewList(statusOf(deps, name));
    },
  );
  app.post<{ Params: ListParams }>(
    '/api/lists/:name/release',
    {
      schema: {
        ...schema,
        summary: 'Follow the source again, and ask it now',
        response: { 200: ListRefresh },
      },
    },
    async (request) => {
      const { name } = request.params;
      await refused(feedOf(deps, name).release(ADMIN));
      return viewRefresh(deps, name);
    },
  );
}

function feedOf({ lists }: AdminDeps, name: string) {
  try {
    return lists.feed(name);
  } catch (error) {
    throw problemOf(error);
  }
}

function statusOf({ lists }: AdminDeps, name: string): ListStatus {
  const status = lists.status().find((list) => list.name === name);
  if (status === undefined) throw new ProblemError('not-found', `There is no list "${name}".`);
  return status;
}

async function viewRefresh(deps: AdminDeps, name: string) {
  const { outcome, detail } = await refused(deps.lists.refresh(name));
  return { outcome, detail, list: viewList(statusOf(deps, name)) };
}

const viewList = (list: ListStatus) => ({
  name: list.name,
  source: list.source ?? null,
  entries: list.entries ?? null,
  inline: list.inline,
  version: list.version ?? null,
  pinned: list.pinned,
  stale: list.stale,
  dropped: list.dropped,
  refreshedAt: isoOrNull(list.refreshedAtMs),
  nextRefreshAt: isoOrNull(list.nextRefreshMs),
  held: list.held === undefined ? null : { ...list.held, at: isoTime(list.held.at) },
  lastAttempt: list.lastAttempt === undefined ? null : viewAttempt(list.lastAttempt),
});

const viewAttempt = ({ atMs, outcome, detail }: Attempt) => ({ at: isoTime(atMs), outcome, detail });

async function refused<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw problemOf(error);
  }
}

const problemOf = (error: unknown): unknown =>
  error instanceof ListError ? new ProblemError(error.code, error.message) : error;
