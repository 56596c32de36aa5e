import type { Command } from 'commander';
import { filesOnDisk, PolicyCatalog, secretsOf } from '../config/index.ts';
import { type DocumentTestResult, runDocumentTests, type UnmetExpectation } from '../lifecycle/index.ts';
import { POLICIES } from '../policies/index.ts';
import { createLocalCounters } from '../state/index.ts';
import {
  addFormatOptions,
  counted,
  EXIT,
  EXIT_CODES_HELP,
  type FormatOptions,
  formatOf,
  noteLines,
  type OpenedDocument,
  type OutputFormat,
  openDocument,
  printIssues,
} from './check.ts';
import { paint, printable, processTerminal, type Terminal } from './terminal.ts';

const DAY_MS = 86_400_000;

/** `sallyport test FILE`. */
export function addTestCommand(program: Command, terminal: Terminal = processTerminal()): void {
  const command = program
    .command('test')
    .summary('run the tests of a document')
    .description('Runs the tests a document carries, through the same evaluator as live traffic.')
    .argument('<file>', 'document or folder');
  addFormatOptions(command)
    .addHelpText('after', EXIT_CODES_HELP)
    .action(async (file: string, options: FormatOptions) => {
      process.exitCode = await test(file, formatOf(options), terminal, Date.now());
    });
}

/** Runs and prints; gives the exit code. `nowMs` decides which credentials have expired. */
export async function test(
  file: string,
  format: OutputFormat,
  terminal: Terminal,
  nowMs: number,
): Promise<number> {
  const opened = await openDocument(file);
  if ('issues' in opened) return printIssues(opened.issues, file, format, terminal);
  const { notes } = opened;
  const results = await run(opened, nowMs);
  await opened.snapshot.dispose();
  if (format === 'json')
    terminal.out(`${JSON.stringify({ passed: !results.some(isFailed), tests: results, notes })}\n`);
  else terminal.out(`${render(results, file, terminal)}${noteLines(notes)}`);
  return results.some(isFailed) ? EXIT.failed : EXIT.ok;
}

async function run(
  { snapshot, loaded }: OpenedDocument,
  nowMs: number,
): Promise<readonly DocumentTestResult[]> {
  const { document, folder } = loaded;
  if (!new PolicyCatalog(POLICIES).isDocument(document)) return [];
  return runDocumentTests(snapshot, document.tests ?? [], {
    createState: createLocalCounters,
    secrets: secretsOf(process.env, filesOnDisk(folder)),
    // The start of the day: windows then begin alike in every run, so that no test passes by the hour.
    startMs: nowMs - (nowMs % DAY_MS),
  });
}

const isFailed = (result: DocumentTestResult): boolean => result.unmet.length > 0;

function render(results: readonly DocumentTestResult[], file: string, terminal: Terminal): string {
  if (results.length === 0) return `${printable(file)} has no tests\n`;
  const failed = results.filter(isFailed).length;
  const lines = results.flatMap((result) => renderResult(result, terminal));
  const summary = `${counted(results.length, 'test')}, ${failed === 0 ? 'all passed' : `${failed} failed`}`;
  return `${lines.join('\n')}\n${paint(terminal, failed === 0 ? 'green' : 'red', summary)}\n`;
}

function renderResult(result: DocumentTestResult, terminal: Terminal): string[] {
  const { name, decidedBy, unmet } = result;
  const verdict = isFailed(result) ? paint(terminal, 'red', 'not ok') : paint(terminal, 'green', 'ok');
  const decided = decidedBy === '' ? '' : paint(terminal, 'dim', ` (${printable(decidedBy)})`);
  return [`${verdict} ${printable(name)}${decided}`, ...unmet.map(renderUnmet)];
}

function renderUnmet({ step, what, expected, got }: UnmetExpectation): string {
  const where = step === undefined ? '' : `step ${step + 1}: `;
  return `    ${where}${printable(what)}: expected ${printable(expected)}, got ${printable(got)}`;
}
