/** What an expiry in a document looks like, as a JSON Schema pattern. */
export const EXPIRY_PATTERN =
  '^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2}))?$';

/** Why a text is no expiry, as it reads after the path. */
export const EXPIRY_MESSAGE = 'must be a day, YYYY-MM-DD, or a time with its zone, YYYY-MM-DDTHH:MM:SSZ';

const EXPIRY = new RegExp(EXPIRY_PATTERN);

/**
 * Milliseconds since the epoch until which something counts: a day to its end (UTC), an exact time to that time.
 * Undefined for any other form, and for a day that no calendar has.
 */
export function parseExpiry(text: string): number | undefined {
  if (!EXPIRY.test(text)) return undefined;
  const time = Date.parse(text.length === 10 ? `${text}T23:59:59.999Z` : text);
  return Number.isNaN(time) || !isRealDay(text.slice(0, 10)) ? undefined : time;
}

/** Milliseconds since the epoch of the same forms, as the moment itself: a day is its first (UTC). */
export function parseMoment(text: string): number | undefined {
  if (parseExpiry(text) === undefined) return undefined;
  return Date.parse(text.length === 10 ? `${text}T00:00:00Z` : text);
}

/** Date.parse rolls 30 February over to March. */
function isRealDay(day: string): boolean {
  const time = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}
