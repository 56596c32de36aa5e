import { hash } from 'node:crypto';
import type {
  Awaitable,
  GcraRule,
  LimitOutcome,
  PolicyContext,
  RequestView,
  Resource,
  ResourceRequest,
} from '../../contract/index.ts';
import type { FreshnessRules } from './freshness.ts';

/** A few lengths for all, so that attachments with other rules refuse each other's signatures too. */
const WINDOWS_MS: readonly number[] = Object.freeze([600_000, 3_600_000, 90_000_000]);

/**
 * Which signatures were seen, in the counters that all workers share. By what was signed and not by the signature: of
 * ECDSA there is a second signature for each, which anybody can make from the first.
 */
export class Replays implements Resource {
  /** A request that several attachments look at is seen once. */
  readonly #asked = new WeakMap<RequestView, Map<string, Awaitable<boolean>>>();

  /** Whether it is the first time within as long as the signature can be good. */
  isFirst(c: PolicyContext, keyId: string, base: string, rules: FreshnessRules): Awaitable<boolean> {
    const key = hash('sha256', JSON.stringify([keyId, base]), 'base64url');
    const place = `${c.shadow} ${key}`;
    const asked = this.#asked.get(c.request);
    const known = asked?.get(place);
    if (known !== undefined) return known;
    const first = count(c, key, rules);
    if (asked === undefined) this.#asked.set(c.request, new Map([[place, first]]));
    else asked.set(place, first);
    return first;
  }

  close(): void {}
}

function count(c: PolicyContext, key: string, { maxAgeMs, toleranceMs }: FreshnessRules): Awaitable<boolean> {
  // From the earliest time it may be used to the latest.
  const needMs = maxAgeMs + 2 * toleranceMs;
  const windowMs = WINDOWS_MS.find((ms) => ms >= needMs) ?? needMs;
  const once: GcraRule = { limit: 1, windowMs, burst: 1 };
  // What attachments in shadow have seen is not used up.
  const scope = c.shadow ? 'hmac-signature seen in shadow' : 'hmac-signature seen';
  const outcome = c.deps.state.gcra(scope, key, once, 1, c.now);
  return outcome instanceof Promise ? outcome.then(isAllowed) : outcome.allowed;
}

const isAllowed = ({ allowed }: LimitOutcome): boolean => allowed;

/** What this worker has seen of the requests under way. */
export const replays: ResourceRequest<Replays> = Object.freeze({
  key: 'hmac-signature',
  is: (resource: Resource): resource is Replays => resource instanceof Replays,
  open: () => new Replays(),
});
