import type { CredentialKind } from '../contract/index.ts';
import type { ActiveCredential, ConsumerEntry, RevocationEntry, StoredCredential } from './consumer-store.ts';
import { textOf, wholeOf } from './rows.ts';
import { StoreError } from './store.ts';

type Row = Record<string, unknown>;

const corrupt = (what: string): StoreError =>
  new StoreError('corrupt', `the store holds an unreadable ${what}`);

const textOrNone = (value: unknown): string | undefined => (value === null ? undefined : textOf(value));
const wholeOrNone = (value: unknown): number | undefined => (value === null ? undefined : wholeOf(value));

export const parseConsumer = (row: Row): ConsumerEntry =>
  parseConsumerCells([
    row.name,
    row.external_id,
    row.groups,
    row.created_at,
    row.created_by,
    row.disabled_at,
  ]);

/** In the order of the interface. */
export function parseConsumerCells(cells: unknown): ConsumerEntry {
  if (!Array.isArray(cells)) throw corrupt('consumer');
  return {
    name: textOf(cells[0]),
    externalId: textOrNone(cells[1]),
    groups: groupsOf(cells[2]),
    createdAt: wholeOf(cells[3]),
    createdBy: textOf(cells[4]),
    disabledAt: wholeOrNone(cells[5]),
  };
}

/** In the order of the interface. */
export function parseActiveCells(cells: unknown): ActiveCredential {
  if (!Array.isArray(cells)) throw corrupt('credential');
  return {
    number: wholeOf(cells[0]),
    id: textOf(cells[1]),
    consumer: textOf(cells[2]),
    kind: kindOf(cells[3]),
    lookup: textOf(cells[4]),
    verifier: textOrNone(cells[5]),
    sealed: textOrNone(cells[6]),
    notBefore: wholeOrNone(cells[7]),
    expiresAt: wholeOrNone(cells[8]),
  };
}

export const parseCredential = (row: Row): StoredCredential => ({
  number: wholeOf(row.number),
  id: textOf(row.id),
  consumer: textOf(row.consumer),
  kind: kindOf(row.kind),
  lookup: textOf(row.lookup),
  verifier: textOrNone(row.verifier),
  sealed: textOrNone(row.sealed),
  notBefore: wholeOrNone(row.not_before),
  expiresAt: wholeOrNone(row.expires_at),
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
