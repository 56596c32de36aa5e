import type { RecordedRequest } from '../../contract/index.ts';
import { type Static, Type } from '../../lib/schema.ts';
import { matches } from '../../lib/schema-check.ts';
import type { ImportFaults } from './import-faults.ts';
import { httpVersionOf, type ImportOptions, importedRecord } from './import-record.ts';

const HarHeader = Type.Object({ name: Type.String(), value: Type.String() });
const HarEntry = Type.Object({
  startedDateTime: Type.String(),
  time: Type.Optional(Type.Number()),
  request: Type.Object({
    method: Type.String(),
    url: Type.String(),
    httpVersion: Type.Optional(Type.String()),
    headers: Type.Array(HarHeader),
    postData: Type.Optional(Type.Object({ text: Type.Optional(Type.String()) })),
    bodySize: Type.Optional(Type.Number()),
  }),
  response: Type.Optional(Type.Object({ status: Type.Number() })),
});
const Har = Type.Object({ log: Type.Object({ entries: Type.Array(Type.Unknown()) }) });

type Entry = Static<typeof HarEntry>;

const HTTP_URL = /^(https?):\/\/(?:[^/?#@]*@)?([^/?#]+)([^#]*)/i;
/** What tools leave out of what they export, so that nobody knows whether it was there. */
const OFTEN_LEFT_OUT: readonly string[] = ['authorization', 'cookie'];

/**
 * Requests of an HTTP archive (HAR 1.2), in the order of their time. What its credentials prove is judged as live. One
 * in which no request has any was most likely cleaned of them, and what would ask for them is unknown. Throws SyntaxError
 * for what is no archive.
 */
export function importHar(
  text: string,
  options: ImportOptions,
  faults: ImportFaults,
): readonly RecordedRequest[] {
  const har: unknown = parsed(text);
  if (!matches(Har, har)) throw new SyntaxError('it is no HTTP archive: log.entries is missing');
  const entries = har.log.entries.flatMap((entry, i) => {
    faults.entries++;
    if (matches(HarEntry, entry)) return [{ entry, where: `entry ${i + 1}` }];
    faults.note(`entry ${i + 1}`, 'it is no entry of HAR 1.2');
    return [];
  });
  const isCleaned = !entries.some(({ entry }) =>
    entry.request.headers.some(({ name }) => isCredential(name)),
  );
  const records = entries.flatMap(({ entry, where }) => {
    const record = recordOf(entry, where, isCleaned, options);
    if (typeof record !== 'string') return [record];
    faults.note(where, record);
    return [];
  });
  return records.sort((a, b) => a.atMs - b.atMs);
}

function parsed(text: string): unknown {
  try {
    // Some tools begin with a mark of the byte order.
    return JSON.parse(text.replace(/^\ufeff/, ''));
  } catch {
    throw new SyntaxError('it is no JSON');
  }
}

const isCredential = (name: string): boolean => OFTEN_LEFT_OUT.includes(name.toLowerCase());

function recordOf(
  { startedDateTime, time = 0, request, response }: Entry,
  where: string,
  isCleaned: boolean,
  options: ImportOptions,
): RecordedRequest | string {
  const atMs = Date.parse(startedDateTime);
  if (Number.isNaN(atMs)) return 'its time cannot be read';
  const url = HTTP_URL.exec(request.url);
  if (url === null) return 'its URL is not of http or https';
  const [, scheme, authority, rest] = url;
  const target = rest.startsWith('/') ? rest : `/${rest}`;
  const { postData, bodySize = 0 } = request;
  const body = postData?.text === undefined ? undefined : Buffer.from(postData.text);
  const record = importedRecord(
    {
      id: `har-${where.slice('entry '.length)}`,
      atMs,
      durationMs: Math.max(0, time),
      scheme: scheme.toLowerCase() === 'https' ? 'https' : 'http',
      peer: undefined,
      method: request.method,
      target,
      httpVersion: httpVersionOf(request.httpVersion ?? ''),
      headers: fieldsOf(request.headers, authority),
      unknownHeaders: isCleaned ? OFTEN_LEFT_OUT : [],
      body,
      status: response?.status ?? 0,
    },
    options,
  );
  if (body !== undefined || bodySize <= 0) return record;
  return { ...record, body: { kind: 'missing', size: bodySize, why: 'not-read' } };
}

/** Pseudo-fields of HTTP/2 stand in the request line; the URL says which host was meant. */
function fieldsOf(headers: Entry['request']['headers'], authority: string): readonly string[] {
  const fields = headers
    .filter(({ name }) => !name.startsWith(':'))
    .flatMap(({ name, value }) => [name, value]);
  const hasHost = headers.some(({ name }) => name.toLowerCase() === 'host');
  return hasHost ? fields : ['Host', authority, ...fields];
}
