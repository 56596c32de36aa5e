import { InternalError } from '../../errors.ts';

/** `number`: a whole number; `bytes`: in a backup as base64. */
export type CellType = 'text' | 'number' | 'bytes';

export interface Column {
  readonly name: string;
  readonly type: CellType;
  /** What a backup has that was made before there was this column. */
  readonly before?: string | number;
}

/** A table that is kept in a backup, in the words of both stores. */
export interface BackupTable {
  readonly name: string;
  readonly columns: readonly Column[];
  /** Columns that rows are ordered by. */
  readonly key: readonly string[];
  /** Whether the store counts its first column up by itself. */
  readonly counts: boolean;
}

const table = (
  name: string,
  { key, counts = false }: { readonly key: readonly string[]; readonly counts?: boolean },
  columns: Readonly<Record<string, CellType | readonly ['text', string]>>,
): BackupTable => ({
  name,
  key,
  counts,
  columns: Object.entries(columns).map(([column, type]) =>
    typeof type === 'string' ? { name: column, type } : { name: column, type: type[0], before: type[1] },
  ),
});

const [text, number, bytes] = ['text', 'number', 'bytes'] as const;
const counted = { key: ['number'], counts: true };

/** All that a store holds, in an order in which it can be put. Secrets are in it as the store has them: hashed or sealed. */
export const BACKUP_TABLES: readonly BackupTable[] = [
  table('revisions', counted, {
    ...{ number, id: text, document: text, files: text },
    ...{ created_at: number, author: text, reason: text },
  }),
  table('activations', counted, { number, revision: text, at: number, how: ['text', 'publish'] }),
  table('audit', { key: ['number'] }, { number, entry: text, hash: text }),
  table('audit_head', { key: ['number'] }, { only: number, number, hash: text }),
  table(
    'consumers',
    { key: ['name'] },
    {
      ...{ name: text, external_id: text, groups: text },
      ...{ created_at: number, created_by: text, disabled_at: number },
    },
  ),
  table('credentials', counted, {
    ...{
      number,
      id: text,
      consumer: text,
      kind: text,
      lookup: text,
      shown: text,
      verifier: text,
      sealed: text,
    },
    ...{ created_at: number, created_by: text, not_before: number, expires_at: number, revoked_at: number },
    ...{ successor: text },
  }),
  table('credential_use', { key: ['id'] }, { id: text, at: number }),
  table(
    'revocations',
    { key: ['kind', 'issuer', 'subject'] },
    { kind: text, issuer: text, subject: text, at: number, revoked_by: text, reason: text, until: number },
  ),
  table('list_versions', counted, {
    ...{ number, list: text, id: text, entries: number },
    ...{ source: text, created_at: number, content: bytes },
  }),
  table('list_states', { key: ['list'] }, { list: text, state: text }),
  table(
    'bans',
    { key: ['id'] },
    { id: text, network: text, since: number, until: number, reason: text, banned_by: text },
  ),
  table(
    'imposed_bans',
    { key: ['in_shadow', 'kind', 'banned'] },
    {
      ...{ in_shadow: number, kind: text, banned: text, id: text, since: number, until: number },
      ...{ forget: number, reason: text, imposed_by: text, strike: number, round: number },
    },
  ),
  table(
    'quota_usage',
    { key: ['scope', 'key'] },
    {
      ...{ scope: text, key: text, id: text, attachment: text, name: text, keys_are: text },
      ...{ in_shadow: number, unproven: number, most: number, started: number, ends: number },
      ...{ used: number, carried: number, carry_over: number, kept_until: number },
    },
  ),
  table('rollouts', counted, {
    ...{ number, id: text, revision: text, base: text },
    ...{ is_open: number, started_at: number, state: text, version: number },
  }),
];

/** @throws InternalError for one that is not kept */
export function backupTable(name: string): BackupTable {
  const found = BACKUP_TABLES.find((one) => one.name === name);
  if (found === undefined) throw new InternalError(`no backup has a table ${name}`);
  return found;
}
