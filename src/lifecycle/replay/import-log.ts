import type { RecordedRequest } from '../../contract/index.ts';
import { readAccessRecord } from './import-access-record.ts';
import { readCombined } from './import-combined.ts';
import type { ImportFaults } from './import-faults.ts';
import { readJsonLog } from './import-json-log.ts';
import { type ImportedRequest, type ImportOptions, importedRecord } from './import-record.ts';

/** A line of an access log as a request; a text says why it is none. */
export type ReadLine = (line: string, id: string, options: ImportOptions) => ImportedRequest | string;

/** Longer lines are no access log's. */
const MAX_LINE = 1_000_000;
/** Logs are written as requests end: what began earlier may stand so many lines later. */
const REORDERED = 5000;

/**
 * Requests of an access log, line by line: the combined format, records of this gateway, and JSON lines of others, each
 * told by how it begins. They come in the order of their time as far as a log is out of order by little.
 */
export async function* importLog(
  lines: AsyncIterable<string> | Iterable<string>,
  options: ImportOptions,
  faults: ImportFaults,
): AsyncGenerator<RecordedRequest> {
  let waiting: RecordedRequest[] = [];
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line.trim() === '') continue;
    faults.entries++;
    const read = readLine(line, `line-${number}`, options);
    if (typeof read === 'string') faults.note(`line ${number}`, read);
    else waiting.push(importedRecord(read, options));
    if (waiting.length < 2 * REORDERED) continue;
    waiting.sort(byTime);
    yield* waiting.slice(0, REORDERED);
    waiting = waiting.slice(REORDERED);
  }
  yield* waiting.sort(byTime);
}

const byTime = (a: RecordedRequest, b: RecordedRequest): number => a.atMs - b.atMs;

function readLine(line: string, id: string, options: ImportOptions): ImportedRequest | string {
  if (line.length > MAX_LINE) return 'it is longer than lines of access logs are';
  if (!line.startsWith('{')) return readCombined(line, id, options);
  const own = readAccessRecord(line, id, options);
  return own ?? readJsonLog(line, id, options);
}
