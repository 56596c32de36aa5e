import type { Callers } from './callers.ts';

/** What a worker that dies has seen used is lost for so long. */
const COLLECT_MS = 10_000;

export interface KeptCallers {
  readonly callers: Callers;
  /** To be called while the workers are still there: takes up what was used last. */
  readonly end: () => Promise<void>;
}

/** Loads them, and takes up now and then what workers have seen used. To be done before the first request. */
export async function keepCallers(callers: Callers): Promise<KeptCallers> {
  // A key that is not loaded yet would be refused as wrong.
  await callers.load();
  const collect = setInterval(() => void callers.uses.collect(), COLLECT_MS);
  const end = (): Promise<void> => {
    clearInterval(collect);
    return callers.uses.collect();
  };
  return { callers, end };
}
