import type { openStore } from './open.ts';
import type { openQuotas } from './open-quotas.ts';

/** As `openStore`. What it needs is loaded only now: who has no store pays nothing for it. */
export const openStoreCounters: typeof openStore = async (...parts) =>
  (await import('./open.ts')).openStore(...parts);

/** As `openQuotas`, in the same way. */
export const openSharedQuotas: typeof openQuotas = async (...parts) =>
  (await import('./open-quotas.ts')).openQuotas(...parts);
