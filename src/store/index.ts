export {
  type BackupEnd,
  backUpStore,
  type Restored,
  type RestoreOptions,
  restoreStore,
  type StorePlace,
} from './backup/index.ts';
export type * from './ban-store.ts';
export type * from './consumer-store.ts';
export { ensureDataDirectory } from './data-directory.ts';
export { type DirectoryLock, lockDirectory } from './directory-lock.ts';
export { type DiskDecision, DiskMark } from './disk-mark.ts';
export { StoreHealth, type StoreHealthDeps, type StoreState } from './health.ts';
export { KeptRevocations } from './kept-revocations.ts';
export { LastGood, type LastGoodBundle } from './last-good.ts';
export { type LeaseTable, ROLLOUT_LEASE } from './lease-table.ts';
export type * from './list-store.ts';
export { NodeIdentity } from './node-identity.ts';
export type * from './node-table.ts';
export {
  openPostgresStore,
  type PostgresAddress,
  type PostgresSettings,
  type PostgresTls,
  parsePostgresAddress,
  postgresText,
} from './postgres/index.ts';
export type * from './quota-usage-store.ts';
export type * from './rollout-store.ts';
export { openSqliteStore } from './sqlite.ts';
export {
  type ActivationHow,
  type ActiveRevision,
  type AuditEntry,
  type AuditHead,
  type AuditVerification,
  type Page,
  type RevisionEntry,
  type RevisionSummary,
  STORE_TOPICS,
  type Store,
  type StoreChange,
  type StoredActivation,
  type StoredAuditEntry,
  type StoredRevision,
  StoreError,
  type StoreErrorCode,
  type StoreListener,
  type StoreTopic,
} from './store.ts';
