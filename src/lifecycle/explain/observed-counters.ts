import type {
  Awaitable,
  Charge,
  CounterState,
  LimitOutcome,
  SlotOutcome,
  Sum,
} from '../../contract/index.ts';
import type { ExplainedCounter } from './explanation.ts';
import type { TracedPart } from './trace.ts';

type Asked = Pick<ExplainedCounter, 'kind' | 'key' | 'limit'>;

/** The counters as a policy asks them; what they say is noted. */
export function observedCounters(state: CounterState, part: TracedPart): CounterState {
  const limited = (asked: Asked, answer: Awaitable<LimitOutcome>): Awaitable<LimitOutcome> =>
    whenThere(answer, ({ allowed, remaining, retryAfterMs }) =>
      part.counted({ ...asked, allowed, remaining, retryAfterMs }),
    );
  return {
    gcra: (scope, key, rule, cost, nowMs) =>
      limited({ kind: 'gcra', key, limit: rule.limit }, state.gcra(scope, key, rule, cost, nowMs)),
    slidingWindow: (scope, key, rule, cost, nowMs) =>
      limited(
        { kind: 'sliding-window', key, limit: rule.limit },
        state.slidingWindow(scope, key, rule, cost, nowMs),
      ),
    charge: (charges, nowMs) =>
      whenThere(state.charge(charges, nowMs), (outcomes) => {
        for (const [i, outcome] of outcomes.entries()) limited(askedBy(charges[i]), outcome);
      }),
    refund: (charges, chargedAtMs, nowMs) => state.refund(charges, chargedAtMs, nowMs),
    tally: (scope, key, rule, amount, nowMs) =>
      whenThere(state.tally(scope, key, rule, amount, nowMs), ({ sum }: Sum) =>
        part.counted({
          kind: 'sum',
          key,
          limit: undefined,
          allowed: true,
          remaining: sum,
          retryAfterMs: 0,
        }),
      ),
    acquire: (scope, key, rule, nowMs, waiter) =>
      whenThere(state.acquire(scope, key, rule, nowMs, waiter), ({ granted, held }: SlotOutcome) =>
        part.counted({
          kind: 'slots',
          key,
          limit: rule.limit,
          allowed: granted,
          remaining: Math.max(rule.limit - held, 0),
          retryAfterMs: 0,
        }),
      ),
  };
}

const askedBy = ({ kind, key, rule }: Charge): Asked => ({ kind, key, limit: rule.limit });

function whenThere<T>(answer: Awaitable<T>, note: (value: T) => void): Awaitable<T> {
  if (!(answer instanceof Promise)) {
    note(answer);
    return answer;
  }
  return answer.then((value) => {
    note(value);
    return value;
  });
}
