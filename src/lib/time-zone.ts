/** A place's clocks. */
export interface TimeZone {
  readonly name: string;
  /** What its clocks show more than UTC at an instant, in milliseconds. */
  offsetMs(atMs: number): number;
}

/** Clocks that never change. */
export const UTC: TimeZone = Object.freeze({ name: 'UTC', offsetMs: () => 0 });

const FIELDS = ['year', 'month', 'day', 'hour', 'minute', 'second'] as const;

/** By its IANA name, as this runtime knows them; undefined for any other. */
export function findTimeZone(name: string): TimeZone | undefined {
  if (name === UTC.name) return UTC;
  try {
    const format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      ...Object.fromEntries(FIELDS.map((field) => [field, 'numeric'])),
    });
    return { name, offsetMs: (atMs) => shown(format, atMs) - Math.floor(atMs / 1000) * 1000 };
  } catch {
    return undefined;
  }
}

/** Every name this runtime lists, for suggestions. */
export const timeZoneNames = (): readonly string[] => [UTC.name, ...Intl.supportedValuesOf('timeZone')];

/** What the clocks show, as if that were UTC. */
function shown(format: Intl.DateTimeFormat, atMs: number): number {
  const parts = new Map(format.formatToParts(atMs).map(({ type, value }) => [type, Number(value)]));
  const [year, month, day, hour, minute, second] = FIELDS.map((field) => parts.get(field) ?? Number.NaN);
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

/** Further from an instant than any place's offset, and nearer than two changes of its clocks are to each other. */
const AROUND_MS = 26 * 3_600_000;

/**
 * The first instant at which the clocks show `localMs` (milliseconds since the epoch, as if it were UTC) or later. So a
 * time that is shown twice is its first showing, and one that is left out is the instant at which it is.
 */
export function firstShowing(zone: TimeZone, localMs: number): number {
  const before = zone.offsetMs(localMs - AROUND_MS);
  const after = zone.offsetMs(localMs + AROUND_MS);
  const early = localMs - before;
  if (before === after || zone.offsetMs(early) === before) return early;
  const late = localMs - after;
  if (zone.offsetMs(late) === after) return late;
  return changeBetween(zone, late, early);
}

/** The first instant after `fromMs` with the offset of `toMs`. */
function changeBetween(zone: TimeZone, fromMs: number, toMs: number): number {
  const after = zone.offsetMs(toMs);
  let [before, at] = [fromMs, toMs];
  while (at - before > 1) {
    const middle = Math.floor((before + at) / 2);
    if (zone.offsetMs(middle) === after) at = middle;
    else before = middle;
  }
  return at;
}
