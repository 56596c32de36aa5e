import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { recordingFiles } from './frame-index.ts';

/** What of a recording stays. */
export interface Retention {
  /** Files whose latest record is older go, whatever their size. */
  readonly fromMs: number;
  /** Of all files; over it the oldest go. */
  readonly maxBytes: number;
}

/** What was deleted, and what is left. */
export interface Pruned {
  readonly deletedFiles: number;
  readonly deletedBytes: number;
  readonly bytes: number;
}

/**
 * Deletes files of a recording, the oldest first; never parts of one. A worker whose file is deleted begins another with
 * what it writes next. Rejects with the system's error where one cannot be deleted.
 */
export async function pruneRecording(dir: string, { fromMs, maxBytes }: Retention): Promise<Pruned> {
  const files = await filesByAge(dir);
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0);
  let deletedFiles = 0;
  let deletedBytes = 0;
  for (const { path, bytes: size, writtenMs } of files) {
    if (writtenMs >= fromMs && bytes <= maxBytes) continue;
    await rm(path, { force: true });
    bytes -= size;
    deletedBytes += size;
    deletedFiles++;
  }
  return { deletedFiles, deletedBytes, bytes };
}

interface AgedFile {
  readonly path: string;
  readonly bytes: number;
  /** When something was last appended. */
  readonly writtenMs: number;
}

async function filesByAge(dir: string): Promise<readonly AgedFile[]> {
  const files: AgedFile[] = [];
  for (const name of await recordingFiles(dir)) {
    const path = join(dir, name);
    const facts = await stat(path).catch(() => undefined);
    if (facts !== undefined) files.push({ path, bytes: facts.size, writtenMs: facts.mtimeMs });
  }
  return files.sort((a, b) => a.writtenMs - b.writtenMs);
}
