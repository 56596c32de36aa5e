import { setImmediate } from 'node:timers/promises';

/** Long work in short steps: it yields where others may have their turn, and returns its result. */
export type Steps<T> = Generator<undefined, T>;

/** A slice of work that nobody notices. */
const SLICE_MS = 5;

/** Does all of it at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/**
 * Does it beside other work: after every slice of about 5 ms the event loop has its turn. `pause` and `monotonic`
 * (milliseconds) stand in for the real ones in tests.
 */
export async function finishInSlices<T>(
  steps: Steps<T>,
  pause: () => Promise<unknown> = setImmediate,
  monotonic: () => number = () => performance.now(),
): Promise<T> {
  let sliceStart = monotonic();
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (monotonic() - sliceStart < SLICE_MS) continue;
    await pause();
    sliceStart = monotonic();
  }
}
