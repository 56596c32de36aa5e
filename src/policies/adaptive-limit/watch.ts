import {
  CONTINUE,
  type Decision,
  type PolicyContext,
  type RequestEnd,
  type RequestView,
  reject,
} from '../../contract/index.ts';
import { type ErrorCode, PolicyRejection } from '../../errors.ts';
import type { ConcurrencyLimit } from './concurrency-limit.ts';
import type { Health } from './health.ts';
import type { HealthSettings } from './settings.ts';

/** How an upstream fails when there is too much for it. */
const OVERWHELMED: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'upstream-timeout',
  'upstream-reset',
  'upstream-unreachable',
]);
/** Clients are asked to come back after 1 to this many seconds, not all at once. */
const MOST_RETRY_SECONDS = 3;

/** A request that counts among those under way. */
interface Place {
  readonly limit: ConcurrencyLimit;
  readonly cameMs: number;
  isHeld: boolean;
}

/** Limits how many requests are under way at a route's upstream, from the request to the head of its answer. */
export class Watch {
  readonly #health: Health;
  readonly #settings: HealthSettings;
  readonly #attachment: string;
  readonly #name: string;
  readonly #places = new WeakMap<RequestView, Place>();

  constructor(health: Health, settings: HealthSettings, attachment: string, name: string) {
    this.#health = health;
    this.#settings = settings;
    this.#attachment = attachment;
    this.#name = name;
  }

  /** Takes a place, or says why there is none. Behind a request without a route there is no service. */
  enter(c: PolicyContext): Decision | undefined {
    const { name, priority } = c.route;
    if (name === '') return undefined;
    const cameMs = c.deps.clock.monotonic();
    const limit = this.#health.limitOf(name, this.#settings, cameMs);
    if (limit.inFlight >= limit.roomFor(priority)) return this.#refusal(c, limit);
    limit.enter();
    const place: Place = { limit, cameMs, isHeld: true };
    this.#places.set(c.request, place);
    c.onEnd((end) => this.#ended(c, place, end));
    return undefined;
  }

  /** From here the upstream has answered: a client that reads slowly, or a stream, keeps nobody out. */
  headArrived(c: PolicyContext): Decision {
    const place = this.#places.get(c.request);
    if (place !== undefined) leave(place);
    return CONTINUE;
  }

  #ended(c: PolicyContext, place: Place, end: RequestEnd): void {
    leave(place);
    const { limit, cameMs } = place;
    const nowMs = c.deps.clock.monotonic();
    const { lagMs } = c.deps.load;
    const { status, code, upstreamMs } = end;
    if (code !== undefined && OVERWHELMED.has(code)) limit.failed(cameMs, nowMs, lagMs);
    else if (code === undefined && status >= 502 && status <= 504) limit.failed(cameMs, nowMs, lagMs);
    else if (upstreamMs !== undefined) limit.answered(upstreamMs, cameMs, nowMs, lagMs);
    // How long a body took to come is the client's doing.
    else if (code === 'client-closed-request' && !hasBody(c.request))
      limit.abandoned(nowMs - cameMs, cameMs, nowMs, lagMs);
    this.#tell(c, limit);
  }

  #tell(c: PolicyContext, limit: ConcurrencyLimit): void {
    const moved = this.#health.moved(limit);
    if (moved === undefined) return;
    c.deps.notices.count(this.#attachment, moved);
    const why = `concurrency ${limit.limit}: ${limit.why}`;
    this.#health.log(moved, { attachment: this.#attachment, caller: 'all', route: c.route.name, why });
  }

  #refusal(c: PolicyContext, limit: ConcurrencyLimit): Decision {
    const { priority } = c.route;
    const seconds = 1 + (Number.parseInt(c.deps.random.hex(1), 16) % MOST_RETRY_SECONDS);
    const cause = limit.why === '' ? '' : `: ${limit.why}`;
    return reject(
      new PolicyRejection('overloaded', `The service is busy. Try again in ${seconds} s.`, {
        rule: this.#name,
        reason: `${limit.inFlight} under way, room for ${limit.roomFor(priority)} of priority ${priority}${cause}`,
        headers: ['Retry-After', `${seconds}`],
      }),
    );
  }
}

function leave(place: Place): void {
  if (!place.isHeld) return;
  place.isHeld = false;
  place.limit.leave();
}

const hasBody = ({ headers }: RequestView): boolean =>
  headers.has('transfer-encoding') || (headers.get('content-length') ?? '0') !== '0';
