import type { Identity, IdentityFields, RequestView, TargetPlan, UpstreamPlan } from '../contract/index.ts';
import { FieldKind, type RequestHead } from '../http1/index.ts';
import { withoutParameter } from '../lib/query-string.ts';
import { travellingFields, travelTable } from './travelling-fields.ts';

/** How the body goes to the upstream: as the client framed it, or with a length once it was buffered. */
export type RequestFraming =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' };

export interface UpstreamRequest {
  readonly head: RequestHead;
  readonly view: RequestView;
  readonly upstream: UpstreamPlan;
  readonly target: TargetPlan;
  readonly framing: RequestFraming;
  readonly traceparent: string;
  readonly identity: Identity | undefined;
  readonly identityFields: IdentityFields;
  /** Whether the peer's own forwarding headers are believed and extended. */
  readonly trusted: boolean;
  /** Flat triples of the policies' edits. */
  readonly edits: readonly string[];
  /** Names of the parameters that the policies took out of the query. */
  readonly removedParameters: readonly string[];
  /** The protocol a tunnel is asked for, or ''. */
  readonly upgrade: string;
}

/** Request fields that travel as they came; the rest is dropped or said anew by this hop. */
const TRAVELS = travelTable([
  FieldKind.OTHER,
  FieldKind.NOT_IN_TRAILERS,
  FieldKind.DATE,
  FieldKind.METHOD_OVERRIDE,
]);

/** The head the upstream receives: what was judged, no more. */
export function upstreamRequestHead(request: UpstreamRequest): string {
  const { view, target } = request;
  const query = queryOf(request);
  const host = request.upstream.hostHeader === 'preserve' ? view.authority : authorityOf(target);
  const start = `${view.method} ${target.basePath}${view.path}${query} HTTP/1.1\r\nHost: ${host}\r\n`;
  const { head, edits, identity, identityFields } = request;
  const fields = travellingFields(head, TRAVELS, identityFields.of(identity), edits, identityFields.names);
  return start + fields + gatewayFields(request);
}

/** With its `?`; '' for none. */
function queryOf({ view, removedParameters }: UpstreamRequest): string {
  let { query } = view;
  for (const name of removedParameters) query = withoutParameter(query, name);
  return query === '' ? '' : `?${query}`;
}

/** What only this hop can say: forwarding, correlation, framing. */
function gatewayFields(request: UpstreamRequest): string {
  const { view, head, trusted } = request;
  const peer = view.peer.text;
  const chain = trusted ? listOf(head, 'x-forwarded-for') : '';
  const via = listOf(head, 'via');
  const proto = (trusted ? head.headers.get('x-forwarded-proto') : undefined) ?? view.scheme;
  const host = (trusted ? head.headers.get('x-forwarded-host') : undefined) ?? view.authority;
  return (
    `X-Forwarded-For: ${chain === '' ? peer : `${chain}, ${peer}`}\r\n` +
    `X-Forwarded-Proto: ${proto}\r\nX-Forwarded-Host: ${host}\r\n` +
    `X-Request-Id: ${view.id}\r\ntraceparent: ${request.traceparent}\r\n` +
    `Via: ${via === '' ? '' : `${via}, `}1.${head.minor} sallyport\r\n` +
    `${framingFields(request)}\r\n`
  );
}

function listOf(head: RequestHead, name: string): string {
  return head.headers.has(name) ? head.headers.getAll(name).join(', ') : '';
}

function framingFields({ framing, upgrade, head }: UpstreamRequest): string {
  if (upgrade !== '') return `Connection: Upgrade\r\nUpgrade: ${upgrade}\r\n`;
  if (framing.kind === 'chunked') return 'Transfer-Encoding: chunked\r\n';
  if (framing.kind === 'length') return `Content-Length: ${framing.bytes}\r\n`;
  // A client's explicit zero stays explicit: some servers answer 411 to a POST without it.
  return head.contentLength === 0 ? 'Content-Length: 0\r\n' : '';
}

function authorityOf(target: TargetPlan): string {
  const host = target.host.includes(':') ? `[${target.host}]` : target.host;
  const usual = target.scheme === 'https' ? 443 : 80;
  return target.port === usual ? host : `${host}:${target.port}`;
}
