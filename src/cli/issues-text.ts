import { readFileSync } from 'node:fs';
import type { ConfigIssue } from '../errors.ts';
import { renderIssues } from './render-issues.ts';
import { printable, processTerminal } from './terminal.ts';

/** Why the program cannot start: faults of a document with their place in it, others in one line each. */
export function issuesText(issues: readonly ConfigIssue[]): string {
  const located = issues.find((issue) => issue.file !== undefined);
  if (located?.file !== undefined) return renderIssues(issues, located.file, readSource, processTerminal());
  return issues.map((issue) => `${printable(issueLine(issue))}\n`).join('');
}

function issueLine({ path, message, suggestion }: ConfigIssue): string {
  const fix = suggestion === undefined ? '' : ` (${suggestion})`;
  return `${path === '' ? '' : `${path}: `}${message}${fix}`;
}

function readSource(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
