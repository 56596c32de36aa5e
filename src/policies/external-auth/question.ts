import type { BodyView, OutboundRequest, PolicyContext } from '../../contract/index.ts';

type Method = OutboundRequest['method'];

/** How the service is asked, made ready. */
export interface QuestionRules {
  readonly mode: 'nginx' | 'envoy';
  readonly url: string;
  readonly method: Method;
  /** Lower case. */
  readonly requestHeaders: readonly string[];
  readonly timeoutMs: number;
  readonly ca: string | undefined;
}

const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'];
const isMethod = (method: string): method is Method => METHODS.includes(method);

/** A longer answer is none: what it lets on or refuses is said in its head. */
const MAX_ANSWER_BYTES = 64 * 1024;

/**
 * What the service is asked about a request. Undefined where it cannot be asked with the method of the request.
 * The URL is the document's; of the request only path and query are put behind it, and a path begins with a slash.
 */
export function questionOf(
  c: PolicyContext,
  rules: QuestionRules,
  body: BodyView | undefined,
): OutboundRequest | undefined {
  const { request } = c;
  const isEnvoy = rules.mode === 'envoy';
  const method = isEnvoy ? request.method : rules.method;
  if (!isMethod(method)) return undefined;
  const headers = isEnvoy ? ['Host', request.authority] : [];
  copyFields(c, rules.requestHeaders, headers);
  if (body !== undefined && !rules.requestHeaders.includes('content-type'))
    copyFields(c, ['content-type'], headers);
  headers.push(...describe(c));
  return {
    method,
    url: isEnvoy ? rules.url + targetOf(c) : rules.url,
    headers,
    timeoutMs: rules.timeoutMs,
    maxBytes: MAX_ANSWER_BYTES,
    ca: rules.ca,
    ...(body === undefined || body.bytes.length === 0 ? {} : { body: body.bytes }),
  };
}

/** Everything sent of a request that may change the answer, but for its body and id. `names` of headers in lower case. */
export function keyTextOf(c: PolicyContext, names: readonly string[]): string {
  const { method, scheme, authority, client, headers } = c.request;
  const values = names.map((name) => headers.getAll(name));
  return JSON.stringify([method, scheme, authority, targetOf(c), client.text, values]);
}

/** Path and query. `*` asks about the gateway itself, for which there is no path. */
function targetOf({ request: { path, query } }: PolicyContext): string {
  const rooted = path.startsWith('/') ? path : '/';
  return query === '' ? rooted : `${rooted}?${query}`;
}

function copyFields({ request }: PolicyContext, names: readonly string[], into: string[]): void {
  for (const [name, value] of request.headers) if (names.includes(name.toLowerCase())) into.push(name, value);
}

/** What services that know nginx, Traefik and others look for; said by the gateway, whatever the client says. */
function describe(c: PolicyContext): string[] {
  const { id, method, scheme, authority, client } = c.request;
  const target = targetOf(c);
  return [
    ...['X-Original-Method', method, 'X-Original-URI', target],
    ...['X-Forwarded-Method', method, 'X-Forwarded-Proto', scheme, 'X-Forwarded-Host', authority],
    ...['X-Forwarded-Uri', target, 'X-Forwarded-For', client.text, 'X-Request-Id', id],
  ];
}
