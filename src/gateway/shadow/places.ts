import type { Clock, SlotOutcome, SlotRule, Undecidable } from '../../contract/index.ts';
import { RecentMap } from '../../lib/recent-map.ts';

/** Keys whose places are remembered; those that nobody asked for lately are forgotten. */
const MAX_KEYS = 4096;
/** Of one key. */
const MAX_HELD = 1024;

/** When a request was under way, in milliseconds since the epoch. */
interface Stay {
  readonly fromMs: number;
  untilMs: number;
}

/** A request that asks for a place after it has ended. */
export interface Visit {
  readonly fromMs: number;
  readonly untilMs: number;
  /** Says at which of its times it is looked at. */
  readonly time: Clock;
  /** Scopes of counters that were asked. */
  readonly asked: string[];
  note(reason: Undecidable): void;
}

/**
 * Places of requests that have ended already: whoever came while another was under way met it there. Those that are still
 * under way are not known yet, so that it is never more who meet than it was.
 */
export class ShadowPlaces {
  readonly #stays = new RecentMap<string, Stay[]>(MAX_KEYS);

  acquire(scope: string, key: string, rule: SlotRule, visit: Visit): SlotOutcome {
    const name = `${scope}\n${key}`;
    const stays = this.#stays.get(name)?.filter(({ untilMs }) => untilMs > visit.fromMs) ?? [];
    this.#stays.set(name, stays);
    const held = stays.reduce((many, { fromMs }) => (fromMs <= visit.fromMs ? many + 1 : many), 0);
    if (held >= rule.limit || stays.length >= MAX_HELD) {
      // It would wait for one, and nobody knows how that ends; or it is not known how many there are.
      if (rule.queue > 0 || held < rule.limit) visit.note('sampled');
      return { granted: false, why: 'full', held };
    }
    const stay = { fromMs: visit.fromMs, untilMs: visit.untilMs };
    stays.push(stay);
    const release = (): void => {
      stay.untilMs = Math.min(stay.untilMs, visit.time.now());
    };
    return { granted: true, slot: { release }, held: held + 1 };
  }
}
