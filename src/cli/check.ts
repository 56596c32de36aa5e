import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import {
  binariesOnDisk,
  type CheckedDocument,
  createBundle,
  filesOnDisk,
  type LoadedDocument,
  listsOf,
  loadDocument,
  locateIssues,
  PolicyCache,
  PolicyCatalog,
  secretsOf,
} from '../config/index.ts';
import { ConfigError, type ConfigIssue } from '../errors.ts';
import { POLICIES } from '../policies/index.ts';
import { LiveState } from '../state/index.ts';
import { loadOfflineLists } from './offline-lists.ts';
import { renderIssues } from './render-issues.ts';
import { paint, printable, processTerminal, type Terminal } from './terminal.ts';
import { unaskedCertificates } from './unasked-certificates.ts';

export type OutputFormat = 'text' | 'json';

/** Exit codes of the commands that judge a document. */
export const EXIT = Object.freeze({ ok: 0, failed: 1, usage: 2 });

export const EXIT_CODES_HELP = `
Exit codes:
  0  all is well
  1  the document has errors, or a test failed
  2  the command was used wrongly
`;

/** How results are printed. */
export interface FormatOptions {
  readonly format: OutputFormat;
  /** The same as `format: json`. */
  readonly json?: boolean;
}

/** Adds `--format` and `--json`, alike for every command that prints results. */
export const addFormatOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('--format <format>', 'how results are printed').choices(['text', 'json']).default('text'),
    )
    .option('--json', 'the same as --format json');

export const formatOf = ({ format, json }: FormatOptions): OutputFormat => (json === true ? 'json' : format);

/** `sallyport check FILE`. */
export function addCheckCommand(program: Command, terminal: Terminal = processTerminal()): void {
  const command = program
    .command('check')
    .summary('check a document')
    .description(
      'Checks a document (a file, or a folder of *.yaml and *.json) and tells every error at once.',
    )
    .argument('<file>', 'document or folder');
  addFormatOptions(command)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (file: string, options: FormatOptions) => {
      process.exitCode = await check(file, formatOf(options), terminal);
    });
}

/** Checks and prints; gives the exit code. */
export async function check(file: string, format: OutputFormat, terminal: Terminal): Promise<number> {
  const opened = await openDocument(file);
  if ('issues' in opened) return printIssues(opened.issues, file, format, terminal);
  const { snapshot, loaded, notes } = opened;
  const { revision, listeners, attachments } = snapshot;
  await snapshot.dispose();
  if (format === 'json') {
    terminal.out(`${JSON.stringify({ valid: true, revision, issues: [], notes })}\n`);
    return EXIT.ok;
  }
  const routes = loaded.document.routes;
  const counts = [
    counted(listeners.length, 'listener'),
    counted(Array.isArray(routes) ? routes.length : 0, 'route'),
    counted(attachments.length, 'policy', 'policies'),
  ];
  terminal.out(
    `${paint(terminal, 'green', 'valid')} ${file}: ${counts.join(', ')}\nrevision ${revision}\n${noteLines(notes)}`,
  );
  return EXIT.ok;
}

/** A document that was found sound. Dispose the snapshot after use. */
export interface OpenedDocument extends CheckedDocument {
  readonly loaded: LoadedDocument;
  /** What a person should know of how it was judged. */
  readonly notes: readonly string[];
}

/** Loads and compiles a document as the gateway would, or tells what is wrong with it. */
export async function openDocument(
  path: string,
): Promise<OpenedDocument | { readonly issues: readonly ConfigIssue[] }> {
  try {
    const loaded = await loadDocument(path);
    const files = filesOnDisk(loaded.folder);
    const secrets = secretsOf(process.env, files);
    const catalog = new PolicyCatalog(POLICIES);
    const binaries = binariesOnDisk(loaded.folder);
    const live = new LiveState(undefined, 'empty');
    const cache = new PolicyCache();
    const checked = await createBundle(loaded, { catalog, cache, files, secrets, binaries, live });
    const notes = await readLists(checked, loaded, () =>
      loadOfflineLists(listsOf(checked.document, catalog, secrets).feeds, loaded.folder, live),
    );
    const certificates = catalog.isDocument(checked.document) ? unaskedCertificates(checked.document) : [];
    return { ...checked, loaded, notes: [...notes, ...certificates] };
  } catch (error) {
    if (error instanceof ConfigError) return { issues: error.issues };
    throw error;
  }
}

/** A list that cannot be read refuses the document at its place. */
async function readLists(
  { snapshot }: CheckedDocument,
  loaded: LoadedDocument,
  read: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  try {
    return await read();
  } catch (error) {
    await snapshot.dispose();
    throw error instanceof ConfigError ? new ConfigError(locateIssues(error, loaded)) : error;
  }
}

/** Notes as lines for people. */
export const noteLines = (notes: readonly string[]): string =>
  notes.map((note) => `note: ${printable(note)}\n`).join('');

/** Prints why a document is not valid; gives the exit code. */
export function printIssues(
  issues: readonly ConfigIssue[],
  file: string,
  format: OutputFormat,
  terminal: Terminal,
): number {
  if (format === 'json') terminal.out(`${JSON.stringify({ valid: false, issues })}\n`);
  else terminal.error(renderIssues(issues, file, sourceReader(), terminal));
  return EXIT.failed;
}

/** Each file is read once, however many errors stand in it. */
function sourceReader(): (file: string) => string | undefined {
  const texts = new Map<string, string | undefined>();
  return (file) => {
    if (!texts.has(file)) texts.set(file, readSource(file));
    return texts.get(file);
  };
}

function readSource(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

export function counted(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}
