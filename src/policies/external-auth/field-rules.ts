import type { ConfigIssue } from '../../errors.ts';
import { FieldKind, fieldKind } from '../../http1/index.ts';
import type { ExternalAuthConfig } from './schema.ts';

/** Framing and the hop: a copy would be another message's. */
const OF_THE_HOP: ReadonlySet<FieldKind> = new Set([
  FieldKind.HOST,
  FieldKind.CONTENT_LENGTH,
  FieldKind.TRANSFER_ENCODING,
  FieldKind.CONNECTION,
  FieldKind.EXPECT,
  FieldKind.UPGRADE,
  FieldKind.HOP_BY_HOP,
]);

/** What only the gateway says of a request. */
const OF_THE_GATEWAY: ReadonlySet<FieldKind> = new Set([
  FieldKind.VIA,
  FieldKind.REQUEST_ID,
  FieldKind.TRACEPARENT,
  FieldKind.REVISION,
  FieldKind.DATE,
]);

/** In these families others than the gateway may tell who calls: the service may, a client may not. */
const TELLS_WHO = /^x[-_](consumer|credential|authenticated)[-_]/i;

/** These tell of the answer's own body and how long it is good. */
const OF_THE_BODY = /^(content-.*|cache-control|age|expires|etag|last-modified|vary)$/i;

type List = 'requestHeaders' | 'upstreamHeaders' | 'clientHeaders';

/** Names of headers in lower case; what may not be copied is added to `issues`. */
export function headerNames(
  config: ExternalAuthConfig,
  list: List,
  issues: ConfigIssue[],
): readonly string[] {
  return (config[list] ?? DEFAULTS[list]).map((name, i) => {
    const problem = problemOf(name, list);
    if (problem !== undefined) issues.push({ path: `${list}[${i}]`, message: `"${name}" ${problem}` });
    return name.toLowerCase();
  });
}

const DEFAULTS: Readonly<Record<List, readonly string[]>> = {
  requestHeaders: ['authorization', 'cookie'],
  upstreamHeaders: [],
  clientHeaders: [],
};

function problemOf(name: string, list: List): string | undefined {
  const kind = fieldKind(name);
  if (OF_THE_HOP.has(kind) || /^proxy-/i.test(name)) return 'belongs to one connection and is never copied';
  if (OF_THE_GATEWAY.has(kind)) return 'is the gateway’s own to set';
  if (list === 'clientHeaders' && OF_THE_BODY.test(name)) return 'would tell of another body than its own';
  if (kind !== FieldKind.FORWARDING) return undefined;
  if (list === 'requestHeaders') return 'would be the client’s own word for what only the gateway knows';
  return list === 'upstreamHeaders' && TELLS_WHO.test(name) ? undefined : 'is the gateway’s own to set';
}
