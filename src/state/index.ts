export type { CounterMemory } from './counters/counter-memory.ts';
export { KeyHash } from './counters/key-hash.ts';
export { createLocalCounters } from './counters/local-counters.ts';
export { noteQuotas, type QuotaNote, QuotaNotes } from './counters/quota-notes.ts';
export { type QuotaRelief, relieve } from './counters/quota-relief.ts';
export type { QuotaChange, QuotaUsage, RestoredQuota } from './counters/quota-store.ts';
export { ruleFault } from './counters/rule.ts';
export {
  attachSharedCounters,
  createSharedCounters,
  DEFAULT_COUNTER_KEYS,
  type NodeCounters,
  type SharedCounterOptions,
  type SharedCounters,
} from './counters/shared-counters.ts';
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
export type { OpenStoreCounters } from './redis/open.ts';
export { openSharedQuotas, openStoreCounters } from './redis/open-lazily.ts';
export type { NamedQuota, SharedQuotas } from './redis/store-quotas.ts';
export {
  parseStoreAddress,
  type StoreSettings,
  storeAddressText,
} from './redis/store-settings.ts';
export { attachInFlight, type InFlight } from './slots/worker-slots.ts';
