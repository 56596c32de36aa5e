import type { Server } from 'node:http';
import swagger from '@fastify/swagger';
import fastify, { type FastifyHttpOptions, type FastifyInstance, type FastifySchema } from 'fastify';
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
  await addOpenApi(app, deps);
  documentParser(app);
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
    addCatalogRoutes,
    addConsole,
  ]) {
    add(app, deps);
  }
  await app.ready();
  return app;
}

async function addOpenApi(app: FastifyInstance, { version }: AdminDeps): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Sallyport admin API', version, license: { name: 'Apache-2.0' } },
      components: { securitySchemes: { adminToken: { type: 'http', scheme: 'bearer' } } },
      security: [{ adminToken: [] }],
    },
    transform: ({ schema, url }) => ({ url, schema: withProblem(schema) }),
    refResolver: { buildLocalReference: (json, _base, _fragment, i) => String(json.$id ?? `schema-${i}`) },
  });
}

/** Every route may answer with a problem: said here, once. */
function withProblem(schema: FastifySchema | undefined): FastifySchema {
  const own = typeof schema?.response === 'object' ? schema.response : {};
  return { ...schema, response: { ...own, default: { description: 'Problem', $ref: 'Problem#' } } };
}
