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
  readersOf,
  secretsOf,
} from '../config/index.ts';
import { ConfigError, type ConfigIssue, InternalError } from '../errors.ts';
import { didYouMean } from '../lib/suggest.ts';
import { type Finding, loadLint } from '../lifecycle/index.ts';
import { POLICIES } from '../policies/index.ts';
import { LiveState } from '../state/index.ts';
import { loadOfflineLists } from './offline-lists.ts';
import { counted } from './options.ts';
import { countFindings, renderFindings, summaryOf } from './render-findings.ts';
import { renderIssues } from './render-issues.ts';
import { type CheckResult, resultsOf, sarifOf } from './sarif.ts';
import { paint, printable, processTerminal, type Terminal } from './terminal.ts';
import { packageVersion } from './version.ts';

export type OutputFormat = 'text' | 'json';

/** Exit codes of the commands that judge a document. */
export const EXIT = Object.freeze({ ok: 0, failed: 1, usage: 2 });

/** How results are printed. */
export interface FormatOptions<F = OutputFormat> {
  readonly format: F;
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

export const formatOf = <F>({ format, json }: FormatOptions<F>): F | 'json' =>
  json === true ? 'json' : format;

/** How a document is checked. */
export interface CheckOptions extends FormatOptions<CheckFormat> {
  /** Whether warnings fail as well. */
  readonly strict?: boolean;
  /** Ids of rules that are not asked. */
  readonly ignore?: readonly string[];
}

export type CheckFormat = OutputFormat | 'sarif';

const CHECK_HELP = `
What is found, why it matters and what to do about it: docs/checks.md.

Exit codes:
  0  all is well, but for warnings and notes
  1  the document has errors; with --strict also warnings
  2  the command was used wrongly
`;

/** `sallyport check FILE`. */
export function addCheckCommand(program: Command, terminal: Terminal = processTerminal()): void {
  program
    .command('check')
    .summary('check a document')
    .description(
      'Checks a document (a file, or a folder of *.yaml and *.json): tells every fault for which it would not be served, or, of one that would be, what is most probably not meant so.',
    )
    .argument('<file>', 'document or folder')
    .addOption(
      new Option('--format <format>', 'how results are printed')
        .choices(['text', 'json', 'sarif'])
        .default('text'),
    )
    .option('--json', 'the same as --format json')
    .option('--strict', 'fail on warnings too')
    .option('--ignore <RULE>', 'do not look for this; may be repeated', addWord)
    .addHelpText('after', CHECK_HELP)
    .action(async (file: string, options: CheckOptions, command: Command) => {
      const unknown = await unknownRule(options.ignore ?? []);
      if (unknown !== undefined) command.error(`error: ${unknown}`);
      process.exitCode = await check(file, options, terminal, Date.now());
    });
}

const addWord = (word: string, before: readonly string[] = []): readonly string[] => [...before, word];

/** Why a rule that is to be ignored is none; a misspelt one would ignore nothing. */
async function unknownRule(ignore: readonly string[]): Promise<string | undefined> {
  if (ignore.length === 0) return undefined;
  const ids = (await loadLint()).LINT_RULES.map(({ id }) => id);
  const unknown = ignore.find((id) => !ids.includes(id));
  if (unknown === undefined) return undefined;
  return `no rule is named '${unknown}'\n(${didYouMean(unknown, ids) ?? `rules: ${ids.join(', ')}`})`;
}

/** Checks and prints; gives the exit code. What expires is judged at `nowMs`. */
export async function check(
  file: string,
  options: CheckOptions,
  terminal: Terminal,
  nowMs: number,
): Promise<number> {
  const format = formatOf(options);
  const opened = await openDocument(file);
  if ('issues' in opened) {
    if (format !== 'sarif') return printIssues(opened.issues, file, format, terminal);
    terminal.out(await sarifText(resultsOf(opened.issues), file));
    return EXIT.failed;
  }
  const findings = await findingsOf(opened, options.ignore ?? [], nowMs);
  await opened.snapshot.dispose();
  const counts = countFindings(findings);
  const passed = counts.error === 0 && (options.strict !== true || counts.warning === 0);
  if (format === 'sarif') terminal.out(await sarifText(findings, file));
  else if (format === 'json') terminal.out(checkJson(opened, findings, passed));
  else terminal.out(checkText(opened, file, findings, terminal));
  return passed ? EXIT.ok : EXIT.failed;
}

function checkJson(
  { snapshot, notes }: OpenedDocument,
  findings: readonly Finding[],
  passed: boolean,
): string {
  const { revision } = snapshot;
  return `${JSON.stringify({ valid: true, passed, revision, issues: [], findings, notes })}\n`;
}

async function findingsOf(
  { snapshot, loaded, bundle, document }: OpenedDocument,
  ignore: readonly string[],
  nowMs: number,
): Promise<readonly Finding[]> {
  const { lint } = await loadLint();
  const catalog = new PolicyCatalog(POLICIES);
  if (!catalog.isDocument(document)) throw new InternalError('a document that compiled is none');
  const { files } = readersOf(bundle);
  return lint({ document, snapshot, catalog, files, nowMs }, { ignore, locate: loaded.locate });
}

async function sarifText(results: readonly CheckResult[], name: string): Promise<string> {
  const { LINT_RULES, docsOf } = await loadLint();
  const context = { rules: LINT_RULES, docsOf, version: packageVersion(), name, base: process.cwd() };
  return `${JSON.stringify(sarifOf(results, context), null, 2)}\n`;
}

function checkText(
  { snapshot, loaded, notes }: OpenedDocument,
  file: string,
  findings: readonly Finding[],
  terminal: Terminal,
): string {
  const { revision, listeners, attachments } = snapshot;
  const { routes } = loaded.document;
  const counts = [
    counted(listeners.length, 'listener'),
    counted(Array.isArray(routes) ? routes.length : 0, 'route'),
    counted(attachments.length, 'policy', 'policies'),
  ];
  return [
    renderFindings(findings, file, sourceReader(), terminal),
    `${paint(terminal, 'green', 'valid')} ${printable(file)}: ${counts.join(', ')}\n`,
    `revision ${revision}\n`,
    findings.length === 0 ? '' : `${summaryOf(findings)}\n`,
    noteLines(notes),
  ].join('');
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
    return { ...checked, loaded, notes };
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
