import type { RequestView, RouteMatch } from '../contract/index.ts';
import { PolicyRejection } from '../errors.ts';

/** The method a CORS preflight asks about (Fetch standard §3.2.2), so that the route's own `cors` can answer it. */
export function preflightMethod(request: RequestView): string | undefined {
  if (request.method !== 'OPTIONS' || !request.headers.has('origin')) return undefined;
  return request.headers.get('access-control-request-method');
}

/** Why a request that no route takes is refused. */
export function refusalWithoutRoute(match: RouteMatch): PolicyRejection {
  if (match.kind !== 'method-not-allowed')
    return new PolicyRejection('no-route', 'No route matches this request.');
  const allow = match.allow.join(', ');
  return new PolicyRejection('method-not-allowed', `This resource takes ${allow}.`, {
    headers: ['Allow', allow],
  });
}
