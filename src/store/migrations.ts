import type { DatabaseSync } from 'node:sqlite';
import { StoreError } from './store.ts';

/** Each step brings the schema from its index to the next version. Steps are never changed, only added. */
const STEPS: readonly string[] = [
  `CREATE TABLE revisions (
     number INTEGER PRIMARY KEY AUTOINCREMENT,
     id TEXT NOT NULL UNIQUE,
     document TEXT NOT NULL,
     files TEXT NOT NULL,
     created_at INTEGER NOT NULL,
     author TEXT NOT NULL,
     reason TEXT NOT NULL
   ) STRICT;
   CREATE TABLE activations (
     number INTEGER PRIMARY KEY AUTOINCREMENT,
     revision TEXT NOT NULL REFERENCES revisions (id),
     at INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE audit (
     number INTEGER PRIMARY KEY,
     entry TEXT NOT NULL,
     hash TEXT NOT NULL
   ) STRICT;
   CREATE TABLE audit_head (
     only INTEGER PRIMARY KEY CHECK (only = 1),
     number INTEGER NOT NULL,
     hash TEXT NOT NULL
   ) STRICT;`,
  `CREATE TABLE consumers (
     name TEXT PRIMARY KEY,
     external_id TEXT,
     groups TEXT NOT NULL,
     created_at INTEGER NOT NULL,
     created_by TEXT NOT NULL,
     disabled_at INTEGER
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE credentials (
     number INTEGER PRIMARY KEY AUTOINCREMENT,
     id TEXT NOT NULL UNIQUE,
     consumer TEXT NOT NULL,
     kind TEXT NOT NULL,
     lookup TEXT NOT NULL,
     shown TEXT NOT NULL,
     verifier TEXT,
     sealed TEXT,
     created_at INTEGER NOT NULL,
     created_by TEXT NOT NULL,
     not_before INTEGER,
     expires_at INTEGER,
     revoked_at INTEGER,
     successor TEXT
   ) STRICT;
   CREATE UNIQUE INDEX credentials_lookup ON credentials (kind, lookup) WHERE revoked_at IS NULL;
   CREATE INDEX credentials_consumer ON credentials (consumer, number);
   CREATE TABLE credential_use (
     id TEXT PRIMARY KEY,
     at INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE revocations (
     kind TEXT NOT NULL CHECK (kind IN ('credential', 'consumer', 'token')),
     issuer TEXT NOT NULL,
     subject TEXT NOT NULL,
     at INTEGER NOT NULL,
     revoked_by TEXT NOT NULL,
     reason TEXT NOT NULL,
     until INTEGER,
     PRIMARY KEY (kind, issuer, subject)
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE list_versions (
     number INTEGER PRIMARY KEY AUTOINCREMENT,
     list TEXT NOT NULL,
     id TEXT NOT NULL,
     entries INTEGER NOT NULL,
     source TEXT NOT NULL,
     created_at INTEGER NOT NULL,
     content BLOB NOT NULL,
     UNIQUE (list, id)
   ) STRICT;
   CREATE TABLE list_states (
     list TEXT PRIMARY KEY,
     state TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE bans (
     id TEXT PRIMARY KEY,
     network TEXT NOT NULL UNIQUE,
     since INTEGER NOT NULL,
     until INTEGER NOT NULL,
     reason TEXT NOT NULL,
     banned_by TEXT NOT NULL
   ) STRICT, WITHOUT ROWID;`,
  `CREATE TABLE quota_usage (
     scope TEXT NOT NULL,
     key TEXT NOT NULL,
     id TEXT NOT NULL UNIQUE,
     attachment TEXT NOT NULL,
     name TEXT NOT NULL,
     keys_are TEXT NOT NULL,
     in_shadow INTEGER NOT NULL CHECK (in_shadow IN (0, 1)),
     unproven INTEGER NOT NULL CHECK (unproven IN (0, 1)),
     most INTEGER NOT NULL,
     started INTEGER NOT NULL,
     ends INTEGER NOT NULL,
     used INTEGER NOT NULL,
     carried INTEGER NOT NULL,
     carry_over INTEGER NOT NULL,
     kept_until INTEGER NOT NULL,
     PRIMARY KEY (scope, key)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX quota_usage_kept ON quota_usage (kept_until);`,
  `CREATE TABLE imposed_bans (
     in_shadow INTEGER NOT NULL CHECK (in_shadow IN (0, 1)),
     kind TEXT NOT NULL CHECK (kind IN ('network', 'caller')),
     banned TEXT NOT NULL,
     id TEXT NOT NULL,
     since INTEGER NOT NULL,
     until INTEGER NOT NULL,
     forget INTEGER NOT NULL,
     reason TEXT NOT NULL,
     imposed_by TEXT NOT NULL,
     strike INTEGER NOT NULL,
     round INTEGER NOT NULL,
     PRIMARY KEY (in_shadow, kind, banned)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX imposed_bans_forget ON imposed_bans (forget);`,
  `CREATE TABLE rollouts (
     number INTEGER PRIMARY KEY AUTOINCREMENT,
     id TEXT NOT NULL UNIQUE,
     revision TEXT NOT NULL,
     base TEXT NOT NULL,
     is_open INTEGER NOT NULL CHECK (is_open IN (0, 1)),
     started_at INTEGER NOT NULL,
     state TEXT NOT NULL,
     version INTEGER NOT NULL
   ) STRICT;
   CREATE UNIQUE INDEX rollouts_open ON rollouts (is_open) WHERE is_open = 1;
   ALTER TABLE activations ADD COLUMN how TEXT NOT NULL DEFAULT 'publish';`,
];

/** The schema version this program writes. */
export const SCHEMA_VERSION = STEPS.length;

/**
 * Brings a database up to date in one transaction; two programs that start at once take turns.
 * @throws StoreError `schema-too-new` when a newer program wrote it; nothing is changed then
 */
export function migrate(database: DatabaseSync): void {
  if (versionOf(database) === SCHEMA_VERSION) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    const version = versionOf(database);
    for (const step of STEPS.slice(version)) database.exec(step);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function versionOf(database: DatabaseSync): number {
  const version = Number(database.prepare('PRAGMA user_version').get()?.user_version);
  if (version <= SCHEMA_VERSION) return version;
  throw new StoreError(
    'schema-too-new',
    `the store has schema version ${version}, this program knows up to ${SCHEMA_VERSION}: start the newer program, or use another data directory`,
  );
}
