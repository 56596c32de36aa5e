import type { AccessRecord, DecisionEntry, Identity, JudgedOutcome } from '../../contract/index.ts';
import { Type } from '../../lib/schema.ts';
import { matches } from '../../lib/schema-check.ts';
import type { ImportedRequest, ImportOptions } from './import-record.ts';

const optional = { text: Type.Optional(Type.String()), number: Type.Optional(Type.Number()) };
const Entry = Type.Object({
  attachment: Type.String(),
  policy: Type.String(),
  mode: Type.String(),
  phase: Type.String(),
  outcome: Type.String(),
});
/** What tells a record of this gateway from any other line. */
const Own = Type.Object({
  time: Type.String(),
  requestId: Type.String(),
  revision: Type.String(),
  listener: Type.String(),
  route: Type.String(),
  client: Type.String(),
  consumer: optional.text,
  credential: optional.text,
  method: Type.String(),
  host: Type.String(),
  path: Type.String(),
  status: Type.Number(),
  error: optional.text,
  durationMs: Type.Number(),
  upstreamMs: optional.number,
  decisions: Type.Array(Entry),
});

type OwnRecord = AccessRecord & { readonly decisions: readonly DecisionEntry[] };

const isOwn = (value: unknown): value is OwnRecord => matches(Own, value);

/**
 * A record of this gateway: it tells what was decided and by whom, and neither header fields nor the query. Undefined
 * for any other line.
 */
export function readAccessRecord(
  line: string,
  _id: string,
  { identityOf, scheme }: ImportOptions,
): ImportedRequest | undefined {
  const record = parsed(line);
  if (!isOwn(record)) return undefined;
  const { consumer, credential } = record;
  const known = consumer === undefined ? undefined : identityOf?.(consumer, credential);
  return {
    id: record.requestId,
    atMs: Date.parse(record.time),
    durationMs: record.durationMs,
    listener: record.listener,
    scheme,
    peer: record.client,
    method: record.method,
    target: record.path,
    httpVersion: '1.1',
    headers: ['Host', record.host],
    unknownHeaders: 'all',
    isQueryUnknown: true,
    identity: known satisfies Identity | undefined,
    revision: record.revision,
    outcome: outcomeOf(record),
    decisions: record.decisions,
    status: record.status,
    upstreamMs: record.upstreamMs,
  };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** The last of those that decide, where it refused or answered; else it went on, or the gateway itself refused it. */
function outcomeOf({ decisions, error, status, route, upstream }: OwnRecord): JudgedOutcome {
  const nobody = { by: undefined, policy: undefined, code: undefined, rule: undefined };
  const decider = decisions.findLast(
    ({ mode, phase, outcome }) => mode === 'enforce' && isLast(phase, outcome),
  );
  if (decider !== undefined && (decider.outcome !== 'error' || decider.code === error)) {
    const { attachment: by, policy, outcome, code, rule } = decider;
    if (outcome === 'respond') return { ...nobody, kind: 'respond', status, route, by, policy };
    return { kind: 'reject', status, route, by, policy, code, rule };
  }
  if (error === undefined || upstream !== undefined) return { ...nobody, kind: 'forward', status: 0, route };
  return { ...nobody, kind: route === '' ? 'refused' : 'reject', status, route, code: error };
}

/** What is said of an answer came too late to keep the request from the upstream. */
const isLast = (phase: DecisionEntry['phase'], outcome: DecisionEntry['outcome']): boolean =>
  (phase === 'request' || phase === 'requestBody') && ['reject', 'respond', 'error'].includes(outcome);
