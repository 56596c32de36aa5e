import type { Command } from 'commander';
import { type DocumentChange, loadDiff } from '../config/index.ts';
import {
  type AdminApi,
  type AdminOptions,
  type AdminResult,
  addAdminOptions,
  askAdmin,
} from './admin-client.ts';
import { formatOf } from './check.ts';
import { type DiffSource, openFile, openRevision, readWord, short } from './diff-side.ts';
import { renderDiff } from './render-diff.ts';
import { paint, printable, processTerminal, type Terminal } from './terminal.ts';

export interface DiffOptions extends AdminOptions {
  /** Whether a difference gives the exit code 1. */
  readonly exitCode?: boolean;
}

const HELP = `
Each side is a file or folder, a revision by the first digits of its id (at least
4), or "active", the revision in service. What means the same is no difference,
however it is written. Secrets, and what credentials are recognised by, are never
shown. A running gateway is only asked for revisions.`;

/** `sallyport diff BEFORE AFTER`. */
export function addDiffCommand(program: Command, terminal: Terminal = processTerminal()): void {
  const command = program
    .command('diff')
    .summary('tell what differs between two documents or revisions')
    .description('Tells what differs between two documents or revisions, by meaning and not by lines.')
    .argument('<before>', 'file, folder, revision or "active"')
    .argument('<after>', 'file, folder, revision or "active"')
    .option('--exit-code', 'give 1 where something differs');
  command.addHelpText('after', HELP);
  addAdminOptions(command).action(async (before: string, after: string, options: DiffOptions) => {
    process.exitCode = await diff(before, after, options, terminal);
  });
}

/** Compares and prints; gives the exit code. @throws ConfigError for what cannot be read */
export async function diff(
  before: string,
  after: string,
  options: DiffOptions,
  terminal: Terminal,
): Promise<number> {
  const words = [readWord(before), readWord(after)] as const;
  let isSame = true;
  const compare = async (api: AdminApi | undefined): Promise<AdminResult> => {
    const [from, to] = await Promise.all(words.map((word) => sideOf(word, api)));
    const changes = (await loadDiff()).diffDocuments(from, to);
    isSame = changes.length === 0;
    return { data: dataOf(from, to, changes), text: textOf(from, to, changes, terminal) };
  };
  const code = words.every(({ kind }) => kind === 'file')
    ? await printed(options, terminal, compare(undefined))
    : await askAdmin(options, terminal, compare);
  return code === 0 && options.exitCode === true && !isSame ? 1 : code;
}

async function printed(
  options: DiffOptions,
  terminal: Terminal,
  result: Promise<AdminResult>,
): Promise<number> {
  const { data, text } = await result;
  terminal.out(formatOf(options) === 'json' ? `${JSON.stringify(data)}\n` : text);
  return 0;
}

function sideOf(word: ReturnType<typeof readWord>, api: AdminApi | undefined): Promise<DiffSource> {
  if (word.kind === 'file') return openFile(word.path);
  if (api === undefined) throw new TypeError('a revision is asked of a gateway');
  return openRevision(api, word);
}

const namedSide = ({ kind, name }: DiffSource) => ({ kind, name });

const dataOf = (from: DiffSource, to: DiffSource, changes: readonly DocumentChange[]) => ({
  from: namedSide(from),
  to: namedSide(to),
  same: changes.length === 0,
  changes,
});

function textOf(
  from: DiffSource,
  to: DiffSource,
  changes: readonly DocumentChange[],
  terminal: Terminal,
): string {
  if (changes.length === 0) return `${labelOf(from)} and ${labelOf(to)} say the same\n`;
  const head = [
    paint(terminal, 'red', `--- ${labelOf(from)}`),
    paint(terminal, 'green', `+++ ${labelOf(to)}`),
  ];
  return `${head.join('\n')}\n\n${renderDiff(changes, terminal)}`;
}

const labelOf = ({ kind, name }: DiffSource): string =>
  printable(kind === 'file' ? name : `revision ${short(name)}`);
