import type {
  ClientCertificate,
  DecisionEntry,
  Identity,
  JudgedOutcome,
  RecordedBody,
  RecordedRequest,
} from '../contract/index.ts';

/** A record but for its weight, which is known once all of its time were seen. */
export type Unweighted = Omit<RecordedRequest, 'weight'>;

/**
 * A record as a line of JSON without its beginning: `weighted` puts the weight before it. One array, since its fields are
 * many and always the same.
 */
export function recordLine(record: Unweighted): string {
  const { withheld, upstream } = record;
  const withheldMore = withheld.path === undefined && withheld.claims === undefined;
  return `${q(record.requestId)},${record.atMs},${record.durationMs},${q(record.revision)},${q(record.listener)},"${record.scheme}",${q(record.peer)},${q(record.method)},${q(record.target)},"${record.httpVersion}",${q(record.headers)},${q(withheld.headers)},${q(withheld.query)},${withheldMore ? 'null' : q([withheld.path === true, withheld.claims ?? []])},${bodyText(record.body)},${orNull(record.certificate)},${identityText(record.identity)},${outcomeText(record.outcome)},${decisionsText(record.decisions)},${upstream === undefined ? 'null' : `[${upstream.status},${upstream.ms}]`}]`;
}

/** The whole line. */
export const weighted = (line: string, weight: number): string => `[${weight},${line}`;

const q = (value: string | readonly unknown[]): string => JSON.stringify(value);
const orNull = (value: object | undefined): string => (value === undefined ? 'null' : JSON.stringify(value));

/** Bytes as a text of as many characters: most bodies are ASCII, and stay as short as they are. */
function bodyText(body: RecordedBody): string {
  if (body.kind === 'none') return '0';
  if (body.kind === 'missing') return `[${body.size},"${body.why}"]`;
  const { buffer, byteOffset, length } = body.bytes;
  return q(Buffer.from(buffer, byteOffset, length).toString('latin1'));
}

const outcomeText = (o: JudgedOutcome | undefined): string =>
  o === undefined ? 'null' : JSON.stringify([o.kind, o.status, o.route, o.by, o.policy, o.code, o.rule]);

/** Entries of attachments that let a request on are the same objects for all requests, and so are many identities. */
const knownEntries = new WeakMap<DecisionEntry, string>();
const knownIdentities = new WeakMap<Identity, string>();

function decisionsText(decisions: readonly DecisionEntry[]): string {
  let text = '[';
  for (const [i, entry] of decisions.entries()) text += i === 0 ? entryText(entry) : `,${entryText(entry)}`;
  return `${text}]`;
}

function entryText(entry: DecisionEntry): string {
  const known = knownEntries.get(entry);
  if (known !== undefined) return known;
  const { attachment, policy, mode, phase, outcome, code, rule, reason } = entry;
  const list = [attachment, policy, mode, phase, outcome, code, rule, reason];
  while (list.at(-1) === undefined) list.pop();
  const text = JSON.stringify(list);
  if (Object.isFrozen(entry)) knownEntries.set(entry, text);
  return text;
}

function identityText(identity: Identity | undefined): string {
  if (identity === undefined) return 'null';
  let text = knownIdentities.get(identity);
  if (text === undefined) {
    text = JSON.stringify(identity);
    knownIdentities.set(identity, text);
  }
  return text;
}

type Nullable<T> = T | null;

/** The array of a line. Lines are read only from frames that nobody has changed. */
type Row = readonly [
  weight: number,
  requestId: string,
  atMs: number,
  durationMs: number,
  revision: string,
  listener: string,
  scheme: 'http' | 'https',
  peer: string,
  method: string,
  target: string,
  httpVersion: '1.0' | '1.1' | '2',
  headers: readonly string[],
  withheldHeaders: readonly string[],
  withheldQuery: readonly string[],
  withheldMore: Nullable<readonly [path: boolean, claims: readonly string[]]>,
  body: 0 | string | readonly [size: number, why: 'too-large' | 'withheld' | 'not-read'],
  certificate: Nullable<ClientCertificate>,
  identity: Nullable<Identity>,
  outcome: Nullable<OutcomeRow>,
  decisions: readonly EntryRow[],
  upstream: Nullable<readonly [status: number, ms: number]>,
];

type OutcomeRow = readonly [
  kind: JudgedOutcome['kind'],
  status: number,
  route: string,
  by: Nullable<string>,
  policy: Nullable<string>,
  code: Nullable<string>,
  rule: Nullable<string>,
];

type EntryRow = readonly [
  attachment: string,
  policy: string,
  mode: DecisionEntry['mode'],
  phase: DecisionEntry['phase'],
  outcome: DecisionEntry['outcome'],
  code?: Nullable<string>,
  rule?: Nullable<string>,
  reason?: Nullable<string>,
];

/** The record of a whole line. */
export function readRecord(line: string): RecordedRequest {
  const row: Row = JSON.parse(line);
  const more = row[14];
  const upstream = row[20];
  return {
    requestId: row[1],
    atMs: row[2],
    durationMs: row[3],
    revision: row[4],
    listener: row[5],
    scheme: row[6],
    peer: row[7],
    method: row[8],
    target: row[9],
    httpVersion: row[10],
    headers: row[11],
    withheld:
      more === null ? { headers: row[12], query: row[13] } : withheldOf(row[12], row[13], more[0], more[1]),
    body: bodyOf(row[15]),
    certificate: row[16] ?? undefined,
    identity: row[17] ?? undefined,
    outcome: row[18] === null ? undefined : outcomeOf(row[18]),
    decisions: row[19].map(entryOf),
    upstream: upstream === null ? undefined : { status: upstream[0], ms: upstream[1] },
    weight: row[0],
  };
}

function withheldOf(
  headers: readonly string[],
  query: readonly string[],
  path: boolean,
  claims: readonly string[],
): RecordedRequest['withheld'] {
  return { headers, query, ...(path ? PATH_WITHHELD : {}), ...(claims.length > 0 ? { claims } : {}) };
}

function bodyOf(body: Row[15]): RecordedBody {
  if (body === 0) return NO_BODY;
  if (typeof body === 'string') return { kind: 'whole', bytes: Buffer.from(body, 'latin1') };
  return { kind: 'missing', size: body[0], why: body[1] };
}

const PATH_WITHHELD: { readonly path: true } = Object.freeze({ path: true });
const NO_BODY: RecordedBody = Object.freeze({ kind: 'none' });

const outcomeOf = ([kind, status, route, by, policy, code, rule]: OutcomeRow): JudgedOutcome => ({
  kind,
  status,
  route,
  by: by ?? undefined,
  policy: policy ?? undefined,
  code: code ?? undefined,
  rule: rule ?? undefined,
});

function entryOf([attachment, policy, mode, phase, outcome, code, rule, reason]: EntryRow): DecisionEntry {
  const entry = { attachment, policy, mode, phase, outcome };
  if (code == null && rule == null && reason == null) return entry;
  return {
    ...entry,
    ...(code != null && { code }),
    ...(rule != null && { rule }),
    ...(reason != null && { reason }),
  };
}
