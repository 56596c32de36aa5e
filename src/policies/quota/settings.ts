import { ConfigError, type ConfigIssue } from '../../errors.ts';
import { DURATION_FORM, formatDuration, parseDuration } from '../../lib/duration.ts';
import type { Renewal } from '../../lib/renewal-windows.ts';
import { didYouMean } from '../../lib/suggest.ts';
import { findTimeZone, type TimeZone, timeZoneNames, UTC } from '../../lib/time-zone.ts';
import { type By, costIssue, type KongWindow, kongWindowOf } from '../../limits/index.ts';
import { type QuotaConfig, WEEKDAYS, type WithinConfig } from './schema.ts';

const DAY_MS = 86_400_000;
/** The shortest window. */
export const SHORTEST_MS = 60_000;
const LONGEST_MS = 366 * DAY_MS;

/** How long a window is. */
export interface Period {
  readonly renewal: Renewal;
  /** In words for scopes and messages: `month`, `30d`. Counts of another period are of other windows. */
  readonly word: string;
  /** About how long it is, to compare periods by. */
  readonly lengthMs: number;
  /** How long it is, where it always is; undefined for one of the calendar of changing length. */
  readonly exactMs: number | undefined;
}

/** One counter of a quota, as the document says. */
export interface Level {
  /** Where it stands in the config: '' or `within[0].`. */
  readonly path: string;
  /** What it is in the quota; part of the name that it is counted under. */
  readonly role: 'own' | 'within' | 'reserve';
  readonly name: string;
  readonly by: By | undefined;
  readonly limit: number;
  readonly carryOver: number;
  readonly period: Period;
  readonly kongWindow: KongWindow | undefined;
}

export interface Settings {
  readonly own: Level;
  readonly within: readonly Level[];
  readonly reserve: Level | undefined;
}

/** `name`: what the quota is called where the document does not say. Throws ConfigError with every fault. */
export function readSettings(config: QuotaConfig, name: string): Settings {
  return new Reader(config).read(config.name ?? name);
}

type Length = Pick<WithinConfig, 'per' | 'window' | 'renews' | 'carryOver'>;

class Reader {
  readonly #config: QuotaConfig;
  readonly #issues: ConfigIssue[] = [];

  constructor(config: QuotaConfig) {
    this.#config = config;
  }

  read(name: string): Settings {
    const { within = [], spillOver } = this.#config;
    const zone = this.#zone();
    const period = this.#period(this.#config, zone, '') ?? this.#missing();
    const own = this.#level(this.#config, { path: '', role: 'own', name, period });
    const levels = within.map((one, i) => {
      const path = `within[${i}].`;
      const wider = one.name ?? `${name}-${wordOf(one.by)}`;
      const length = this.#period(one, zone, path) ?? period;
      return this.#level(one, { path, role: 'within', name: wider, period: length });
    });
    const more = spillOver?.name ?? `${name}-reserve`;
    const reserve =
      spillOver === undefined
        ? undefined
        : this.#level(spillOver, { path: 'spillOver.', role: 'reserve', name: more, period });
    const settings = { own, within: levels, reserve };
    this.#check(settings);
    if (this.#issues.length > 0) throw new ConfigError(this.#issues);
    return settings;
  }

  #fault(path: string, message: string, suggestion?: string): void {
    this.#issues.push(suggestion === undefined ? { path, message } : { path, message, suggestion });
  }

  #level(
    { limit, by, carryOver }: { limit: number; by?: By | undefined } & Length,
    place: Pick<Level, 'path' | 'role' | 'name' | 'period'>,
  ): Level {
    const carried = carriedOf(carryOver, limit);
    if (carried > limit) this.#fault(`${place.path}carryOver`, `is more than the limit of ${limit}`);
    const cost = costIssue(this.#config.cost, limit);
    if (cost !== undefined) this.#fault(cost.path, `${cost.message} (${place.path}limit)`);
    return { ...place, by, limit, carryOver: carried, kongWindow: this.#kongWindow(place) };
  }

  /** Kong has six windows, and its own words for them. */
  #kongWindow({ period }: Pick<Level, 'period'>): KongWindow | undefined {
    if (this.#config.headers !== 'kong') return undefined;
    const window = kongWindowOf(period.lengthMs);
    const message = `kong has no name for a window per ${period.word}`;
    if (window === undefined && !this.#issues.some((issue) => issue.message === message))
      this.#fault('headers', message, 'use draft');
    return window;
  }

  #missing(): Period {
    this.#fault('per', 'is missing', 'say per: month, or window: 30d');
    return ANY_PERIOD;
  }

  #zone(): TimeZone {
    const { timeZone } = this.#config;
    if (timeZone === undefined) return UTC;
    const zone = findTimeZone(timeZone);
    if (zone !== undefined) return zone;
    const near = didYouMean(timeZone, timeZoneNames());
    this.#fault('timeZone', `there is no time zone "${timeZone}"`, near ?? 'use a name like Europe/Berlin');
    return UTC;
  }

  /** Undefined where none is named. */
  #period({ per, window, renews }: Length, zone: TimeZone, path: string): Period | undefined {
    if (per !== undefined && window !== undefined)
      this.#fault(`${path}window`, `and per are one too many`, 'keep one of them');
    if (per !== undefined) return this.#calendar(per, renews ?? {}, zone, path);
    if (renews !== undefined)
      this.#fault(`${path}renews`, 'means nothing without per', 'use per: month, or leave it out');
    if (path === '' && this.#config.timeZone !== undefined && window !== undefined)
      this.#fault('timeZone', 'means nothing without per', 'use per: month, or leave it out');
    return window === undefined ? undefined : this.#length(window, `${path}window`);
  }

  #length(window: string, path: string): Period {
    const lengthMs = parseDuration(window);
    if (lengthMs === undefined) this.#fault(path, `is not ${DURATION_FORM}`);
    else if (lengthMs < SHORTEST_MS)
      this.#fault(path, 'is shorter than 1m', 'use the policy rate-limit for so short a window');
    else if (lengthMs > LONGEST_MS)
      this.#fault(path, 'is longer than 366d', 'use per: year, or a window of up to 366d');
    else {
      const renewal = { per: 'length', lengthMs } as const;
      return { renewal, word: formatDuration(lengthMs), lengthMs, exactMs: lengthMs };
    }
    return ANY_PERIOD;
  }

  #calendar(
    per: NonNullable<Length['per']>,
    renews: NonNullable<Length['renews']>,
    zone: TimeZone,
    path: string,
  ): Period {
    const { at = '00:00', month } = renews;
    const [hours, minutes] = at.split(':').map(Number);
    const place = { zone, atMs: (hours * 60 + minutes) * 60_000 };
    if (month !== undefined && per !== 'year')
      this.#fault(`${path}renews.month`, `means nothing for a ${per}`, 'leave it out, or use per: year');
    const lengthMs = LENGTHS[per];
    const isExact = zone === UTC && (per === 'day' || per === 'week');
    const period = { word: per, lengthMs, exactMs: isExact ? lengthMs : undefined };
    switch (per) {
      case 'day':
        if (renews.day !== undefined)
          this.#fault(`${path}renews.day`, 'means nothing for a day', 'leave it out');
        return { ...period, renewal: { ...place, per } };
      case 'week':
        return { ...period, renewal: { ...place, per, weekday: this.#weekday(renews.day, path) } };
      case 'month':
        return { ...period, renewal: { ...place, per, day: this.#monthDay(renews.day, path) } };
      case 'year': {
        const day = this.#monthDay(renews.day, path);
        return { ...period, renewal: { ...place, per, month: (month ?? 1) - 1, day } };
      }
    }
  }

  #weekday(day: RenewalDay, path: string): number {
    const weekday = WEEKDAYS.findIndex((one) => one === (day ?? WEEKDAYS[0]));
    if (weekday === -1)
      this.#fault(`${path}renews.day`, 'is no day of a week', 'say monday, or another of the seven');
    return Math.max(0, weekday);
  }

  #monthDay(day: RenewalDay, path: string): number | 'last' {
    if (day === undefined) return 1;
    if (day === 'last' || (typeof day === 'number' && day <= LAST_COMMON_DAY)) return day;
    if (typeof day === 'number')
      this.#fault(`${path}renews.day`, 'is a day that not every month has', `say last, or at most 28`);
    else this.#fault(`${path}renews.day`, 'is no day of a month', 'say a number from 1 to 28, or last');
    return 1;
  }

  /** What is wrong between the levels. */
  #check({ own, within, reserve }: Settings): void {
    const others = reserve === undefined ? within : [...within, reserve];
    const names = new Set([own.name]);
    for (const other of others) {
      if (names.has(other.name))
        this.#fault(`${other.path}name`, `"${other.name}" is the name of another one here`, 'give it one');
      names.add(other.name);
      const fault = narrowness(own, other);
      if (fault !== undefined) this.#fault(`${other.path}by`, fault);
    }
    for (const one of within) {
      if (one.period.lengthMs >= own.period.lengthMs && one.limit < own.limit)
        this.#fault(`${one.path}limit`, `is less than the ${own.limit} of the quota within it`);
      const twin = within.find((other) => other !== one && scopeWords(other) === scopeWords(one));
      if (twin !== undefined && twin.path < one.path)
        this.#fault(`${one.path}by`, 'counts the same callers as the one before, in the same window');
    }
  }
}

type RenewalDay = NonNullable<Length['renews']>['day'];

const LAST_COMMON_DAY = 28;

const LENGTHS = Object.freeze({ day: DAY_MS, week: 7 * DAY_MS, month: 30 * DAY_MS, year: 365 * DAY_MS });

/** Stands where the document names none that can be; it is refused for it. */
const ANY_PERIOD: Period = {
  renewal: { per: 'length', lengthMs: DAY_MS },
  word: '1d',
  lengthMs: DAY_MS,
  exactMs: DAY_MS,
};

function carriedOf(carryOver: Length['carryOver'], limit: number): number {
  if (carryOver === undefined) return 0;
  if (typeof carryOver === 'number') return carryOver;
  return Math.floor((limit * Number.parseInt(carryOver, 10)) / 100);
}

/** From narrow to wide; each is part of one further on, as far as that is known. */
const WIDTHS: readonly unknown[] = ['credential', 'consumer', 'group', 'route'];

/** Why `other` is not wider than the quota itself. */
function narrowness(own: Level, other: Level): string | undefined {
  const [width, otherWidth] = [own, other].map(({ by }) => WIDTHS.indexOf(by ?? 'consumer'));
  if (scopeWords(own) === scopeWords(other)) return 'counts the same callers as the quota itself';
  if (width === -1 || otherWidth === -1 || otherWidth > width) return undefined;
  if (otherWidth === width && other.period.lengthMs > own.period.lengthMs) return undefined;
  return `is no wider than the quota’s own, which is by ${wordOf(own.by)}`;
}

/** Whose requests it counts together, in a word for a name. */
function wordOf(by: By | undefined): string {
  if (by === undefined) return 'consumer';
  return typeof by === 'string' ? by : (Object.keys(by)[0] ?? '');
}

const scopeWords = ({ by, period }: Level): string => `${period.word} ${JSON.stringify(plainly(by))}`;

/** One way to say what can be said in several: two that count under one name would each count twice. */
function plainly(by: By = 'consumer'): By {
  if (by === 'address') return plainly({ address: {} });
  if (typeof by === 'string') return by;
  if ('header' in by) return { header: by.header.toLowerCase() };
  if (!('address' in by)) return by;
  const { ipv4 = 32, ipv6 = 64 } = by.address;
  return { address: { ipv4, ipv6 } };
}
