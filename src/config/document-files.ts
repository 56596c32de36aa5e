import { readFileSync, statSync } from 'node:fs';
import { posix, resolve } from 'node:path';
import type { DocumentFiles, Secrets } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';

/** Larger than a list of a million networks; a bound all the same. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** One name for one file: `file:./a`, `./a` and `a` are the same. */
export function fileKey(reference: string): string {
  return posix.normalize(reference.startsWith('file:') ? reference.slice(5) : reference);
}

/** Reads files on disk, relative to the document's folder. */
export function filesOnDisk(folder: string): DocumentFiles {
  return { read: (reference) => readRegularFile(resolve(folder, fileKey(reference)), fileKey(reference)) };
}

/** Resolves secrets from an environment and from files relative to the document's folder. */
export function secretsOf(
  environment: Readonly<Record<string, string | undefined>>,
  files: DocumentFiles,
): Secrets {
  return {
    resolve(reference) {
      if (reference.startsWith('file:')) return files.read(reference).replace(/\r?\n$/, '');
      if (!reference.startsWith('env:')) {
        throw ConfigError.at('', 'must be a reference, env:NAME or file:PATH');
      }
      const name = reference.slice(4);
      const value = environment[name];
      if (value === undefined || value === '') {
        throw ConfigError.at('', `the environment has no ${name}`, `set ${name} before the start`);
      }
      return value;
    },
  };
}

/** A device or pipe could block or never end; only a regular file is read. */
function readRegularFile(path: string, shown: string): string {
  try {
    const { size } = regularFile(path);
    if (size > MAX_FILE_BYTES) throw ConfigError.at('', `${shown} is larger than ${MAX_FILE_BYTES} bytes`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw ConfigError.at(
      '',
      `${shown} cannot be read: ${causeOf(error)}`,
      'paths are relative to the document',
    );
  }
}

function regularFile(path: string): { readonly size: number } {
  const stat = statSync(path);
  if (!stat.isFile()) throw ConfigError.at('', `${path} is not a regular file`);
  return stat;
}

/** Node's message without the stack: the code says it all. */
export function causeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'permission denied';
  if (code === 'EISDIR') return 'it is a folder';
  return code === '' ? 'unknown cause' : code;
}
