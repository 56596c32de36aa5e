import type {
  Awaitable,
  GcraRule,
  LimitOutcome,
  PolicyContext,
  RequestView,
  Resource,
  ResourceRequest,
} from '../../contract/index.ts';

/** One use of what is good for one request: a signature, a proof. */
export interface Use {
  /** What kind of thing it is. */
  readonly kind: string;
  /** Which one: never a secret, since it may be kept by others. */
  readonly id: string;
  /** From the earliest time it may be used to the latest, at least. Only uses of equal length are told apart. */
  readonly windowMs: number;
}

/**
 * What was seen, in the counters that all workers share: whatever attachment looks at it, on whatever route, it is good
 * for one request.
 */
export class SeenOnce implements Resource {
  /** A request that several attachments look at is seen once. */
  readonly #asked = new WeakMap<RequestView, Map<string, Awaitable<boolean>>>();

  /** Whether it is the first time. */
  isFirst(c: PolicyContext, use: Use): Awaitable<boolean> {
    const place = `${c.shadow} ${use.kind} ${use.id}`;
    const asked = this.#asked.get(c.request);
    const known = asked?.get(place);
    if (known !== undefined) return known;
    const first = count(c, use);
    if (asked === undefined) this.#asked.set(c.request, new Map([[place, first]]));
    else asked.set(place, first);
    return first;
  }

  close(): void {}
}

const SEEN = ' seen';
const SEEN_IN_SHADOW = ' seen in shadow';

/** Whether counters of this scope say what was seen: who has counted less takes for new what is not. */
export const isSeenScope = (scope: string): boolean => scope.endsWith(SEEN) || scope.endsWith(SEEN_IN_SHADOW);

function count(c: PolicyContext, { kind, id, windowMs }: Use): Awaitable<boolean> {
  const once: GcraRule = { limit: 1, windowMs, burst: 1 };
  // What attachments in shadow have seen is not used up.
  const scope = c.shadow ? `${kind}${SEEN_IN_SHADOW}` : `${kind}${SEEN}`;
  const outcome = c.deps.state.gcra(scope, id, once, 1, c.now);
  return outcome instanceof Promise ? outcome.then(isAllowed) : outcome.allowed;
}

const isAllowed = ({ allowed }: LimitOutcome): boolean => allowed;

/**
 * The shortest of a few lengths that is long enough, or `needMs` itself where none is. A few for all, so that
 * attachments with other rules refuse what each other has seen.
 */
export function windowFor(needMs: number, lengthsMs: readonly number[]): number {
  return lengthsMs.find((ms) => ms >= needMs) ?? needMs;
}

/** What this worker has seen of the requests under way. */
export const seenOnce: ResourceRequest<SeenOnce> = Object.freeze({
  key: 'seen-once',
  is: (resource: Resource): resource is SeenOnce => resource instanceof SeenOnce,
  open: () => new SeenOnce(),
});
