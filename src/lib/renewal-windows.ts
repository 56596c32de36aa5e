import { firstShowing, type TimeZone } from './time-zone.ts';

/** From `startMs` on and before `endMs`, in milliseconds since the epoch. */
export interface TimeWindow {
  readonly startMs: number;
  readonly endMs: number;
}

/** When one window ends and the next begins: each so long, counted from the epoch, or by the calendar of a place. */
export type Renewal = { readonly per: 'length'; readonly lengthMs: number } | CalendarRenewal;

export type CalendarRenewal = {
  readonly zone: TimeZone;
  /** Time of the day, in milliseconds since its midnight. */
  readonly atMs: number;
} & (
  | { readonly per: 'day' }
  /** 0 is Monday. */
  | { readonly per: 'week'; readonly weekday: number }
  | { readonly per: 'month'; readonly day: MonthDay }
  /** Months from 0. */
  | { readonly per: 'year'; readonly month: number; readonly day: MonthDay }
);

/** 1 to 28, which every month has, or its last one. */
export type MonthDay = number | 'last';

const DAY_MS = 86_400_000;
/** 1970-01-01 was a Thursday: the Monday before it is so many days earlier. */
const DAYS_TO_MONDAY = 3;
const MONTHS = 12;

/**
 * The windows of a renewal: they follow each other without gap or overlap, whatever the clocks of the place do. The
 * last one asked for is remembered: within it, an answer is two comparisons.
 */
export class RenewalWindows {
  readonly #renewal: Renewal;
  #last: TimeWindow = { startMs: 0, endMs: 0 };

  constructor(renewal: Renewal) {
    this.#renewal = renewal;
  }

  /** The window around `nowMs`; the same object until it is over. */
  at(nowMs: number): TimeWindow {
    const last = this.#last;
    if (nowMs >= last.startMs && nowMs < last.endMs) return last;
    this.#last = this.#around(nowMs);
    return this.#last;
  }

  #around(nowMs: number): TimeWindow {
    const renewal = this.#renewal;
    let place = nearPlace(renewal, nowMs);
    while (startOf(renewal, place) > nowMs) place--;
    while (startOf(renewal, place + 1) <= nowMs) place++;
    return { startMs: startOf(renewal, place), endMs: startOf(renewal, place + 1) };
  }
}

/** The place of the window around `nowMs` in the row of all windows, or of one beside it. */
function nearPlace(renewal: Renewal, nowMs: number): number {
  if (renewal.per === 'length') return Math.floor(nowMs / renewal.lengthMs);
  const localMs = nowMs + renewal.zone.offsetMs(nowMs);
  const days = Math.floor(localMs / DAY_MS);
  const date = new Date(localMs);
  switch (renewal.per) {
    case 'day':
      return days;
    case 'week':
      return Math.floor((days + DAYS_TO_MONDAY) / 7);
    case 'month':
      return date.getUTCFullYear() * MONTHS + date.getUTCMonth();
    case 'year':
      return date.getUTCFullYear();
  }
}

function startOf(renewal: Renewal, place: number): number {
  if (renewal.per === 'length') return place * renewal.lengthMs;
  return firstShowing(renewal.zone, localDay(renewal, place) + renewal.atMs);
}

/** Midnight of the day on which a window begins, as if the place's clocks showed UTC. */
function localDay(renewal: CalendarRenewal, place: number): number {
  switch (renewal.per) {
    case 'day':
      return place * DAY_MS;
    case 'week':
      return (place * 7 - DAYS_TO_MONDAY + renewal.weekday) * DAY_MS;
    case 'month':
      return dayOf(Math.floor(place / MONTHS), place % MONTHS, renewal.day);
    case 'year':
      return dayOf(place, renewal.month, renewal.day);
  }
}

/** Day 0 of a month is the last of the one before. */
const dayOf = (year: number, month: number, day: MonthDay): number =>
  day === 'last' ? Date.UTC(year, month + 1, 0) : Date.UTC(year, month, day);
