import type { Finding, Severity } from '../lifecycle/index.ts';
import { excerpt, placeText, type SourceReader } from './render-issues.ts';
import { type Colour, paint, printable, type Terminal } from './terminal.ts';

const COLOURS: Readonly<Record<Severity, Colour>> = { error: 'red', warning: 'yellow', note: 'cyan' };

/** Stands at a secret: what else is told of its line is told without the line. */
const SECRET_RULE = 'inline-secret';

/** Findings as a person reads them: place, rule and message, the line with a caret below it, the fix and where to read. */
export function renderFindings(
  findings: readonly Finding[],
  name: string,
  readSource: SourceReader,
  terminal: Terminal,
): string {
  const secrets = findings.filter(({ rule }) => rule === SECRET_RULE);
  const isSecret = (finding: Finding): boolean =>
    secrets.some(({ file, line }) => file === finding.file && line === finding.line);
  return findings
    .map((finding) => {
      const source = isSecret(finding) ? undefined : readSource(finding.file ?? name);
      return `${renderFinding(finding, name, source, terminal)}\n`;
    })
    .join('');
}

function renderFinding(
  finding: Finding,
  name: string,
  source: string | undefined,
  terminal: Terminal,
): string {
  const { rule, severity, path, message, fix, docs } = finding;
  const label = paint(terminal, COLOURS[severity], `${severity} ${rule}`);
  const subject = path === '' ? 'document' : path;
  const lines = [
    paint(terminal, 'cyan', printable(placeText(finding, name))),
    `  ${label} ${paint(terminal, 'bold', printable(subject))}: ${printable(message)}`,
    ...excerpt(finding, source, terminal),
    `  ${paint(terminal, 'green', printable(fix))}`,
    `  ${paint(terminal, 'dim', docs)}`,
  ];
  return `${lines.join('\n')}\n`;
}

/** How many there are of each severity. */
export function countFindings(findings: readonly Finding[]): Readonly<Record<Severity, number>> {
  const counts = { error: 0, warning: 0, note: 0 };
  for (const { severity } of findings) counts[severity]++;
  return counts;
}

/** `1 error, 2 warnings`; '' for none. */
export function summaryOf(findings: readonly Finding[]): string {
  const counts = countFindings(findings);
  const told = (['error', 'warning', 'note'] as const).filter((severity) => counts[severity] > 0);
  return told
    .map((severity) => `${counts[severity]} ${severity}${counts[severity] === 1 ? '' : 's'}`)
    .join(', ');
}
