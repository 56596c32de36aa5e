import type { Command } from 'commander';
import { filesOnDisk, PolicyCatalog, placesOf, secretsOf } from '../config/index.ts';
import { InternalError } from '../errors.ts';
import {
  Coverage,
  type CoverageReport,
  type DocumentTestResult,
  runDocumentTests,
  type UnmetExpectation,
} from '../lifecycle/index.ts';
import { POLICIES } from '../policies/index.ts';
import { createLocalCounters } from '../state/index.ts';
import {
  addFormatOptions,
  EXIT,
  type FormatOptions,
  formatOf,
  noteLines,
  type OpenedDocument,
  openDocument,
  printIssues,
} from './check.ts';
import { counted, parsePercent } from './options.ts';
import { renderCoverage } from './render-coverage.ts';
import { paint, printable, processTerminal, type Terminal } from './terminal.ts';

const DAY_MS = 86_400_000;

/** How the tests of a document are run. */
export interface TestOptions extends FormatOptions {
  /** In percent: when fewer of the policies, or of the routes, are covered, the run fails. */
  readonly minCoverage?: number;
}

const HELP = `
A policy is covered when the tests have seen it let a request on and, if it can,
refuse or answer one; a route when a request came to it. docs/tests.md says more.

Exit codes:
  0  all is well
  1  the document has errors, a test failed, or too little is covered
  2  the command was used wrongly
`;

/** `sallyport test FILE`. */
export function addTestCommand(program: Command, terminal: Terminal = processTerminal()): void {
  const command = program
    .command('test')
    .summary('run the tests of a document')
    .description(
      'Runs the tests a document carries, through the same evaluator as live traffic, and tells what of it they cover.',
    )
    .argument('<file>', 'document or folder');
  addFormatOptions(command)
    .option(
      '--min-coverage <PERCENT>',
      'fail when fewer of the policies, or of the routes, are covered',
      parsePercent,
    )
    .addHelpText('after', HELP)
    .action(async (file: string, options: TestOptions) => {
      process.exitCode = await test(file, options, terminal, Date.now());
    });
}

/** Runs and prints; gives the exit code. `nowMs` decides which credentials have expired. */
export async function test(
  file: string,
  options: TestOptions,
  terminal: Terminal,
  nowMs: number,
): Promise<number> {
  const format = formatOf(options);
  const opened = await openDocument(file);
  if ('issues' in opened) return printIssues(opened.issues, file, format, terminal);
  const { notes } = opened;
  const { results, coverage } = await run(opened, nowMs);
  await opened.snapshot.dispose();
  const shortfall = shortfallOf(coverage, options.minCoverage ?? 0);
  const passed = !results.some(isFailed) && shortfall === undefined;
  if (format === 'json') terminal.out(`${JSON.stringify({ passed, tests: results, coverage, notes })}\n`);
  else {
    terminal.out(
      `${render(results, file, terminal)}${renderCoverage(coverage, terminal)}${noteLines(notes)}`,
    );
    if (shortfall !== undefined) terminal.error(`${paint(terminal, 'red', shortfall)}\n`);
  }
  return passed ? EXIT.ok : EXIT.failed;
}

/** What is covered too little, in words; undefined for nothing. */
function shortfallOf({ policies, routes }: CoverageReport, least: number): string | undefined {
  const short = [
    ...(policies.percent < least ? [`${policies.percent}% of the policies`] : []),
    ...(routes.percent < least ? [`${routes.percent}% of the routes`] : []),
  ];
  return short.length === 0 ? undefined : `${short.join(' and ')} are covered, less than ${least}%`;
}

interface Run {
  readonly results: readonly DocumentTestResult[];
  readonly coverage: CoverageReport;
}

async function run({ snapshot, loaded, document }: OpenedDocument, nowMs: number): Promise<Run> {
  const catalog = new PolicyCatalog(POLICIES);
  if (!catalog.isDocument(document)) throw new InternalError('a document that compiled is none');
  const coverage = new Coverage(placesOf(document, catalog));
  const results = await runDocumentTests(snapshot, document.tests ?? [], {
    createState: createLocalCounters,
    secrets: secretsOf(process.env, filesOnDisk(loaded.folder)),
    // The start of the day: windows then begin alike in every run, so that no test passes by the hour.
    startMs: nowMs - (nowMs % DAY_MS),
    coverage,
  });
  return { results, coverage: coverage.report() };
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
