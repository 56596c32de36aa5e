import { readFileSync } from 'node:fs';
import { ConfigError } from '../errors.ts';

const STDIN = 0;

/** Text of a file that the command line names; `-` is stdin. @throws ConfigError */
export function readNamedFile(name: string): string {
  try {
    return readFileSync(name === '-' ? STDIN : name, 'utf8');
  } catch (error) {
    throw ConfigError.at('', `${name} cannot be read: ${reasonOf(error)}`);
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EISDIR: 'it is a folder',
};

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? String(error.code) : '';
  return REASONS[code] ?? error.message;
}
