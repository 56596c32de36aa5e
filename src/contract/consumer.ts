import type { Identity } from './request.ts';

/** A credential found by its fingerprint. */
export interface CredentialMatch {
  readonly identity: Identity;
  /** Milliseconds since the epoch after which it is refused, or undefined for never. */
  readonly expiresAtMs: number | undefined;
}

/**
 * Consumers by what they prove. Secrets are never held: look-ups go by fingerprint
 * (SHA-256, base64url), so time tells nothing about a stored secret.
 */
export interface ConsumerDirectory {
  find(kind: string, fingerprint: string): CredentialMatch | undefined;
  /** Whether a consumer of that name exists: for checks of a document. */
  has(consumer: string): boolean;
  hasGroup(group: string): boolean;
  /** Names of all consumers: for suggestions where one is misspelt. */
  readonly names: Iterable<string>;
  /** Every group a consumer is in: as `names`. */
  readonly groups: Iterable<string>;
}
