import { parseIpAddress } from '../../lib/ip-address.ts';
import type { ReadLine } from './import-log.ts';
import { httpVersionOf } from './import-record.ts';

/**
 * `%h %l %u [%t] "%r" %>s %b "%{Referer}i" "%{User-agent}i"`, as Apache and nginx write it; what follows is theirs. The
 * common format is the same without the last two.
 */
const COMBINED =
  /^(\S+) \S+ (?:\S+|".*?") \[([^\]]+)\] "((?:[^"\\]|\\.)*)" (\d{3}) (?:\d+|-)(?: "((?:[^"\\]|\\.)*)" "((?:[^"\\]|\\.)*)")?/;
const TIME = /^(\d{2})\/([A-Z][a-z]{2})\/(\d{4}):(\d{2}:\d{2}:\d{2}) ([+-]\d{2})(\d{2})$/;
const MONTHS = 'JanFebMarAprMayJunJulAugSepOctNovDec';
const REQUEST_LINE = /^([A-Z]{3,20}) (\S+)(?: (HTTP\/\d(?:\.\d)?))?$/;

/** A line of the combined or the common log format. It tells of two header fields, and of no other. */
export const readCombined: ReadLine = (line, id) => {
  const match = COMBINED.exec(line);
  if (match === null) return 'it is no line of the combined log format';
  const [, address, time, requestLine, status, referer, agent] = match;
  const atMs = timeOf(time);
  if (atMs === undefined) return 'its time cannot be read';
  const request = readRequestLine(unescaped(requestLine));
  if (request === undefined) return 'its request line is none of HTTP';
  return {
    id,
    atMs,
    durationMs: 0,
    // A name, where the server looked names up, is no address that anybody can go by.
    peer: parseIpAddress(address)?.text,
    ...request,
    headers: [...field('Referer', referer), ...field('User-Agent', agent)],
    unknownHeaders: 'all',
    status: Number(status),
  };
};

/** A request line in parts; undefined for what is none. */
export function readRequestLine(text: string) {
  const match = REQUEST_LINE.exec(text);
  if (match === null) return undefined;
  const [, method, target, version = ''] = match;
  return { method, target, httpVersion: httpVersionOf(version) } as const;
}

/** `-` stands for none. What a server has escaped is not what was sent, so that nobody knows it. */
const field = (name: string, value: string | undefined): readonly string[] =>
  value === undefined || value === '-' || value.includes('\\x') ? [] : [name, unescaped(value)];

const unescaped = (text: string): string => text.replace(/\\(["\\])/g, '$1');

function timeOf(text: string): number | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [, day, monthName, year, time, hours, minutes] = match;
  const month = MONTHS.indexOf(monthName);
  if (month === -1 || month % 3 !== 0) return undefined;
  const monthText = String(month / 3 + 1).padStart(2, '0');
  const ms = Date.parse(`${year}-${monthText}-${day}T${time}${hours}:${minutes}`);
  return Number.isNaN(ms) ? undefined : ms;
}
