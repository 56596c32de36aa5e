import { EXPIRY_PATTERN, parseMoment } from '../lib/expiry.ts';
import { didYouMean } from '../lib/suggest.ts';
import type { DocumentPath } from './document-path.ts';
import type { IssueList } from './issues.ts';
import { isObject, listOf, memberOf, textOf } from './json-shape.ts';

/**
 * Checks what a document says of itself: unique names, and names that are there. Works on any value, so that
 * these faults are told together with those of the structure.
 */
export function checkReferences(document: unknown, issues: IssueList): void {
  const listeners = listOf(memberOf(document, 'listeners'));
  const routes = listOf(memberOf(document, 'routes'));
  checkUnique(listeners, 'listeners', 'name', issues);
  checkAddresses(listeners, issues);
  checkUnique(routes, 'routes', 'name', issues);
  checkUnique(listOf(memberOf(document, 'consumers')), 'consumers', 'name', issues);
  checkUnique(listOf(memberOf(document, 'tests')), 'tests', 'name', issues);
  const listenerNames = namesOf(listeners);
  const upstreams = memberOf(document, 'upstreams');
  const upstreamNames = new Set(isObject(upstreams) ? Object.keys(upstreams) : []);
  for (const [i, route] of routes.entries()) {
    const path = ['routes', i];
    checkKnown(memberOf(route, 'upstream'), upstreamNames, 'upstream', [...path, 'upstream'], issues);
    for (const [j, name] of listOf(memberOf(route, 'listeners')).entries()) {
      checkKnown(name, listenerNames, 'listener', [...path, 'listeners', j], issues);
    }
    checkMatch(memberOf(route, 'match'), [...path, 'match'], issues);
  }
  checkTests(document, listenerNames, issues);
}

/** Other forms are told of by the schema. */
const DAY = new RegExp(EXPIRY_PATTERN);

function checkTests(document: unknown, listenerNames: ReadonlySet<string>, issues: IssueList): void {
  for (const [i, test] of listOf(memberOf(document, 'tests')).entries()) {
    const check = (step: unknown, path: DocumentPath): void => {
      const name = memberOf(memberOf(step, 'request'), 'listener');
      checkKnown(name, listenerNames, 'listener', [...path, 'request', 'listener'], issues);
    };
    const at = textOf(memberOf(test, 'at'));
    if (at !== undefined && DAY.test(at) && parseMoment(at) === undefined)
      issues.add(['tests', i, 'at'], 'is not a day of the calendar');
    check(test, ['tests', i]);
    for (const [j, step] of listOf(memberOf(test, 'steps')).entries()) check(step, ['tests', i, 'steps', j]);
  }
}

function checkMatch(match: unknown, path: DocumentPath, issues: IssueList): void {
  if (!isObject(match)) return;
  const hasPath = Object.hasOwn(match, 'path');
  const hasPaths = Object.hasOwn(match, 'paths');
  if (hasPath && hasPaths) issues.add(path, 'has both "path" and "paths"', 'keep one of them');
  if (!hasPath && !hasPaths)
    issues.add(path, 'is missing the key "path" (or "paths")', 'write path: /** for all');
  const names = new Set<string>();
  for (const name of Object.keys(isObject(match.headers) ? match.headers : {})) {
    if (names.has(name.toLowerCase()))
      issues.add([...path, 'headers', name], 'occurs twice, without regard to case');
    names.add(name.toLowerCase());
  }
}

function checkUnique(items: readonly unknown[], list: string, key: string, issues: IssueList): void {
  const first = new Map<string, number>();
  for (const [i, item] of items.entries()) {
    const text = textOf(memberOf(item, key));
    if (text === undefined) continue;
    const earlier = first.get(text);
    if (earlier === undefined) first.set(text, i);
    else issues.add([list, i, key], `"${text}" is already the ${key} of ${list}[${earlier}]`);
  }
}

/** Port 0 asks for any free port, so it collides with nothing. */
function checkAddresses(listeners: readonly unknown[], issues: IssueList): void {
  const fixed = listeners.map((l) => (textOf(memberOf(l, 'address'))?.endsWith(':0') ? {} : l));
  checkUnique(fixed, 'listeners', 'address', issues);
}

function checkKnown(
  value: unknown,
  known: ReadonlySet<string>,
  kind: string,
  path: DocumentPath,
  issues: IssueList,
): void {
  const name = textOf(value);
  if (name === undefined || known.has(name)) return;
  const list =
    known.size === 0 ? `the document has no ${kind}s` : `known: ${[...known].slice(0, 20).join(', ')}`;
  issues.add(path, `no ${kind} is named "${name}"`, didYouMean(name, known) ?? list);
}

function namesOf(items: readonly unknown[]): ReadonlySet<string> {
  return new Set(items.flatMap((item) => textOf(memberOf(item, 'name')) ?? []));
}
