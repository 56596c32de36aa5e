import type { ClientCertificate, ListenerPlan, RequestView } from '../contract/index.ts';
import { RequestError } from '../errors.ts';
import type { HeaderList } from '../lib/header-list.ts';
import { type IpAddress, parseIpAddress } from '../lib/ip-address.ts';
import { parseHost } from './host.ts';
import { normalisePath } from './path.ts';

/** A request as it was understood on the wire, before it is judged. */
export interface RequestSource {
  readonly id: string;
  readonly method: string;
  /** What fields ask for in its place; undefined when there are none. */
  readonly methodOverride?: string | undefined;
  readonly scheme: 'http' | 'https';
  /** The Host value (or `:authority`). */
  readonly authority: string;
  /** Origin-form: path and query. `*` only with OPTIONS. */
  readonly target: string;
  readonly headers: HeaderList;
  readonly httpVersion: '1.0' | '1.1' | '2';
  readonly peer: IpAddress;
  readonly certificate: ClientCertificate | undefined;
}

/** Asterisk-form is about the server, and no route's. */
const ASTERISK = Object.freeze({ path: '*' });

type ViewRules = Pick<
  ListenerPlan,
  'encodedSlashes' | 'semicolons' | 'underscoreHeaders' | 'methodOverride' | 'trusts'
>;

/** The one normalised view of a request, or why it is refused. Used alike for live traffic, tests and replay. */
export function viewOf(source: RequestSource, rules: ViewRules): RequestView | RequestError {
  const host = parseHost(source.authority);
  if (host === undefined)
    return new RequestError('bad-host', 'host-invalid', 'The Host is not a valid name or address.');
  const question = source.target.indexOf('?');
  const rawPath = question === -1 ? source.target : source.target.slice(0, question);
  const normalised = source.target === '*' ? ASTERISK : normalisePath(rawPath, rules);
  if ('refusal' in normalised) {
    return new RequestError('bad-path', normalised.refusal, 'The path can be read in more than one way.');
  }
  if (rules.underscoreHeaders === 'reject' && hasUnderscore(source.headers)) {
    return new RequestError(
      'header-underscore',
      'header-underscore',
      'Header names with "_" are not accepted here.',
    );
  }
  if (source.methodOverride !== undefined && rules.methodOverride === 'reject') {
    return new RequestError(
      'method-override',
      'method-override',
      'Fields that ask for another method are not accepted here.',
    );
  }
  const client = rules.trusts(source.peer) ? forwardedClient(source, rules) : source.peer;
  if (client === undefined) {
    return new RequestError(
      'malformed-request',
      'forwarded-for',
      'X-Forwarded-For is not a list of addresses.',
    );
  }
  return {
    id: source.id,
    method: source.method,
    ...(source.methodOverride !== undefined && { methodOverride: source.methodOverride }),
    scheme: source.scheme,
    host: host.host,
    authority: source.authority,
    target: source.target,
    path: normalised.path,
    query: question === -1 ? '' : source.target.slice(question + 1),
    headers: source.headers,
    httpVersion: source.httpVersion,
    client,
    peer: source.peer,
    certificate: source.certificate,
  };
}

/** Two names that differ in `_` and `-` are one to CGI-like servers: a way to smuggle an identity header past. */
function hasUnderscore(headers: HeaderList): boolean {
  const { flat } = headers;
  for (let i = 0; i < flat.length; i += 2) if (flat[i].includes('_')) return true;
  return false;
}

/**
 * The first address from the right of X-Forwarded-For that is not itself a trusted proxy; the peer when there
 * is none. Anything unparsable on the way is refused: a guess here decides who may call.
 */
function forwardedClient(source: RequestSource, rules: ViewRules): IpAddress | undefined {
  const chain = source.headers.getAll('x-forwarded-for').join(',');
  if (chain.trim() === '') return source.peer;
  const hops = chain.split(',');
  let client: IpAddress | undefined = source.peer;
  for (let i = hops.length - 1; i >= 0 && client !== undefined && rules.trusts(client); i--) {
    client = parseIpAddress(hops[i].trim());
  }
  return client;
}
