import type { CredentialKind } from '../contract/index.ts';
import type { ActiveCredential, ConsumerEntry, RevocationEntry, StoredCredential } from './consumer-store.ts';
import { textOf, wholeOf } from './rows.ts';
import { StoreError } from './store.ts';

type Row = Record<string, unknown>;

const corrupt = (what: string): StoreError =>
  new StoreError('corrupt', `the store holds an unreadable ${what}`);

const textOrNone = (value: unknown): string | undefined => (value === null ? undefined : textOf(value));
const wholeOrNone = (value: unknown): number | undefined => (value === null ? undefined : wholeOf(value));

export const parseConsumer = (row: Row): ConsumerEntry => ({
  name: textOf(row.name),
  externalId: textOrNone(row.external_id),
  groups: groupsOf(row.groups),
  createdAt: wholeOf(row.created_at),
  createdBy: textOf(row.created_by),
  disabledAt: wholeOrNone(row.disabled_at),
});

export const parseActive = (row: Row): ActiveCredential => ({
  number: wholeOf(row.number),
  id: textOf(row.id),
  consumer: textOf(row.consumer),
  kind: kindOf(row.kind),
  lookup: textOf(row.lookup),
  verifier: textOrNone(row.verifier),
  sealed: textOrNone(row.sealed),
  notBefore: wholeOrNone(row.not_before),
  expiresAt: wholeOrNone(row.expires_at),
});

export const parseCredential = (row: Row): StoredCredential => ({
  ...parseActive(row),
  shown: textOf(row.shown),
  createdAt: wholeOf(row.created_at),
  createdBy: textOf(row.created_by),
  revokedAt: wholeOrNone(row.revoked_at),
  successor: textOrNone(row.successor),
  lastUsedAt: wholeOrNone(row.used_at),
});

export const parseRevocation = (row: Row): RevocationEntry => ({
  kind: subjectKindOf(row.kind),
  issuer: textOf(row.issuer),
  subject: textOf(row.subject),
  at: wholeOf(row.at),
  by: textOf(row.revoked_by),
  reason: textOf(row.reason),
  until: wholeOrNone(row.until),
});

const KINDS: readonly CredentialKind[] = ['api-key', 'basic-auth', 'hmac-signature', 'mtls'];

function kindOf(value: unknown): CredentialKind {
  const kind = KINDS.find((known) => known === value);
  if (kind === undefined) throw corrupt('credential');
  return kind;
}

const SUBJECTS: readonly RevocationEntry['kind'][] = ['credential', 'consumer', 'token'];

function subjectKindOf(value: unknown): RevocationEntry['kind'] {
  const kind = SUBJECTS.find((known) => known === value);
  if (kind === undefined) throw corrupt('revocation');
  return kind;
}

function groupsOf(value: unknown): readonly string[] {
  try {
    const groups: unknown = JSON.parse(textOf(value));
    if (Array.isArray(groups)) return groups.map(textOf);
  } catch {
    // Told below.
  }
  throw corrupt('consumer');
}
