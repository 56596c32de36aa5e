export type { CounterMemory } from './counter-memory.ts';
export {
  CredentialTable,
  type TableConsumer,
  type TableCredential,
  type TableStats,
} from './credentials/credential-table.ts';
export type { CredentialBuffers } from './credentials/layout.ts';
export { attachCredentials } from './credentials/live-credentials.ts';
export { CurrentBans } from './live/bans.ts';
export { banKey, bannedNetwork, bannedText, ImposedBans } from './live/imposed-bans.ts';
export { LiveState } from './live/live-state.ts';
export { createLocalCounters } from './local-counters.ts';
export { noteQuotas, type QuotaNote, QuotaNotes } from './quota-notes.ts';
export type { QuotaChange, QuotaUsage, RestoredQuota } from './quota-store.ts';
export type { OpenStoreCounters } from './redis/open.ts';
export { openStoreCounters } from './redis/open-lazily.ts';
export {
  parseStoreAddress,
  type StoreSettings,
  storeAddressText,
} from './redis/store-settings.ts';
export { ruleFault } from './rule.ts';
export {
  attachSharedCounters,
  createSharedCounters,
  DEFAULT_COUNTER_KEYS,
  type NodeCounters,
  type SharedCounterOptions,
  type SharedCounters,
} from './shared-counters.ts';
export { attachInFlight, type InFlight } from './slots/worker-slots.ts';
