import swagger from '@fastify/swagger';
import fastify, { type FastifyInstance, type FastifySchema } from 'fastify';
import { Problem } from './schemas.ts';

/**
 * The OpenAPI document of the routes that `addRoutes` adds. Made of a server that never listens, so that what makes it is
 * loaded when somebody asks for it.
 */
export async function openApiOf(version: string, addRoutes: (app: FastifyInstance) => void): Promise<object> {
  const app = fastify({ logger: false });
  app.addSchema({ $id: 'Problem', ...Problem });
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
  addRoutes(app);
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => () => '');
  await app.ready();
  const document = app.swagger();
  await app.close();
  return document;
}

/** Every route may answer with a problem: said here, once. */
function withProblem(schema: FastifySchema | undefined): FastifySchema {
  const own = typeof schema?.response === 'object' ? schema.response : {};
  return { ...schema, response: { ...own, default: { description: 'Problem', $ref: 'Problem#' } } };
}
