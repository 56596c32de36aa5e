export { type Authorization, readAuthorization } from './authorization.ts';
export { challenge, REPEATED_CREDENTIAL } from './challenge.ts';
export { credentialGuard, type GuardRules, NO_GUARD } from './guard.ts';
