import { InvalidArgumentError } from 'commander';
import { parseDuration } from '../lib/duration.ts';

const DAY = /^\d{4}-\d{2}-\d{2}$/;
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2})$/;

/** What a time on the command line looks like, for the help. */
export const WHEN_FORM = 'a duration from now (90d), a day (2027-01-31) or a time (2027-01-31T12:00:00Z)';

/**
 * A time as RFC 3339 has it. A day is meant in UTC and to its end, as in a document; `ofDay` says otherwise.
 * @throws InvalidArgumentError
 */
export function parseWhen(text: string, nowMs: number, ofDay = 'T23:59:59Z'): string {
  const duration = parseDuration(text);
  if (duration !== undefined) return new Date(nowMs + duration).toISOString();
  const isDay = DAY.test(text);
  const ms = isDay || TIME.test(text) ? Date.parse(isDay ? `${text}${ofDay}` : text) : Number.NaN;
  // Date.parse rolls 30 February over to March.
  const day = Date.parse(`${text.slice(0, 10)}T00:00:00Z`);
  const isReal = !Number.isNaN(day) && new Date(day).toISOString().startsWith(text.slice(0, 10));
  if (Number.isNaN(ms) || !isReal)
    throw new InvalidArgumentError(`"${text}" is no time: it takes ${WHEN_FORM}.`);
  return new Date(ms).toISOString();
}
