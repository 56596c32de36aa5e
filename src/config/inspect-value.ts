import type { DocumentPath } from './document-path.ts';
import type { IssueList } from './issues.ts';
import { isObject } from './json-shape.ts';

/** Deeper nesting than any document needs, and shallow enough for every recursive walk. */
export const MAX_DEPTH = 64;
/** Values after aliases are expanded: bounds what a few bytes of YAML can grow to. */
const MAX_VALUES = 1_000_000;

/**
 * Checks that a parsed value is plain, bounded JSON before anything else walks it: depth, number of values with
 * aliases expanded, finite and exact numbers, and no `__proto__` key (prototype pollution).
 */
export function inspectValue(value: unknown, issues: IssueList): void {
  let left = MAX_VALUES;
  const path: (string | number)[] = [];

  const visit = (current: unknown): void => {
    if (--left === 0) issues.add([], `holds more than ${MAX_VALUES} values with its aliases expanded`);
    if (typeof current === 'number') inspectNumber(current, path, issues);
    if (typeof current !== 'object' || current === null) return;
    if (path.length >= MAX_DEPTH) {
      issues.add(path.slice(0, 4), `is nested deeper than ${MAX_DEPTH} levels`);
      left = 0;
      return;
    }
    for (const [key, member] of childrenOf(current)) {
      path.push(key);
      if (key === '__proto__') issues.add(path, 'is not allowed as a key');
      visit(member);
      path.pop();
      if (left <= 0) return;
    }
  };
  visit(value);
}

function childrenOf(value: object): Iterable<readonly [string | number, unknown]> {
  if (Array.isArray(value)) return value.entries();
  return isObject(value) ? Object.entries(value) : [];
}

function inspectNumber(value: number, path: DocumentPath, issues: IssueList): void {
  if (!Number.isFinite(value)) issues.add(path, 'must be a finite number');
  else if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    issues.add(
      path,
      'is an integer that cannot be held exactly',
      `the largest is ${Number.MAX_SAFE_INTEGER}`,
    );
  }
}
