import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type AccessDenial, createAccessCheck } from './access.ts';
import type { AdminDeps } from './deps.ts';
import { FailureThrottle } from './failure-throttle.ts';
import { sendProblem } from './problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered without a token. Left out means no: a route that forgets to say is closed. */
    isPublic?: boolean;
  }
}

const HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
};

const CREDENTIAL_NAMES: ReadonlySet<string> = new Set([
  'token',
  'access_token',
  'auth',
  'authorization',
  'api_key',
]);
const DENIALS: Readonly<Record<AccessDenial, string>> = {
  'bad-host': 'This server does not answer to that name.',
  'origin-denied': 'Pages of other origins may not call this server.',
};
const BEARER = /^bearer +([\w.~+/=-]{1,512})$/i;

/** What every answer carries, errors of the framework included. */
export const setGuardHeaders = (reply: FastifyReply): FastifyReply => reply.headers(HEADERS);

/** Looks at every request before its body is read: where it comes from, then who sends it. */
export function addGuard(app: FastifyInstance, deps: AdminDeps): void {
  const checkAccess = createAccessCheck(deps.host, deps.allowedHosts);
  const authenticate = createAuthentication(deps);
  app.addHook('onRequest', async (request, reply) => {
    setGuardHeaders(reply);
    const denied = checkAccess({ hosts: hostsOf(request), origin: request.headers.origin });
    if (denied !== undefined) return sendProblem(reply, denied, DENIALS[denied]);
    if (hasCredentialInQuery(request)) {
      const detail =
        'Credentials do not belong in a URL: send Authorization: Bearer, and replace that token.';
      return sendProblem(reply, 'malformed-request', detail);
    }
    if (request.is404 || request.routeOptions.config.isPublic === true) return undefined;
    return authenticate(request, reply);
  });
}

/** URLs end up in logs and histories, so a token in one is refused even where a good one comes beside it. */
function hasCredentialInQuery({ query }: FastifyRequest): boolean {
  if (typeof query !== 'object' || query === null) return false;
  return Object.keys(query).some((name) => CREDENTIAL_NAMES.has(name.toLowerCase()));
}

/** Node keeps the first of several; which one another hop believed cannot be known. */
function hostsOf({ raw }: FastifyRequest): string[] {
  const { rawHeaders } = raw;
  const hosts: string[] = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i].toLowerCase() === 'host') hosts.push(rawHeaders[i + 1]);
  }
  return hosts;
}

type Authenticate = (request: FastifyRequest, reply: FastifyReply) => FastifyReply | undefined;

/** RFC 6750 §3: no credential is told how to authenticate; a wrong one is told it is wrong. */
function createAuthentication({ token, clock, log }: AdminDeps): Authenticate {
  const throttle = new FailureThrottle(clock);
  return (request, reply) => {
    const { authorization } = request.headers;
    if (authorization === undefined) {
      reply.header('www-authenticate', 'Bearer realm="sallyport-admin"');
      return sendProblem(reply, 'unauthenticated', 'Send the admin token as Authorization: Bearer.');
    }
    const presented = BEARER.exec(authorization)?.[1];
    if (presented !== undefined && token.matches(presented)) {
      throttle.forget(request.ip);
      return undefined;
    }
    return refuse(reply, throttle.fail(request.ip));
  };

  function refuse(reply: FastifyReply, waitMs: number): FastifyReply {
    if (waitMs > 0) {
      reply.header('retry-after', Math.ceil(waitMs / 1000));
      return sendProblem(reply, 'rate-limited', 'Too many wrong tokens from this address.');
    }
    log.warn('admin-sign-in-failed', { client: reply.request.ip });
    reply.header('www-authenticate', 'Bearer realm="sallyport-admin", error="invalid_token"');
    return sendProblem(reply, 'invalid-credential', 'This is not the admin token.');
  }
}
