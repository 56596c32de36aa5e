import type { DocumentPath } from '../document-path.ts';
import type { IssueList } from '../issues.ts';
import type { CommonConfig } from '../schema/credential.ts';

/** When a credential is accepted, in milliseconds since the epoch. */
export interface Validity {
  readonly notBeforeMs?: number;
  readonly expiresAtMs: number | undefined;
}

/** Faults go to `issues`. */
export function readValidity(
  { notBefore, expires }: CommonConfig,
  path: DocumentPath,
  issues: IssueList,
): Validity {
  const notBeforeMs = readTime(notBefore, 'T00:00:00Z', [...path, 'notBefore'], issues);
  // A day is good to its end: a credential that "expires: 2027-01-31" still works on that day.
  const expiresAtMs = readTime(expires, 'T23:59:59.999Z', [...path, 'expires'], issues);
  if (notBeforeMs !== undefined && expiresAtMs !== undefined && expiresAtMs <= notBeforeMs) {
    issues.add([...path, 'expires'], 'is not after notBefore, so it is never accepted');
  }
  return { ...(notBeforeMs === undefined ? {} : { notBeforeMs }), expiresAtMs };
}

function readTime(
  text: string | undefined,
  ofDay: string,
  path: DocumentPath,
  issues: IssueList,
): number | undefined {
  if (text === undefined) return undefined;
  const time = Date.parse(text.length === 10 ? `${text}${ofDay}` : text);
  if (!Number.isNaN(time) && isRealDay(text.slice(0, 10))) return time;
  issues.add(path, 'is not a day of the calendar');
  return undefined;
}

/** Date.parse rolls 30 February over to March. */
function isRealDay(day: string): boolean {
  const time = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
}
