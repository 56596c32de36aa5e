import type { ConfigIssue } from '../../errors.ts';
import { didYouMean } from '../../lib/suggest.ts';
import type { AclTime } from './schema.ts';

const DAYS: readonly string[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const MINUTE_MS = 60_000;
const DAY_MINUTES = 24 * 60;

/** A time of the week on the clocks of one zone. */
interface Span {
  /** By day, from Monday: whether it begins on it. */
  readonly days: readonly boolean[];
  readonly fromMinute: number;
  readonly toMinute: number;
  readonly zone: ZoneClock;
}

/** Compiles `times`: whether a moment (milliseconds since the epoch) is in one of them. Faults go to `issues`. */
export function compileTimes(
  times: readonly AclTime[],
  path: string,
  issues: ConfigIssue[],
): (nowMs: number) => boolean {
  const zones = new Map<string, ZoneClock>();
  const spans = times.flatMap((time, i) => spanOf(time, `${path}[${i}]`, zones, issues) ?? []);
  return (nowMs) => {
    for (const span of spans) if (isIn(span, nowMs)) return true;
    return false;
  };
}

function spanOf(
  { days, from = '00:00', to = '24:00', zone = 'UTC' }: AclTime,
  path: string,
  zones: Map<string, ZoneClock>,
  issues: ConfigIssue[],
): Span | undefined {
  const clock = zones.get(zone) ?? ZoneClock.of(zone);
  if (clock === undefined) {
    const suggestion = didYouMean(zone, Intl.supportedValuesOf('timeZone')) ?? 'write one like Europe/Berlin';
    issues.push({ path: `${path}.zone`, message: `there is no time zone "${zone}"`, suggestion });
    return undefined;
  }
  zones.set(zone, clock);
  if (from === to || from === '24:00') {
    const suggestion = 'leave both out for the whole day';
    issues.push({ path, message: 'begins when it is over, or when the day is', suggestion });
    return undefined;
  }
  return { days: daysOf(days), fromMinute: minuteOf(from), toMinute: minuteOf(to), zone: clock };
}

const minuteOf = (text: string): number => Number(text.slice(0, 2)) * 60 + Number(text.slice(3));

/** `fri-mon` goes over the end of the week. */
function daysOf(written: readonly string[] = DAYS): readonly boolean[] {
  const found = DAYS.map(() => false);
  for (const text of written) {
    const [first, last = first] = text.split('-').map((day) => DAYS.indexOf(day));
    for (let day = first; ; day = (day + 1) % DAYS.length) {
      found[day] = true;
      if (day === last) break;
    }
  }
  return found;
}

/** One that goes over midnight is of the day on which it begins. */
function isIn({ days, fromMinute, toMinute, zone }: Span, nowMs: number): boolean {
  const { day, minute } = zone.at(nowMs);
  if (fromMinute < toMinute) return days[day] && minute >= fromMinute && minute < toMinute;
  if (minute >= fromMinute) return days[day];
  return minute < toMinute && days[(day + DAYS.length - 1) % DAYS.length];
}

interface LocalTime {
  /** From Monday, 0 to 6. */
  readonly day: number;
  /** Since midnight on the zone's clocks. */
  readonly minute: number;
}

/**
 * What the clocks of a zone show, changes to and from summer time included. The zone database is asked once in a minute
 * of requests (it takes microseconds): all that is kept follows from the minute asked for.
 */
class ZoneClock {
  readonly #format: Intl.DateTimeFormat;
  #minute = Number.NaN;
  #shown: LocalTime = { day: 0, minute: 0 };

  private constructor(format: Intl.DateTimeFormat) {
    this.#format = format;
  }

  /** Undefined for a zone that is none. Offsets like `+02:00` are none: they know no summer time. */
  static of(zone: string): ZoneClock | undefined {
    if (/^[+-]/.test(zone)) return undefined;
    try {
      return new ZoneClock(
        new Intl.DateTimeFormat('en-US', {
          timeZone: zone,
          hourCycle: 'h23',
          weekday: 'short',
          hour: '2-digit',
          minute: '2-digit',
        }),
      );
    } catch (error) {
      if (error instanceof RangeError) return undefined;
      throw error;
    }
  }

  at(nowMs: number): LocalTime {
    const minute = Math.floor(nowMs / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#shown = this.#read(minute * MINUTE_MS);
      this.#minute = minute;
    }
    return this.#shown;
  }

  #read(nowMs: number): LocalTime {
    const parts = new Map(this.#format.formatToParts(nowMs).map(({ type, value }) => [type, value]));
    const day = DAYS.indexOf((parts.get('weekday') ?? '').toLowerCase());
    const minute = Number(parts.get('hour')) * 60 + Number(parts.get('minute'));
    if (day === -1 || !(minute >= 0 && minute < DAY_MINUTES)) throw new Error('the zone shows no time');
    return { day, minute };
  }
}
