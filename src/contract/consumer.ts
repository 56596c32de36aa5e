import type { Identity } from './request.ts';

/** A credential that was found. */
export interface CredentialMatch {
  readonly identity: Identity;
  /** Milliseconds since the epoch after which it is refused, or undefined for never. */
  readonly expiresAtMs: number | undefined;
  /** Milliseconds since the epoch before which it is refused; absent for always. */
  readonly notBeforeMs?: number;
  /**
   * What a claim to it is verified with, where finding it is no proof: an argon2id hash (`basic-auth`), a public
   * key or shared secret (`hmac-signature`), in the forms that `identity` reads. Undefined where the look-up itself
   * is the proof (`api-key`, `mtls`).
   */
  readonly verifier?: string;
}

/** A consumer by its name: what the credential of somebody else's making (a token, a certificate) is mapped to. */
export interface Consumer {
  readonly name: string;
  readonly id?: string;
  readonly groups: readonly string[];
}

/** Kinds of credentials, by the policy that asks for them. */
export type CredentialKind = 'api-key' | 'basic-auth' | 'hmac-signature' | 'mtls';

/**
 * Consumers and their credentials, those of the document and those kept live. What was revoked or disabled is not
 * found. Secrets are never held where their hash is enough.
 */
export interface ConsumerDirectory {
  /**
   * By what is unique to a credential: SHA-256 of the secret in base64url (`api-key`: time tells nothing about a
   * stored secret), the user name (`basic-auth`), the key id (`hmac-signature`), the thumbprint (`mtls`).
   */
  find(kind: CredentialKind, key: string): CredentialMatch | undefined;
  /**
   * The verifier of some credential of that kind, always the same one for a key: what a claim to a credential that is
   * not there is held against, so that refusing it takes as long as refusing one that is. Undefined where the document
   * has none of that kind.
   */
  decoy(kind: CredentialKind, key: string): string | undefined;
  /** Undefined for one that is not declared. Throws nothing: a disabled one is `disabled`. */
  consumer(name: string): Consumer | 'disabled' | undefined;
  /** Whether a consumer of that name exists: for checks of a document. */
  has(consumer: string): boolean;
  hasGroup(group: string): boolean;
  /** Names of all declared consumers: for suggestions where one is misspelt. */
  readonly names: Iterable<string>;
  /** Every group that is declared: as `names`. */
  readonly groups: Iterable<string>;
}
