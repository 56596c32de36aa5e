import type { Quotas } from './open.ts';
import type { QuotaDesk } from './quota-desk.ts';

/** What was used of quotas is lost for so long when the process is killed, and for as long as it takes to write it. */
const COLLECT_MS = 500;

/** With a shared store only who came is. A flood of strangers is not to pile up in the workers meanwhile. */
const COLLECT_NAMES_MS = 2000;

export interface KeptQuotas {
  readonly desk: QuotaDesk;
  /** To be called when the workers have ended, while the store is open. */
  readonly end: () => Promise<void>;
}

/** Restores what was used, and keeps it from then on. To be done before the first request. */
export async function keepQuotas({ keeper, desk }: Quotas, isShared: boolean): Promise<KeptQuotas> {
  // A quota that was used up must not begin anew with the process.
  await keeper.restore();
  const collect = setInterval(() => void keeper.collect(), isShared ? COLLECT_NAMES_MS : COLLECT_MS);
  const end = async (): Promise<void> => {
    clearInterval(collect);
    await keeper.refresh();
    await desk.close();
  };
  return { desk, end };
}
