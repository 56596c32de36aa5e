import type { Slot, SlotOutcome, SlotRule } from '../../contract/index.ts';

/** Whether a request that was never answered would have held its place for longer: so long it may have. */
const UNANSWERED_MS = 30_000;
/** With so many names those are forgotten whose time is over. */
const MAX_UNANSWERED = 50_000;

/** A place that is held, or will be once another is given back. */
interface Place {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Who asks for a place. */
export interface PlaceHolder {
  /** When it gives it back that it has from then on: how long it took is in the recording. */
  readonly endOf: (fromMs: number) => number;
  /** Whether the recording tells how long it took: it does not where nobody answered it then. */
  readonly isAnswered: boolean;
}

export interface PlaceOutcome {
  readonly outcome: SlotOutcome;
  /** How long the request had to wait for it. */
  readonly waitedMs: number;
  /** Whether it hangs on how long those took that were never answered. */
  readonly isUncertain: boolean;
}

/**
 * Places among those under way, in the time of a recording. When each will be given back is known when it is taken, so
 * that nobody is waited for: who has to queue is told at once when its turn comes, or that it waits in vain. Those that
 * wait are served in the order in which they came.
 */
export class FuturePlaces {
  readonly #held = new Map<string, Place[]>();
  /** When those give theirs back at the latest that may hold them for longer than the recording says. */
  readonly #unanswered = new Map<string, number[]>();
  #forgotAtMs = Number.NEGATIVE_INFINITY;

  acquire(name: string, rule: SlotRule, nowMs: number, holder: PlaceHolder): PlaceOutcome {
    const places = (this.#held.get(name) ?? []).filter(({ untilMs }) => untilMs > nowMs);
    this.#held.set(name, places);
    const active = places.filter(({ fromMs }) => fromMs <= nowMs).length;
    const fromMs = turnOf(places, rule.limit, nowMs);
    const why = fromMs === nowMs ? undefined : refusalOf(places.length - active, fromMs - nowMs, rule);
    if (why !== undefined) {
      return { outcome: { granted: false, why, held: active }, waitedMs: 0, isUncertain: false };
    }
    const place = { fromMs, untilMs: holder.endOf(fromMs) };
    places.push(place);
    const uncertain = this.#uncertain(name, nowMs);
    const isUncertain = uncertain > 0 && places.length + uncertain > rule.limit;
    const slot = this.#slot(name, place, holder, nowMs);
    const held = Math.min(active + 1, rule.limit);
    return { outcome: { granted: true, slot, held }, waitedMs: fromMs - nowMs, isUncertain };
  }

  #uncertain(name: string, nowMs: number): number {
    const untils = this.#unanswered.get(name);
    if (untils === undefined) return 0;
    const left = untils.filter((untilMs) => untilMs > nowMs);
    if (left.length === 0) this.#unanswered.delete(name);
    else this.#unanswered.set(name, left);
    return left.length;
  }

  /** Callers that never come again are in nobody's way, and would be remembered for as long as the recording lasts. */
  #forgetPast(nowMs: number): void {
    if (nowMs - this.#forgotAtMs < UNANSWERED_MS) return;
    this.#forgotAtMs = nowMs;
    for (const name of [...this.#unanswered.keys()]) this.#uncertain(name, nowMs);
  }

  #slot(name: string, place: Place, { isAnswered }: PlaceHolder, sinceMs: number): Slot {
    let isHeld = true;
    return {
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        const left = (this.#held.get(name) ?? []).filter((other) => other !== place);
        if (left.length === 0) this.#held.delete(name);
        else this.#held.set(name, left);
        if (isAnswered) return;
        if (this.#unanswered.size >= MAX_UNANSWERED) this.#forgetPast(sinceMs);
        this.#unanswered.set(name, [...(this.#unanswered.get(name) ?? []), sinceMs + UNANSWERED_MS]);
      },
    };
  }
}

/** When there is a place for one more: as many as there are too many have to go first. */
function turnOf(places: readonly Place[], limit: number, nowMs: number): number {
  if (places.length < limit) return nowMs;
  const ends = places.map(({ untilMs }) => untilMs).sort((a, b) => a - b);
  return ends[places.length - limit];
}

function refusalOf(
  waiting: number,
  waitMs: number,
  rule: SlotRule,
): 'full' | 'queue-full' | 'timeout' | undefined {
  if (rule.queue === 0) return 'full';
  if (waiting >= rule.queue) return 'queue-full';
  return waitMs > rule.waitMs ? 'timeout' : undefined;
}
