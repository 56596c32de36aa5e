import type { FastifyInstance } from 'fastify';
import type { AdminDeps } from './deps.ts';

export { isLoopback } from './access.ts';
export type { AdminDeps, DocumentOffer, OfferResult, PolicySummary, Readiness } from './deps.ts';

/**
 * The admin API, ready to `listen`. The framework is loaded by the first call, so that a start can have its
 * workers on their way before it pays for that.
 */
export async function createAdminServer(deps: AdminDeps): Promise<FastifyInstance> {
  const { buildServer } = await import('./server.ts');
  return await buildServer(deps);
}
