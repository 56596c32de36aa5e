import type { Server } from 'node:http';
import fastify, { type FastifyHttpOptions, type FastifyInstance } from 'fastify';
import { documentParser } from './body.ts';
import { addConsole } from './console.ts';
import type { AdminDeps } from './deps.ts';
import { answerClientError, createErrorHandler } from './failures.ts';
import { addGuard } from './guard.ts';
import { sendProblem } from './problem.ts';
import { addAuditRoutes } from './routes/audit.ts';
import { addBanRoutes } from './routes/bans.ts';
import { addCatalogRoutes } from './routes/catalog.ts';
import { addConsumerRoutes } from './routes/consumers.ts';
import { addCredentialRoutes } from './routes/credentials.ts';
import { addExplanationRoutes } from './routes/explanations.ts';
import { addHealthRoutes } from './routes/health.ts';
import { addListRoutes } from './routes/lists.ts';
import { addNodeRoutes } from './routes/nodes.ts';
import { addQuotaRoutes } from './routes/quotas.ts';
import { addRecordingRoutes } from './routes/recordings.ts';
import { addRevisionRoutes } from './routes/revisions.ts';
import { addRevocationRoutes } from './routes/revocations.ts';
import { addRolloutRoutes } from './routes/rollouts.ts';
import { addStatusRoutes } from './routes/status.ts';
import { schemaCompilers } from './schema-compilers.ts';
import { Problem } from './schemas.ts';

const DEFAULT_MAX_DOCUMENT_BYTES = 16 * 1024 * 1024;
const REQUEST_TIMEOUT_MS = 30_000;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_ID_BYTES = 8;
/** Names of callers are the longest that stand in a path. Each route has bounds of its own. */
const MAX_PARAM_LENGTH = 500;

/** Builds the server; see `createAdminServer`. */
export async function buildServer(deps: AdminDeps): Promise<FastifyInstance> {
  const onError = createErrorHandler(deps);
  const options: FastifyHttpOptions<Server> = {
    logger: false,
    trustProxy: false,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: { headersTimeout: HEADERS_TIMEOUT_MS },
    bodyLimit: deps.maxDocumentBytes ?? DEFAULT_MAX_DOCUMENT_BYTES,
    genReqId: () => deps.random.hex(REQUEST_ID_BYTES),
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: onError,
    clientErrorHandler: answerClientError,
  };
  // Past its types, which know of nothing but code that is compiled at once.
  Object.assign(options, { schemaController: { compilersFactory: schemaCompilers() } });
  const app = fastify(options);
  app.setErrorHandler(onError);
  app.setNotFoundHandler((_request, reply) =>
    sendProblem(reply, 'no-route', 'There is nothing at this path.'),
  );
  addGuard(app, deps);
  app.addSchema({ $id: 'Problem', ...Problem });
  documentParser(app);
  addRoutes(app, deps);
  await app.ready();
  return app;
}

function addRoutes(app: FastifyInstance, deps: AdminDeps): void {
  for (const add of [
    addHealthRoutes,
    addStatusRoutes,
    addNodeRoutes,
    addRevisionRoutes,
    addRolloutRoutes,
    addAuditRoutes,
    addConsumerRoutes,
    addCredentialRoutes,
    addRevocationRoutes,
    addBanRoutes,
    addListRoutes,
    addQuotaRoutes,
    addExplanationRoutes,
    addRecordingRoutes,
    addConsole,
  ]) {
    add(app, deps);
  }
  let openApi: Promise<object> | undefined;
  addCatalogRoutes(app, deps, () => {
    openApi ??= import('./openapi.ts').then(({ openApiOf }) =>
      openApiOf(deps.version, (documented) => addRoutes(documented, deps)),
    );
    return openApi;
  });
}
