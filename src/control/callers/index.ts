export type { CallerDeps } from './caller-book.ts';
export { Callers } from './callers.ts';
export type { ConsumerView } from './consumer-desk.ts';
export type { CredentialView, IssuedCredential } from './credential-desk.ts';
export { DeclaredCallers } from './declared.ts';
export { type KeptCallers, keepCallers } from './keep.ts';
export { type MasterKeySource, type MasterKeys, openMasterKeys } from './master-keys.ts';
