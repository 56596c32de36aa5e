/** Anything that a server might read otherwise; most paths have nothing of it. Empty segments were merged before. */
const LOOSE = /[A-Z%;]|\.\/|[./]$/;
/** What splits or ends a segment for some servers only. */
const SPLITS = /%2f|%5c/g;
const PARAMETERS = /;|%3b/;
const ENDS: readonly string[] = ['.', '%20'];

/**
 * A path as the least strict of servers would read it: case folded, `%2F` split, path parameters, dots and spaces at the
 * end of a segment cut away, no slash at the end. A rule that denies a path looks at this, so that no spelling of it
 * gets past; the upstream still receives the path as it was matched.
 */
export function loosePath(path: string): string {
  if (!LOOSE.test(path)) return path;
  const segments = path.toLowerCase().replace(SPLITS, '/').split('/');
  const kept = segments.map((s) => withoutEnds(s.split(PARAMETERS, 1)[0])).filter((s) => s !== '');
  return `/${kept.join('/')}`;
}

/** A loop: a pattern for the end would be tried from every dot of a path that is nothing but dots. */
function withoutEnds(segment: string): string {
  let end = segment.length;
  for (let cut = 0; cut !== -1; ) {
    cut = ENDS.findIndex((text) => segment.endsWith(text, end));
    if (cut !== -1) end -= ENDS[cut].length;
  }
  return segment.slice(0, end);
}
