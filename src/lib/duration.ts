const MS_PER_UNIT: Readonly<Record<string, number>> = Object.freeze({
  d: 86_400_000,
  h: 3_600_000,
  m: 60_000,
  s: 1000,
  ms: 1,
});
const DURATION = /^(0|[1-9][0-9]{0,8})(ms|s|m|h|d)$/;

/** What a duration in a document looks like, for the messages that refuse one. */
export const DURATION_FORM = 'a whole number and a unit: 500ms, 30s, 5m, 24h or 30d';

/** Why a text is no duration, as it reads after the path: the `patternErrorMessage` of every duration. */
export const DURATION_MESSAGE = `must be a duration, ${DURATION_FORM}`;

/** JSON Schema pattern of a duration, so that editors see what `parseDuration` accepts. */
export const DURATION_PATTERN = DURATION.source;

/** Milliseconds of `500ms`, `30s`, `5m`, `24h` or `30d`; undefined for any other form. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text);
  return match === null ? undefined : Number(match[1]) * MS_PER_UNIT[match[2]];
}

/** A whole number of milliseconds in the largest unit that divides it: 60000 is `1m`. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s';
  for (const [unit, size] of Object.entries(MS_PER_UNIT)) {
    if (ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}
