import { connectStore } from './client.ts';
import { LiveScriptStore, type StoreTools } from './script-store.ts';
import { StoreNames } from './store-names.ts';
import { type SharedQuotas, StoreQuotas } from './store-quotas.ts';
import type { StoreSettings } from './store-settings.ts';

/** No request waits here but a person: a store that is busy for a moment is not lost. */
const PATIENCE_MS = 1000;

/**
 * Connects to the store for those who look after quotas. They count nothing there: they are none of those that limits are
 * shared among. Resolves also where the store is not there. `time` is as `StoreQuotas` has it.
 */
export async function openQuotas(
  settings: StoreSettings,
  tools: StoreTools,
  time?: () => number,
): Promise<SharedQuotas> {
  const patient = { ...settings, timeoutMs: PATIENCE_MS };
  const store = new LiveScriptStore(await connectStore(patient), patient, tools);
  await store.firstAnswer(PATIENCE_MS);
  const quotas = new StoreQuotas(store, new StoreNames(settings.prefix), time);
  return {
    read: (all) => quotas.read(all),
    change: (quota, relief) => quotas.change(quota, relief),
    close: () => store.close(),
  };
}
