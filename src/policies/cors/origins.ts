import type { ConfigIssue } from '../../errors.ts';

/** Whether an `Origin` header's value may call. */
export type OriginTest = (origin: string) => boolean;

/** What may stand for `*` in `https://*.example.com`: one or more DNS labels. */
const LABELS = /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;
/** Longer than any DNS name can be. */
const MAX_ORIGIN_LENGTH = 300;

/** Compiles the list of origins; what is wrong with it is added to `issues`. */
export function compileOrigins(origins: readonly string[], issues: ConfigIssue[]): OriginTest {
  if (origins.includes('*')) {
    if (origins.length > 1)
      issues.push({ path: 'origins', message: '"*" stands for all, so it stands alone' });
    // A sandboxed frame and a local file have the origin "null": nobody, so no wildcard means it.
    return (origin) => origin !== 'null';
  }
  const exact = new Set<string>();
  const wildcards: { readonly before: string; readonly after: string }[] = [];
  origins.forEach((origin, i) => {
    const problem = originProblem(origin);
    if (problem !== undefined) issues.push({ path: `origins[${i}]`, ...problem });
    const star = origin.indexOf('*');
    if (star === -1) exact.add(origin);
    else wildcards.push({ before: origin.slice(0, star), after: origin.slice(star + 1) });
  });
  return (origin) => exact.has(origin) || wildcards.some(({ before, after }) => fits(origin, before, after));
}

function fits(origin: string, before: string, after: string): boolean {
  if (origin.length > MAX_ORIGIN_LENGTH || origin.length <= before.length + after.length) return false;
  if (!origin.startsWith(before) || !origin.endsWith(after)) return false;
  return LABELS.test(origin.slice(before.length, origin.length - after.length));
}

/** Origins are compared as text, so they must be written as browsers write them (RFC 6454 §6.2). */
function originProblem(origin: string): { message: string; suggestion?: string } | undefined {
  if (origin === 'null') return undefined;
  const plain = origin.replace('://*.', '://');
  if (plain.includes('*')) {
    return { message: `"${origin}": "*" stands alone, or for names as in https://*.example.com` };
  }
  const url = URL.parse(plain);
  if (url === null || url.origin === 'null')
    return { message: `"${origin}" is no origin (scheme://host[:port])` };
  if (url.origin === plain) return undefined;
  const suggestion = `write ${origin === plain ? url.origin : url.origin.replace('://', '://*.')}`;
  return { message: `"${origin}" is not what a browser sends`, suggestion };
}
