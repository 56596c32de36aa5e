import { InvalidArgumentError } from 'commander';
import { DURATION_FORM, parseDuration } from '../lib/duration.ts';

/** Where a server listens. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT`, `[v6]:PORT` or `PORT` (on loopback). */
export function parseHostPort(text: string): HostPort {
  const match = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9.-]+)):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) {
    throw new InvalidArgumentError(`"${text}" is no HOST:PORT, such as 127.0.0.1:8090.`);
  }
  return { host: match[1] ?? match[2] ?? '127.0.0.1', port };
}

/** As `parseHostPort`, or `off`. */
export const parseAdmin = (text: string): HostPort | 'off' => (text === 'off' ? 'off' : parseHostPort(text));

const HOST_NAME = /^[A-Za-z0-9._-]{1,255}$/;

/** One more name of the admin side, without scheme and port; the option may be repeated. */
export function parseAdminName(text: string, before: readonly string[] = []): readonly string[] {
  if (HOST_NAME.test(text)) return [...before, text];
  throw new InvalidArgumentError(`"${text}" is no host name, such as gateway.example.com.`);
}

/** What a node is called, for people. */
export function parseNodeName(text: string): string {
  if (HOST_NAME.test(text)) return text;
  throw new InvalidArgumentError(`"${text}" is no name of a node, such as gateway-1.`);
}

/**
 * One more reference to a master key; the option may be repeated. Its form is checked where it is read: a message from
 * here would show what was written, and that may be the key.
 */
export const addReference = (text: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  text,
];

const MAX_WORKERS = 256;

export function parseWorkers(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > MAX_WORKERS) {
    throw new InvalidArgumentError(`"${text}" is no number from 1 to ${MAX_WORKERS}.`);
  }
  return count;
}

/** A smaller table is of no use but to tests, a larger one of more memory than counters are worth. */
const [MIN_COUNTER_KEYS, MAX_COUNTER_KEYS] = [1024, 2 ** 26];

/** How many keys counters have places for. */
export function parseCounterKeys(text: string): number {
  const keys = Number(text);
  if (/^\d{1,8}$/.test(text) && keys >= MIN_COUNTER_KEYS && keys <= MAX_COUNTER_KEYS) return keys;
  throw new InvalidArgumentError(`"${text}" is no number from ${MIN_COUNTER_KEYS} to ${MAX_COUNTER_KEYS}.`);
}

const MAX_COUNT = 10_000;

/** A whole number from 0 on. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (/^\d{1,5}$/.test(text) && count <= MAX_COUNT) return count;
  throw new InvalidArgumentError(`"${text}" is no number from 0 to ${MAX_COUNT}.`);
}

/** So many of a list: with none it would read as if there were nothing. */
export function parseSome(text: string): number {
  const count = parseCount(text);
  if (count > 0) return count;
  throw new InvalidArgumentError(`"${text}" is no number from 1 to ${MAX_COUNT}.`);
}

/** A place in a list, as the end of a page names it. */
export function parsePlace(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw new InvalidArgumentError(`"${text}" is no place in a list.`);
}

/** A duration as documents have it, left as it is. */
export function parseDurationText(text: string): string {
  if (parseDuration(text) !== undefined) return text;
  throw new InvalidArgumentError(`"${text}" is no duration: ${DURATION_FORM}.`);
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/** `500ms`, `30s` or `5m`, as milliseconds. */
export function parseDurationMs(text: string): number {
  const match = /^(\d{1,6})(ms|s|m)$/.exec(text);
  if (match === null) throw new InvalidArgumentError(`"${text}" is no duration, such as 30s.`);
  return Number(match[1]) * UNIT_MS[match[2]];
}

/** A share in percent, `80%` or `80`. */
export function parsePercent(text: string): number {
  const match = /^(100|[1-9]?[0-9])%?$/.exec(text);
  if (match === null) throw new InvalidArgumentError(`"${text}" is no share from 0% to 100%.`);
  return Number(match[1]);
}

/** `1 route`, `2 routes`. */
export function counted(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
