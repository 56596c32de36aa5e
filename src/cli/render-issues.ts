import type { ConfigIssue } from '../errors.ts';
import { paint, printable, type Terminal } from './terminal.ts';

/** Reads a source file again to show a line of it; undefined when it cannot be read. */
export type SourceReader = (file: string) => string | undefined;

/**
 * Issues as a person reads them: place, path and message, the line with a caret below the fault, the fix.
 * `name` stands where an issue has no file.
 */
export function renderIssues(
  issues: readonly ConfigIssue[],
  name: string,
  readSource: SourceReader,
  terminal: Terminal,
): string {
  const blocks = issues.map((issue) => renderIssue(issue, name, readSource, terminal));
  const count = issues.length === 1 ? '1 error' : `${issues.length} errors`;
  return `${blocks.join('\n')}\n${paint(terminal, 'red', count)} in ${printable(name)}\n`;
}

function renderIssue(issue: ConfigIssue, name: string, readSource: SourceReader, terminal: Terminal): string {
  const file = issue.file ?? name;
  const place = issue.line === undefined ? file : `${file}:${issue.line}:${issue.column ?? 1}`;
  const path = issue.path === '' ? 'document' : issue.path;
  const message = `${paint(terminal, 'bold', printable(path))}: ${printable(issue.message)}`;
  const lines = [`${paint(terminal, 'cyan', printable(place))}`, `  ${message}`];
  lines.push(...excerpt(issue, readSource(file), terminal));
  if (issue.suggestion !== undefined) {
    lines.push(`  ${paint(terminal, 'green', printable(issue.suggestion))}`);
  }
  return `${lines.join('\n')}\n`;
}

const MAX_WIDTH = 100;

function excerpt(issue: ConfigIssue, source: string | undefined, terminal: Terminal): string[] {
  const { line, column } = issue;
  if (source === undefined || line === undefined || column === undefined) return [];
  const text = source.split('\n')[line - 1];
  if (text === undefined || text.trim() === '') return [];
  const from = Math.max(0, column - MAX_WIDTH / 2);
  const shown = withoutSecrets(text)
    .slice(from, from + MAX_WIDTH)
    .replaceAll('\t', ' ');
  const gutter = `${line} | `;
  const caret = `${' '.repeat(gutter.length + column - 1 - from)}^`;
  return [`    ${paint(terminal, 'dim', gutter)}${printable(shown)}`, `    ${paint(terminal, 'red', caret)}`];
}

const SECRET_MEMBER =
  /(\b(?:secrets?|keys?|passwords?|tokens?|credentials?|authorization|x-api-key)["']?\s*:\s*)(?!\s*(?:["']?(?:env|file):|[[{]))([^\s,}\]#][^,}\]#]*)/gi;

/** A secret written into a document by mistake must not be copied into a terminal, a CI log or a ticket. */
function withoutSecrets(line: string): string {
  return line.replace(SECRET_MEMBER, (_, name: string, value: string) => name + '*'.repeat(value.length));
}
