import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RawClient, type RawMessage, statusOf, values } from '../fixtures/raw-client.ts';
import { type Answer, RawUpstream } from '../fixtures/raw-upstream.ts';

export type Verdict = 'pass' | 'warn' | 'fail';

export interface CaseResult {
  readonly id: string;
  readonly scored: boolean;
  /** Can be judged by status, connection and echoed body alone: what the published figures count. */
  readonly comparable: boolean;
  readonly verdict: Verdict;
  /** What was seen, e.g. `400/close`. */
  readonly seen: string;
  readonly expected: string;
}

interface SingleCase {
  readonly id: string;
  readonly scored: boolean;
  readonly payload_b64: string;
  readonly expected: string | null;
  readonly pass: readonly string[];
  readonly warn: readonly string[];
  readonly depends_on_body_or_headers: boolean;
  readonly echo_body?: string;
}

interface SequenceCase {
  readonly id: string;
  readonly scored: boolean;
  readonly steps: readonly { readonly payload_b64: string }[];
  readonly expected: string;
}

const FOLDER = join(import.meta.dirname, '../../../shared/suites/http11probe');
const READ_TIMEOUT_MS = 1500;
const CLOSE_TIMEOUT_MS = 300;
const CONCURRENCY = 24;

/** Whether the cases are on this machine. */
export const present = existsSync(join(FOLDER, 'single.json'));

const parse = <T>(name: string): readonly T[] => JSON.parse(readFileSync(join(FOLDER, name), 'utf8'));

/** The server the suite expects: bodies echoed, `/echo` shows the fields it got, OPTIONS is 204 with Allow. */
export const echo: Answer = (socket, request) => {
  const [method, target] = request.startLine.split(' ');
  if (method === 'OPTIONS') {
    socket.write('HTTP/1.1 204 No Content\r\nAllow: GET, HEAD, POST, OPTIONS\r\n\r\n');
    return;
  }
  const shown = request.fields.map(([name, value]) => `${name}: ${value}`).join('\n');
  const cookies = values(request, 'cookie').join('; ');
  const body = target === '/echo' ? shown : target === '/cookie' ? cookies : echoed(request);
  const bytes = Buffer.from(body, 'latin1');
  const date = new Date().toUTCString();
  socket.write(
    `HTTP/1.1 200 OK\r\nDate: ${date}\r\nContent-Type: text/plain\r\nContent-Length: ${bytes.length}\r\n\r\n`,
  );
  if (method !== 'HEAD') socket.write(bytes);
};

const echoed = (request: RawMessage): string =>
  request.body.length > 0 ? request.body.toString('latin1') : 'OK';

export const startEcho = (): Promise<RawUpstream> => RawUpstream.start({ answer: echo });

interface Observation {
  readonly status: number | undefined;
  readonly response: RawMessage | undefined;
  /** `keepalive`/`close` after an answer, `ClosedByServer`/`TimedOut` without one. */
  readonly connection: string;
  readonly finals: number;
}

async function observe(port: number, case_: SingleCase): Promise<Observation> {
  const payload = Buffer.from(case_.payload_b64, 'base64');
  const methods = payload.subarray(0, 4).toString('latin1') === 'HEAD' ? ['HEAD'] : [];
  const client = await RawClient.connect(port, { methods });
  try {
    client.send(payload);
    const response = await client.response(1, READ_TIMEOUT_MS);
    if (response === undefined) {
      return {
        status: undefined,
        response,
        connection: client.state === 'open' ? 'TimedOut' : 'ClosedByServer',
        finals: 0,
      };
    }
    await client.closedWithin(CLOSE_TIMEOUT_MS);
    const finals = client.responses.filter((r) => statusOf(r) >= 200).length;
    return {
      status: statusOf(response),
      response,
      connection: client.state === 'open' ? 'keepalive' : 'close',
      finals,
    };
  } finally {
    client.close();
  }
}

const describe = (o: Observation): string =>
  o.status === undefined ? `noresponse/${o.connection}` : `${o.status}/${o.connection}`;

function judge(case_: SingleCase, seen: Observation): Verdict {
  const special = SPECIAL[case_.id];
  if (special !== undefined) return special(seen);
  if (case_.echo_body !== undefined) {
    return success(seen) && seen.response?.body.toString('latin1') === case_.echo_body ? 'pass' : 'fail';
  }
  if (listed(case_.pass, seen)) return 'pass';
  return listed(case_.warn, seen) ? 'warn' : 'fail';
}

const listed = (list: readonly string[], seen: Observation): boolean =>
  list.includes(describe(seen)) || (seen.status !== undefined && list.includes(String(seen.status)));

const success = (seen: Observation): boolean =>
  seen.status !== undefined && seen.status >= 200 && seen.status < 300;

const has = (seen: Observation, name: string): boolean =>
  seen.response !== undefined && values(seen.response, name).length > 0;

const shows = (seen: Observation, pattern: RegExp): boolean =>
  pattern.test(seen.response?.body.toString('latin1') ?? '');

/** A lookalike of a framing field in what `/echo` saw: refused or dropped is right, made canonical is wrong. */
const normalised =
  (preserved: RegExp, canonical: RegExp) =>
  (seen: Observation): Verdict => {
    if (!success(seen)) return 'pass';
    if (shows(seen, canonical)) return 'fail';
    return shows(seen, preserved) ? 'warn' : 'pass';
  };

const refusedOrWithout =
  (pattern: RegExp) =>
  (seen: Observation): Verdict =>
    seen.status === 400 || seen.status === undefined || (success(seen) && !shows(seen, pattern))
      ? 'pass'
      : 'fail';

const okShowing =
  (pattern: RegExp) =>
  (seen: Observation): Verdict =>
    success(seen) && shows(seen, pattern) ? 'pass' : 'warn';

/** Cases that are judged by fields or bodies, which the static lists cannot say. */
const SPECIAL: Readonly<Record<string, (seen: Observation) => Verdict>> = {
  'COMP-CHUNKED-EXTENSION': (o) =>
    success(o) && shows(o, /^hello$/) ? 'pass' : o.status === 400 || o.status === undefined ? 'warn' : 'fail',
  'COMP-HEAD-NO-BODY': (o) => (success(o) && o.finals === 1 ? 'pass' : 'fail'),
  'COMP-405-ALLOW': (o) => (o.status !== 405 ? 'warn' : has(o, 'allow') ? 'pass' : 'fail'),
  'COMP-DATE-HEADER': (o) => (success(o) && has(o, 'date') ? 'pass' : 'fail'),
  'COMP-DATE-FORMAT': (o) => (has(o, 'date') ? 'pass' : 'warn'),
  'COMP-NO-CL-IN-204': (o) => (o.status !== 204 ? 'warn' : has(o, 'content-length') ? 'fail' : 'pass'),
  'COMP-OPTIONS-ALLOW': (o) => (success(o) ? (has(o, 'allow') ? 'pass' : 'warn') : 'fail'),
  'COMP-CONTENT-TYPE': (o) => (success(o) ? (has(o, 'content-type') ? 'pass' : 'warn') : 'fail'),
  'NORM-UNDERSCORE-CL': normalised(/^Content_Length: 99$/im, /^Content-Length: 99$/im),
  'NORM-SP-BEFORE-COLON-CL': normalised(/^Content-Length : 5$/im, /^Content-Length: 5$/im),
  'NORM-TAB-IN-NAME': normalised(/^Content\tLength: 99$/im, /^Content-Length: 99$/im),
  'NORM-UNDERSCORE-TE': normalised(/^Transfer_Encoding: chunked$/im, /^Transfer-Encoding: chunked$/im),
  'NORM-CASE-TE': normalised(/^TRANSFER-ENCODING: chunked$/m, /^Transfer-Encoding: chunked$/m),
  'COOK-NUL': refusedOrWithout(/\x00/),
  'COOK-CONTROL-CHARS': refusedOrWithout(/[\x01\x02\x03]/),
  'COOK-ECHO': okShowing(/foo=bar/),
  'COOK-MULTI-HEADER': okShowing(/a=1[\s\S]*b=2/),
  'COOK-PARSED-BASIC': okShowing(/foo=bar/),
  'COOK-PARSED-MULTI': okShowing(/a=1; b=2; c=3/),
};

async function runSequence(port: number, case_: SequenceCase): Promise<CaseResult> {
  const client = await RawClient.connect(port);
  const finals = () => client.responses.filter((r) => statusOf(r) >= 200);
  const seen: string[] = [];
  try {
    for (const [index, step] of case_.steps.entries()) {
      if (client.state !== 'open') break;
      client.send(Buffer.from(step.payload_b64, 'base64'));
      await client.response(index + 1, READ_TIMEOUT_MS / 2);
      await client.closedWithin(CLOSE_TIMEOUT_MS);
      seen.push(`${finals().map(statusOf).join('+') || 'noresponse'}/${client.state}`);
    }
    const verdict = judgeSequence(case_.id, finals().map(statusOf), client.state !== 'open');
    return {
      id: case_.id,
      scored: case_.scored,
      comparable: false,
      verdict,
      seen: seen.join(' then '),
      expected: case_.expected,
    };
  } finally {
    client.close();
  }
}

/** Refusal passes. An answer is right only when the connection ends with it; one more than that is a smuggled request. */
function judgeSequence(id: string, statuses: readonly number[], closed: boolean): Verdict {
  const first = statuses[0];
  if (id.startsWith('CAP-')) return 'warn';
  if (id === 'SMUG-PIPELINE-SAFE')
    return statuses.length === 2 && statuses.every((s) => s < 300) ? 'pass' : 'fail';
  if (first === undefined || first === 400 || first === 501 || first === 417) {
    return closed && statuses.length <= 1 ? 'pass' : 'fail';
  }
  if (UNSCORED_DESYNC.has(id))
    return statuses.every((s) => s < 300) && statuses.length <= 2 ? 'pass' : 'warn';
  return closed && statuses.length === 1 ? 'pass' : 'fail';
}

const UNSCORED_DESYNC = new Set([
  'SMUG-GET-CL-PREFIX-DESYNC',
  'SMUG-CL0-BODY-POISON',
  'SMUG-GET-CL-BODY-DESYNC',
  'SMUG-OPTIONS-CL-BODY-DESYNC',
  'SMUG-EXPECT-100-CL-DESYNC',
]);

/** Runs every case against the server on `port`, a few at a time. */
export async function runSuite(port: number): Promise<CaseResult[]> {
  const singles = parse<SingleCase>('single.json').map((case_) => async (): Promise<CaseResult> => {
    const seen = await observe(port, case_);
    return {
      id: case_.id,
      scored: case_.scored,
      comparable: case_.scored && (!case_.depends_on_body_or_headers || case_.echo_body !== undefined),
      verdict: judge(case_, seen),
      seen: describe(seen),
      expected: case_.expected ?? case_.pass.slice(0, 4).join(' '),
    };
  });
  const sequences = parse<SequenceCase>('sequences.json').map((case_) => () => runSequence(port, case_));
  return await pooled([...singles, ...sequences], CONCURRENCY);
}

async function pooled<T>(jobs: readonly (() => Promise<T>)[], width: number): Promise<T[]> {
  const results: T[] = new Array(jobs.length);
  let next = 0;
  const lane = async () => {
    while (next < jobs.length) {
      const index = next++;
      results[index] = await jobs[index]();
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return results;
}

/** Counts of verdicts. */
export function tally(results: readonly CaseResult[]): Record<Verdict, number> {
  const counts = { pass: 0, warn: 0, fail: 0 };
  for (const result of results) counts[result.verdict]++;
  return counts;
}
