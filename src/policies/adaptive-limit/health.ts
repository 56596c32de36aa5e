import type { Clock, Logger, Resource, ResourceRequest } from '../../contract/index.ts';
import { ConcurrencyLimit } from './concurrency-limit.ts';
import type { HealthSettings } from './settings.ts';

/** Routes that one attachment is asked about, at most; beyond, all begin anew. */
const MAX_ROUTES = 10_000;
/** So much tighter or wider is told of, so that a limit that wavers is not. */
const TOLD_STEP = 0.75;
const LOG_EVERY_MS = 1000;
/** Upstream answers that the share of failures is of. */
const FAILING_ANSWERS = 50;

/** How a limit moved, when it moved far enough to be told of. */
export type Moved = 'limit-tightened' | 'limit-restored';

/** Whether a limit moved far enough from what was told last; to be whole again always is. */
export function movedFrom(told: number, now: number, whole: number): Moved | undefined {
  if (now < told && now <= told * TOLD_STEP) return 'limit-tightened';
  if (now > told && (now >= told / TOLD_STEP || now >= whole)) return 'limit-restored';
  return undefined;
}

/**
 * What a worker knows of the service behind one attachment: how many requests of each route are under way and may be,
 * and how much of it fails. It outlives reloads that keep the settings.
 */
export class Health implements Resource {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #routes = new Map<string, ConcurrencyLimit>();
  readonly #told = new WeakMap<ConcurrencyLimit, number>();
  #failing = 0;
  #loggedAtMs = Number.NEGATIVE_INFINITY;
  #unlogged = 0;

  constructor(clock: Clock, log: Logger) {
    this.#clock = clock;
    this.#log = log;
  }

  close(): void {
    this.#routes.clear();
  }

  /** The concurrency of a route; `nowMs` is of the monotonic clock. */
  limitOf(route: string, settings: HealthSettings, nowMs: number): ConcurrencyLimit {
    const known = this.#routes.get(route);
    if (known !== undefined) return known;
    if (this.#routes.size >= MAX_ROUTES) this.#routes.clear();
    const limit = new ConcurrencyLimit(settings, nowMs);
    this.#routes.set(route, limit);
    this.#told.set(limit, limit.limit);
    return limit;
  }

  /** An upstream answered. */
  noteAnswer(status: number): void {
    this.#failing += ((status >= 500 ? 1 : 0) - this.#failing) / FAILING_ANSWERS;
  }

  /** Part of the upstream's answers that are failures, lately; 0 to 1. */
  get failing(): number {
    return this.#failing;
  }

  /** Whether the limit moved far enough since it was last told of; telling is done with it. */
  moved(limit: ConcurrencyLimit): Moved | undefined {
    const moved = movedFrom(this.#told.get(limit) ?? limit.limit, limit.limit, Number.POSITIVE_INFINITY);
    if (moved !== undefined) this.#told.set(limit, limit.limit);
    return moved;
  }

  /** One line a second at most; what was left out is counted in the next. */
  log(event: Moved, fields: Readonly<Record<string, unknown>>): void {
    const nowMs = this.#clock.monotonic();
    if (nowMs - this.#loggedAtMs < LOG_EVERY_MS) {
      this.#unlogged++;
      return;
    }
    const unlogged = this.#unlogged;
    this.#loggedAtMs = nowMs;
    this.#unlogged = 0;
    this.#log.info(event, unlogged === 0 ? fields : { ...fields, unlogged });
  }
}

/** Limits that were learned under other settings mean nothing under these. */
export const healthOf = (
  attachment: string,
  settings: HealthSettings | undefined,
): ResourceRequest<Health> => ({
  key: `adaptive-limit ${attachment} ${JSON.stringify(settings ?? false)}`,
  is: (resource): resource is Health => resource instanceof Health,
  open: ({ clock, log }) => new Health(clock, log),
});
