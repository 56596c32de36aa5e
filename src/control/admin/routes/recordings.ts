import type { FastifyInstance } from 'fastify';
import type { AdminDeps } from '../deps.ts';
import { jsonRoute } from '../json-body.ts';
import { RecordingClear, RecordingCleared, RecordingView } from '../recording-schemas.ts';
import { NoQuery } from '../schemas.ts';
import { ADMIN, isoOrNull, timeOf } from './answers.ts';

const schema = { tags: ['recordings'], querystring: NoQuery };

/** What is kept of the requests served. What is in it is for replay and explain, and is not given out here. */
export function addRecordingRoutes(app: FastifyInstance, { recordings }: AdminDeps): void {
  app.get(
    '/api/recordings',
    {
      schema: {
        ...schema,
        summary: 'How much is recorded of the requests served, and of which time',
        response: { 200: RecordingView },
      },
    },
    async () => {
      const { fromMs, toMs, faults, ...counts } = await (await recordings()).summary();
      return { ...counts, ...faults, from: isoOrNull(fromMs), to: isoOrNull(toMs) };
    },
  );
  app.post<{ Body: RecordingClear }>(
    '/api/recordings/clear',
    {
      ...jsonRoute,
      schema: {
        ...schema,
        summary: 'Delete what was recorded before a time, or everything',
        body: RecordingClear,
        response: { 200: RecordingCleared },
      },
    },
    async ({ body: { before, reason } }) =>
      await (await recordings()).clear(timeOf('before', before), reason, ADMIN),
  );
}
