import type { RoutePlan, Router } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { buildRouter, makePipeline, normalisePath, type RouteEntry } from '../../evaluator/index.ts';
import { parsePathPattern } from '../../lib/path-trie.ts';
import type { PolicyCatalog } from '../catalog.ts';
import type { DocumentPath } from '../document-path.ts';
import type { IssueList } from '../issues.ts';
import type { Pacer } from '../pacer.ts';
import type { RouteConfig } from '../schema/document.ts';
import type { PlacedAttachment } from './attachments.ts';
import { checkFacts } from './facts.ts';
import { sizeOf } from './listener.ts';

/** A route with its compiled attachments, before it is put on listeners. */
export interface CompiledRoute {
  readonly config: RouteConfig;
  readonly path: DocumentPath;
  readonly attachments: readonly PlacedAttachment[];
}

/** The router of one listener: each of its routes with the listener's attachments before its own. */
export async function routerOf(
  listener: string,
  before: readonly PlacedAttachment[],
  routes: readonly CompiledRoute[],
  catalog: PolicyCatalog,
  issues: IssueList,
  pacer: Pacer,
): Promise<Router> {
  const isServed = ({ config }: CompiledRoute): boolean => config.listeners?.includes(listener) ?? true;
  const entries: RouteEntry[] = [];
  for (const [index, route] of routes.entries()) {
    if (!isServed(route)) continue;
    if (pacer.isDue) await pacer.breathe();
    const pipeline = [...before, ...route.attachments];
    checkFacts(pipeline, `listener "${listener}"`, catalog, issues);
    entries.push(entryOf(route.config, planOf(route.config, index, pipeline)));
  }
  try {
    return buildRouter(entries);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const issue of error.issues)
      issues.add(rivalPath(routes.filter(isServed), issue.message), issue.message, issue.suggestion);
    return buildRouter([]);
  }
}

/** Checks a route's patterns by themselves, each at its own place. False when they cannot go into a router. */
export function checkPaths({ match }: RouteConfig, path: DocumentPath, issues: IssueList): boolean {
  let isSound = true;
  const check = (pattern: string, place: DocumentPath): void => {
    const fault = patternFault(pattern);
    if (fault === undefined) return;
    isSound = false;
    issues.add(place, fault.message, fault.suggestion);
  };
  if (match.path !== undefined) check(match.path, [...path, 'match', 'path']);
  for (const [i, pattern] of (match.paths ?? []).entries()) check(pattern, [...path, 'match', 'paths', i]);
  return isSound;
}

/** Requests are normalised before they are matched, so a pattern that is not could never match: a dead rule. */
function patternFault(pattern: string): { message: string; suggestion?: string } | undefined {
  const parsed = parsePathPattern(pattern);
  if (typeof parsed === 'string') return { message: parsed };
  const normal = normalisePath(pattern, { encodedSlashes: 'keep', semicolons: 'keep' });
  if ('refusal' in normal) return { message: `no request can match it (${normal.refusal})` };
  if (normal.path === pattern) return undefined;
  return {
    message: 'no request can match it: paths are normalised first',
    suggestion: `write ${normal.path}`,
  };
}

function planOf(config: RouteConfig, index: number, pipeline: readonly PlacedAttachment[]): RoutePlan {
  return Object.freeze({
    name: config.name,
    index,
    pipeline: makePipeline(pipeline.map((p) => p.attachment)),
    upstream: config.upstream,
    priority: config.priority ?? 'normal',
    maxBodyBytes: config.maxBody === undefined ? undefined : sizeOf(config.maxBody),
    upgrade: config.upgrade ?? true,
  });
}

function entryOf({ match }: RouteConfig, route: RoutePlan): RouteEntry {
  const headers = Object.entries(match.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]);
  return {
    route,
    hosts: (match.hosts ?? []).map((host) => host.toLowerCase()),
    paths: match.paths ?? [match.path ?? '/**'],
    methods: match.methods ?? [],
    headers: Object.fromEntries(headers),
  };
}

/** The router names both rivals; the issue stands at the later one. */
function rivalPath(routes: readonly CompiledRoute[], message: string): DocumentPath {
  const rival = routes.findLast(({ config }) => message.includes(`"${config.name}"`));
  return rival === undefined ? ['routes'] : [...rival.path, 'match'];
}
