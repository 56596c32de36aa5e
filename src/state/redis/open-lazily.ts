import type { openStore } from './open.ts';

/** As `openStore`. What it needs is loaded only now: who has no store pays nothing for it. */
export const openStoreCounters: typeof openStore = async (...parts) =>
  (await import('./open.ts')).openStore(...parts);
