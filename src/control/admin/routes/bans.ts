import type { FastifyInstance } from 'fastify';
import type { ImposedBan, Ban as OrderedBan } from '../../../contract/index.ts';
import { parseDuration } from '../../../lib/duration.ts';
import { BanError } from '../../live/bans.ts';
import { Ban, BanMade, BanParams, BanRequest, Bans, UnbanQuery } from '../address-schemas.ts';
import type { AdminDeps } from '../deps.ts';
import { jsonRoute } from '../json-body.ts';
import { ProblemError } from '../problem.ts';
import { NoQuery } from '../schemas.ts';
import { actorOf, isoTime } from './answers.ts';

const tags = ['bans'];

/** Addresses that are refused for a time, whatever the document says, and callers that policies banned. */
export function addBanRoutes(app: FastifyInstance, { bans }: AdminDeps): void {
  const schema = { tags, querystring: NoQuery };
  app.get(
    '/api/bans',
    { schema: { ...schema, summary: 'Bans that stand, newest first', response: { 200: Bans } } },
    async () => ({ bans: bans.list().map(viewBan) }),
  );
  app.post<{ Body: BanRequest }>(
    '/api/bans',
    {
      ...jsonRoute,
      schema: {
        ...schema,
        summary: 'Ban an address or a network, in every worker before this is answered',
        description: 'Of a bare IPv6 address its /64 is banned. 409 where that would do harm.',
        body: BanRequest,
        response: { 201: BanMade },
      },
    },
    async (request, reply) => {
      const { address, for: duration, reason, force, as } = request.body;
      const forMs = parseDuration(duration) ?? 0;
      const { ip: caller } = request;
      const { ban, stored } = await refused(
        bans.ban({ address, forMs, reason, force, caller, actor: actorOf(as) }),
      );
      return reply.code(201).send({ ...viewBan(ban), stored });
    },
  );
  app.delete<{ Params: BanParams; Querystring: UnbanQuery }>(
    '/api/bans/:ban',
    {
      schema: {
        ...schema,
        summary: 'End a ban, named by its id, its network or its caller',
        description: 'What a policy counted towards it counts no more.',
        params: BanParams,
        querystring: UnbanQuery,
        response: { 200: Ban },
      },
    },
    async ({ params, query }) => viewBan(await refused(bans.lift(params.ban, actorOf(query.as)))),
  );
}

function viewBan(ban: OrderedBan | ImposedBan) {
  const { id, network = null, sinceMs, untilMs, reason, by } = ban;
  const imposed = 'strike' in ban ? ban : undefined;
  return {
    id,
    network,
    caller: imposed?.caller ?? null,
    since: isoTime(sinceMs),
    until: isoTime(untilMs),
    reason,
    by,
    strike: imposed?.strike ?? null,
    shadow: imposed?.shadow ?? false,
  };
}

async function refused<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw error instanceof BanError ? new ProblemError(error.code, error.message) : error;
  }
}
