import type { CredentialKind } from '../contract/index.ts';

/** A consumer that is kept live. Immutable but for what `updateConsumer` changes. */
export interface ConsumerEntry {
  /** Unique, as it stands in records and rules. */
  readonly name: string;
  /** Its id in another system, or undefined. */
  readonly externalId: string | undefined;
  readonly groups: readonly string[];
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly createdBy: string;
  /** Milliseconds since the epoch; undefined while it may call. */
  readonly disabledAt: number | undefined;
}

/** What of a consumer may change; what is left out stays. */
export type ConsumerChange = Partial<Pick<ConsumerEntry, 'externalId' | 'groups' | 'disabledAt'>>;

/** A credential that is kept live. Its consumer may be one of the document, of which no `ConsumerEntry` exists. */
export interface CredentialEntry {
  /** Public, unique. */
  readonly id: string;
  readonly consumer: string;
  readonly kind: CredentialKind;
  /** What it is found by, as `ConsumerDirectory.find` has it. Unique within its kind among those not revoked. */
  readonly lookup: string;
  /** What may be shown of it: the first characters of a key, a user name, a key id. */
  readonly shown: string;
  /** What a claim is verified with, where that is no secret: an argon2id hash or a public key. */
  readonly verifier: string | undefined;
  /** What a claim is verified with, where that is a secret: encrypted, with the id of the key it needs. */
  readonly sealed: string | undefined;
  /** Milliseconds since the epoch, like all times here. */
  readonly createdAt: number;
  readonly createdBy: string;
  readonly notBefore: number | undefined;
  readonly expiresAt: number | undefined;
  readonly revokedAt: number | undefined;
  /** The credential that took its place, or undefined. */
  readonly successor: string | undefined;
}

export interface StoredCredential extends CredentialEntry {
  /** Counts up; a place in the list. */
  readonly number: number;
  /** Undefined for never. */
  readonly lastUsedAt: number | undefined;
}

/** What the data side needs of a credential that is not revoked. */
export type ActiveCredential = Pick<
  StoredCredential,
  'number' | 'id' | 'consumer' | 'kind' | 'lookup' | 'verifier' | 'sealed' | 'notBefore' | 'expiresAt'
>;

/** By name. */
export interface NamePage {
  /** At most so many, 1 to 10,000. */
  readonly limit: number;
  /** Only names after this one; '' for the first page. */
  readonly after: string;
}

/** By number, newest first. */
export interface CredentialPage {
  readonly limit: number;
  readonly before: number | undefined;
  /** Only those of one consumer. */
  readonly consumer: string | undefined;
}

/**
 * What was taken back before its time and is not kept here itself: a credential or a consumer of the document, a
 * token of an issuer.
 */
export interface RevocationEntry {
  readonly kind: 'credential' | 'consumer' | 'token';
  /** Of a token; '' otherwise. */
  readonly issuer: string;
  /** Id of the credential, name of the consumer, id of the token (`jti`). */
  readonly subject: string;
  readonly at: number;
  readonly by: string;
  /** '' for none. */
  readonly reason: string;
  /** When a token expires by itself and this may be forgotten; undefined for never. */
  readonly until: number | undefined;
}

/** That a credential was used, live or of the document. */
export interface CredentialUse {
  readonly id: string;
  readonly at: number;
}

/**
 * Consumers, their credentials and revocations. Every method may reject with `StoreError`: `not-found` for what is
 * not there, `conflict` for what is there already.
 */
export interface ConsumerStore {
  putConsumer(consumer: ConsumerEntry): Promise<void>;
  updateConsumer(name: string, change: ConsumerChange): Promise<void>;
  /** With all its credentials and what is known of their use; also where there are only these. */
  removeConsumer(name: string): Promise<void>;
  getConsumer(name: string): Promise<ConsumerEntry | undefined>;
  listConsumers(page: NamePage): Promise<readonly ConsumerEntry[]>;

  putCredential(credential: CredentialEntry): Promise<void>;
  /**
   * Puts the heir and sets who succeeds the one before it and when that ends: by expiry, or revoked as the heir
   * comes. Both or neither.
   */
  succeedCredential(id: string, heir: CredentialEntry, expiresAt: number | 'revoked'): Promise<void>;
  /** Marks it revoked and forgets what it was verified with. One that is revoked already keeps its time. */
  revokeCredential(id: string, at: number): Promise<void>;
  /** Replaces an encrypted secret by the same one under another key. */
  resealCredential(id: string, sealed: string): Promise<void>;
  getCredential(id: string): Promise<StoredCredential | undefined>;
  /** Whether one that is not revoked is found by that. */
  hasActive(kind: CredentialKind, lookup: string): Promise<boolean>;
  listCredentials(page: CredentialPage): Promise<readonly StoredCredential[]>;
  /** Those not revoked with a larger number, oldest first: how a start reads them all, at most 10,000 at a time. */
  activeCredentials(after: number, limit: number): Promise<readonly ActiveCredential[]>;
  /** How many there are: what a start makes room for. */
  countActive(): Promise<{ readonly consumers: number; readonly credentials: number }>;

  /** What is revoked already stays as it is, but for a later `until`. */
  putRevocation(revocation: RevocationEntry): Promise<void>;
  /** False: there was none. */
  removeRevocation(of: Pick<RevocationEntry, 'kind' | 'issuer' | 'subject'>): Promise<boolean>;
  /** All that still matter at a time; those that do not are forgotten. */
  revocations(now: number): Promise<readonly RevocationEntry[]>;

  /** Keeps the latest use of each. */
  noteUse(uses: readonly CredentialUse[]): Promise<void>;
  /** When each was last used; those never used are left out. */
  lastUse(ids: readonly string[]): Promise<ReadonlyMap<string, number>>;
}
