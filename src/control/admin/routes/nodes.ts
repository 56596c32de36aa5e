import type { FastifyInstance } from 'fastify';
import type { NodeView } from '../../nodes/index.ts';
import type { AdminDeps } from '../deps.ts';
import { Nodes } from '../node-schemas.ts';
import { NoQuery } from '../schemas.ts';
import { isoTime } from './answers.ts';

/** The nodes that have one store. */
export function addNodeRoutes(app: FastifyInstance, { nodes }: AdminDeps): void {
  app.get(
    '/api/nodes',
    {
      schema: {
        tags: ['status'],
        querystring: NoQuery,
        summary: 'The nodes that have one store, and whether they serve one revision',
        response: { 200: Nodes },
      },
    },
    async () => {
      const { self, active = null, isComplete: complete, nodes: known } = await nodes.list();
      const drift = known.some(({ state }) => state !== 'ok');
      return { self, active, complete, drift, nodes: known.map(viewOf) };
    },
  );
}

function viewOf({ status, silentMs, startedAt, ...node }: NodeView) {
  const workers = status?.workers ?? [];
  const serving = workers.filter((state) => state === 'serving').length;
  return {
    ...node,
    startedAt: isoTime(startedAt),
    silentSeconds: Math.round(silentMs / 100) / 10,
    revision: status?.revision ?? null,
    candidate: status?.candidate ?? null,
    workers: status === undefined ? null : { serving, all: workers.length },
    store: status?.store ?? null,
    error: status?.error === undefined ? null : { ...status.error, at: isoTime(status.error.at) },
    listeners: status?.listeners ?? [],
  };
}
