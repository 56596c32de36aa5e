import type { FastifyInstance } from 'fastify';
import type { AuditVerification as Verification } from '../../../store/index.ts';
import type { AdminDeps } from '../deps.ts';
import { AuditPage, AuditVerification, NoQuery, PageQuery } from '../schemas.ts';
import { isoTime, nextOf, storeOf } from './answers.ts';

const tags = ['audit'];

/** Who did what, and the proof that nobody changed that. */
export function addAuditRoutes(app: FastifyInstance, deps: AdminDeps): void {
  app.get<{ Querystring: PageQuery }>(
    '/api/audit',
    {
      schema: {
        tags,
        summary: 'Audit entries, newest first',
        querystring: PageQuery,
        response: { 200: AuditPage },
      },
    },
    async (request) => {
      const entries = await storeOf(deps).listAudit(request.query);
      const next = nextOf(entries, request.query.limit);
      return { entries: entries.map((e) => ({ ...e, at: isoTime(e.at) })), next };
    },
  );
  app.get(
    '/api/audit/verification',
    {
      schema: {
        tags,
        summary: 'Check the chain of the audit from its first entry',
        querystring: NoQuery,
        response: { 200: AuditVerification },
      },
    },
    async () => viewVerification(await storeOf(deps).verifyAudit()),
  );
}

const viewVerification = (v: Verification) =>
  v.intact
    ? { intact: true, number: v.head.number, hash: v.head.hash, fault: null }
    : { intact: false, number: v.number, hash: null, fault: v.fault };
