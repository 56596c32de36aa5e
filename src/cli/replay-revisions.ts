import { join } from 'node:path';
import {
  binariesOnDisk,
  createBundle,
  filesOnDisk,
  listsOf,
  PolicyCache,
  PolicyCatalog,
  parseDocument,
  readersOf,
  secretsOf,
} from '../config/index.ts';
import type { Snapshot } from '../contract/index.ts';
import { ConfigError, type ConfigIssue } from '../errors.ts';
import { POLICIES } from '../policies/index.ts';
import { LiveState } from '../state/index.ts';
import { LastGood, type LastGoodBundle, StoreError } from '../store/index.ts';
import { openDocument } from './check.ts';
import { loadOfflineLists } from './offline-lists.ts';

/** A revision that a draft is compared with. Dispose the snapshot after use. */
export interface Opponent {
  readonly snapshot: Snapshot;
  readonly document: Readonly<Record<string, unknown>>;
  readonly notes: readonly string[];
}

/** The revision last served from a data folder; undefined for none. Throws ConfigError where it cannot be read. */
export function keptRevision(data: string): LastGoodBundle | undefined {
  try {
    return new LastGood(join(data, 'last-good.json')).load();
  } catch (cause) {
    if (cause instanceof StoreError) throw ConfigError.at('', `${data}: ${cause.message}`);
    throw cause;
  }
}

/**
 * Compiles a revision as it was served, with the files that were kept with it and today's secrets, which are looked for
 * beside the draft. Rejects with ConfigError.
 */
export async function openKept(
  { document: text, files: kept }: LastGoodBundle,
  folder: string,
): Promise<Opponent> {
  const { files } = readersOf({ files: kept, secrets: {}, binaries: {} });
  const secrets = secretsOf(process.env, filesOnDisk(folder));
  const live = new LiveState(undefined, 'empty');
  const catalog = new PolicyCatalog(POLICIES);
  const binaries = binariesOnDisk(folder);
  const cache = new PolicyCache();
  const parsed = parseDocument(text, 'active revision');
  const checked = await createBundle(parsed, { catalog, cache, files, secrets, binaries, live });
  try {
    const notes = await loadOfflineLists(listsOf(checked.document, catalog, secrets).feeds, folder, live);
    return { ...checked, notes };
  } catch (cause) {
    await checked.snapshot.dispose();
    throw cause;
  }
}

/** Compiles a document from a file. Rejects with ConfigError. */
export async function openFile(file: string): Promise<Opponent> {
  const opened = await openDocument(file);
  if ('issues' in opened) throw new ConfigError(named(opened.issues, file));
  return opened;
}

const named = (issues: readonly ConfigIssue[], file: string): readonly ConfigIssue[] =>
  issues.map((issue) => ({ ...issue, message: `${file}: ${issue.message}` }));
