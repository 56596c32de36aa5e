import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { RawClient, type RawMessage, statusOf, values } from '../fixtures/raw-client.ts';
import { type Answer, RawUpstream } from '../fixtures/raw-upstream.ts';
import { readResponseWithNode, ServerOracle } from '../fuzz/oracle.ts';

const FILE = join(import.meta.dirname, '../../../shared/suites/llhttp/cases.json');

/** Whether the cases are on this machine. */
export const present = existsSync(FILE);

interface RawCase {
  readonly file: string;
  readonly title: string;
  readonly type: string;
  readonly error: { readonly code: number; readonly reason: string } | null;
  readonly raw_b64: string;
  readonly log: string;
}

/** A case as llhttp, strict, reads it. */
export interface ParserCase {
  readonly name: string;
  readonly bytes: Buffer;
  /** llhttp refuses the bytes somewhere. */
  readonly refused: boolean;
  /** Messages llhttp read whole before the end or the refusal. */
  readonly whole: number;
  /** There is the end of a head in the bytes; without it a reader may still be waiting. */
  readonly headWhole: boolean;
  /** The bytes ask for another protocol; what follows is not HTTP. */
  readonly upgrade: boolean;
}

/** Codes by which llhttp stops without a fault: CONNECT or Upgrade, and the preface of HTTP/2. */
const PAUSES = new Set([22, 23]);

export async function requestCases(): Promise<ParserCase[]> {
  const oracle = new ServerOracle();
  const cases: ParserCase[] = [];
  for (const raw of load('request')) {
    const bytes = withHost(Buffer.from(raw.raw_b64, 'base64'));
    const strict = raw.type === 'request' || raw.type === 'request-finish';
    const read = await oracle.read(bytes);
    cases.push({
      name: `${raw.file.replace('.md', '')}: ${raw.title}`,
      bytes,
      refused: strict ? raw.error !== null && !PAUSES.has(raw.error.code) : read.refused,
      whole: Math.max(strict ? wholeIn(raw) : 0, read.messages.filter((m) => m.complete).length),
      headWhole: bytes.includes('\r\n\r\n'),
      upgrade: raw.error !== null && PAUSES.has(raw.error.code),
    });
  }
  oracle.close();
  return cases;
}

export async function responseCases(): Promise<ParserCase[]> {
  const cases: ParserCase[] = [];
  for (const raw of load('response')) {
    const bytes = Buffer.from(raw.raw_b64, 'base64');
    const read = await readResponseWithNode(bytes, 'GET');
    const strict = raw.type === 'response' || raw.type === 'response-finish';
    const refusedFirst = strict
      ? raw.error !== null && !PAUSES.has(raw.error.code) && wholeIn(raw) === 0
      : false;
    cases.push({
      name: `${raw.file.replace('.md', '')}: ${raw.title}`,
      bytes,
      refused: refusedFirst || read.messages.length === 0 || !read.messages[0].complete,
      whole: read.messages.filter((m) => m.complete).length,
      headWhole: true,
      upgrade: raw.error !== null && PAUSES.has(raw.error.code),
    });
  }
  return cases;
}

const load = (kind: string): readonly RawCase[] => {
  const all: readonly RawCase[] = JSON.parse(readFileSync(FILE, 'utf8'));
  return all.filter((raw) => raw.type === kind || raw.type.startsWith(`${kind}-`));
};

const wholeIn = (raw: RawCase): number => raw.log.split('message complete').length - 1;

/**
 * Most cases have no Host, for which a gateway refuses them all alike and proves nothing. Where a request line of
 * HTTP/1.x ends soundly and no Host follows in that head, one is put in; everything else stays as it is.
 */
function withHost(bytes: Buffer): Buffer {
  const text = bytes.toString('latin1');
  const placed = text.replace(
    /(^|\r\n)[A-Z-]+ (\S+) HTTP\/1\.[01]\r\n/g,
    (line, _before, target: string, at: number) => {
      const [fields] = text.slice(at + line.length - 2).split('\r\n\r\n');
      if (/^host[ \t]*:/im.test(fields)) return line;
      return `${line}Host: ${/^https?:\/\/([^/?]+)/.exec(target)?.[1] ?? 'a.test'}\r\n`;
    },
  );
  return Buffer.from(placed, 'latin1');
}

export interface RequestOutcome {
  readonly statuses: readonly number[];
  readonly closed: boolean;
  readonly forwarded: readonly RawMessage[];
}

const ANSWER_MS = 1200;
const QUIET_MS = 150;
const LANES = 12;

/**
 * Sends a case on a connection of its own and waits for as many answers as llhttp found requests, or the end.
 * What it caused upstream is told by the client's address, so that many can run at once.
 */
export async function sendRequest(
  port: number,
  upstream: RawUpstream,
  case_: ParserCase,
  localAddress: string,
): Promise<RequestOutcome> {
  const ours = () => upstream.requests.filter((r) => values(r, 'x-forwarded-for').includes(localAddress));
  const known = ours().length;
  const methods = case_.bytes.subarray(0, 5).toString('latin1') === 'HEAD ' ? ['HEAD'] : [];
  const client = await RawClient.connect(port, { methods, localAddress });
  client.send(case_.bytes);
  await client.response(Math.max(1, case_.whole + (case_.refused ? 1 : 0)), ANSWER_MS);
  await client.closedWithin(QUIET_MS);
  const statuses = client.responses.map(statusOf).filter((status) => status >= 200);
  const closed = client.state !== 'open';
  client.close();
  return { statuses, closed, forwarded: ours().slice(known) };
}

/** Runs `job` for every index below `count`, `LANES` at a time; each lane has an address of its own. */
export async function inLanes(
  count: number,
  job: (index: number, address: string) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (address: string) => {
    while (next < count) await job(next++, address);
  };
  await Promise.all(Array.from({ length: LANES }, (_, i) => lane(`127.0.1.${i + 1}`)));
}

/** An upstream that answers `GET /N` with the bytes of case N, then ends its side. */
export function hostileUpstream(cases: readonly ParserCase[]): Promise<RawUpstream> {
  const answer: Answer = (socket, request) => {
    const index = Number(request.startLine.split(' ')[1].slice(1));
    socket.end(cases[index].bytes);
  };
  return RawUpstream.start({ answer });
}

export interface ResponseOutcome {
  readonly status: number | undefined;
  /** Complete by its framing and a clean end of the connection or a kept one. */
  readonly clean: boolean;
  readonly body: string;
}

export async function fetchCase(port: number, index: number): Promise<ResponseOutcome> {
  const client = await RawClient.connect(port);
  client.send(`GET /${index} HTTP/1.1\r\nHost: a.test\r\n\r\n`);
  const response = await client.response(1, ANSWER_MS);
  await client.closedWithin(QUIET_MS);
  const clean = response?.complete === true && client.state !== 'reset';
  client.close();
  return {
    status: response === undefined ? undefined : statusOf(response),
    clean,
    body: response?.body.toString('latin1') ?? '',
  };
}
