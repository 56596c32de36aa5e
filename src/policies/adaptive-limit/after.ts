import type { Awaitable, Sum } from '../../contract/index.ts';

/** Goes on with a value at once where it is there, so that counters in memory cost no promise. */
export const after = <T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> =>
  value instanceof Promise ? value.then(next) : next(value);

/** All of them; at once where all are there. */
export function together(values: readonly Awaitable<Sum>[]): Awaitable<readonly Sum[]> {
  const now: Sum[] = [];
  for (const value of values) {
    if (value instanceof Promise) return Promise.all(values);
    now.push(value);
  }
  return now;
}

/** One of them that the shared store did not answer, if there is one. */
export const lostOf = (sums: readonly Sum[]): Sum['lost'] => sums.find(({ lost }) => lost)?.lost;
