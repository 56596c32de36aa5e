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
  const place = placeText(issue, name);
  const path = issue.path === '' ? 'document' : issue.path;
  const message = `${paint(terminal, 'bold', printable(path))}: ${printable(issue.message)}`;
  const lines = [`${paint(terminal, 'cyan', printable(place))}`, `  ${message}`];
  lines.push(...excerpt(issue, readSource(issue.file ?? name), terminal));
  if (issue.suggestion !== undefined) {
    lines.push(`  ${paint(terminal, 'green', printable(issue.suggestion))}`);
  }
  return `${lines.join('\n')}\n`;
}

/** `gateway.yaml:12:5`, or what of it is known. */
export function placeText({ file, line, column }: ConfigIssue, name: string): string {
  return line === undefined ? (file ?? name) : `${file ?? name}:${line}:${column ?? 1}`;
}

const MAX_WIDTH = 100;

/** The line of an issue with a caret below it, and secrets in it hidden; empty where it cannot be shown. */
export function excerpt(issue: ConfigIssue, source: string | undefined, terminal: Terminal): string[] {
  const { line, column } = issue;
  if (source === undefined || line === undefined || column === undefined) return [];
  const text = source.split('\n')[line - 1];
  if (text === undefined || text.trim() === '') return [];
  const from = Math.max(0, column - MAX_WIDTH / 2);
  const shown = withoutSecrets(text, issue)
    .slice(from, from + MAX_WIDTH)
    .replaceAll('\t', ' ');
  const gutter = `${line} | `;
  const caret = `${' '.repeat(gutter.length + column - 1 - from)}^`;
  return [`    ${paint(terminal, 'dim', gutter)}${printable(shown)}`, `    ${paint(terminal, 'red', caret)}`];
}

/** `clientSecret` is one too: what stands before the word does not matter. */
const SECRET_WORD = /(?:secrets?|keys?|passwords?|passwordhash|tokens?|credentials?|authorization)/.source;
const SECRET_KEY = `${SECRET_WORD}["']?\\s*:(?!\\s*[[{])\\s*`;
const QUOTED = /"(?:[^"\\]|\\.)*"?|'[^']*'?/.source;
/** A value that stands in braces ends there or at a comma; another one at the end of its line. */
const IN_BRACES = new RegExp(`(${SECRET_KEY})(${QUOTED}|(?:(?! #)[^,}\\]])+)`, 'gi');
const IN_LINE = new RegExp(`(${SECRET_KEY})(${QUOTED}|(?:(?! #).)+)`, 'gi');
const SECRET_LIST = /((?:secrets|passwords)["']?\s*:\s*\[)([^\]{}]*)/gi;
const SECRET_NAME = /(?:secrets?|passwords?|passwordhash|tokens?)$/i;

/** A value but for a reference, which is no secret. */
const hide = (value: string): string =>
  /^\s*(["']?(env|file):|[[{])/.test(value)
    ? value
    : value.replace(/\S.*/, (text) => '*'.repeat(text.length));

/** A secret written into a document by mistake must not be copied into a terminal, a CI log or a ticket. */
function withoutSecrets(line: string, { path, column = 1 }: ConfigIssue): string {
  const hidden = line
    .replace(line.includes('{') ? IN_BRACES : IN_LINE, (_, name: string, value: string) => name + hide(value))
    .replace(SECRET_LIST, (_, name: string, items: string) => name + items.replace(/[^,]+/g, hide));
  if (!isSecretBelow(line, path, column)) return hidden;
  return hidden.slice(0, column - 1) + hidden.slice(column - 1).replace(/^[^,}\]#]+/, hide);
}

/** Whether the fault is a secret whose name stands on a line above: `secrets:` with its items below. */
function isSecretBelow(line: string, path: string, column: number): boolean {
  const name = path.replace(/(\[\d+\])+$/, '').replace(/^.*\./, '');
  return (
    SECRET_NAME.test(name) &&
    !line
      .slice(column - 1)
      .replace(/^["']/, '')
      .startsWith(name)
  );
}
