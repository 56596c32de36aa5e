import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { InternalError } from '../errors.ts';
import { processTerminal, type Terminal } from './terminal.ts';

/** `sallyport version`, and `sallyport --version`, which people try first. */
export function addVersionCommand(program: Command, terminal: Terminal = processTerminal()): void {
  program
    .command('version')
    .summary('print the version')
    .description('Prints the version of Sallyport, of Node.js and of the platform.')
    .action(() => terminal.out(`${versionText()}\n`));
  program.version(versionText(), '-V, --version', 'print the version');
  program.configureOutput({ writeOut: (text) => terminal.out(text) });
}

function versionText(): string {
  const { version, platform, arch } = process;
  return `sallyport ${packageVersion()}\nnode ${version.slice(1)}\nplatform ${platform}-${arch}`;
}

/** The version in package.json, which stands two folders above this file both in `src` and in `dist`. */
export function packageVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
  if (typeof manifest !== 'object' || manifest === null || !('version' in manifest)) {
    throw new InternalError('package.json has no version');
  }
  return String(manifest.version);
}
