import type { Decision } from './decision.ts';
import type { Awaitable } from './deps.ts';
import type { PolicyContext } from './policy.ts';

/**
 * Slows down who guesses credentials, and refuses it for a time when it goes on. One for all of a document, so that
 * guesses count whatever route they are tried on. Every authentication policy asks it before it looks at a
 * credential and tells it of each wrong one.
 */
export interface CredentialGuard {
  /** A refusal for an address, or for a consumer's name where the credential claims one, that guessed too often. */
  check(c: PolicyContext, name?: string): Awaitable<Decision | undefined>;
  /** Counts a wrong credential against the address and the name. */
  failed(c: PolicyContext, name?: string): Awaitable<void>;
}
