import type { RequestView } from '../../contract/index.ts';

/**
 * Whether a request is a person's browser going to a page, whom a redirect to the provider helps. Everything else
 * (scripts, images, frames, prefetches, programs) gets an answer it can read: a redirect would send it to a page that
 * it cannot show, and each would begin a sign-in that nobody finishes. By Fetch Metadata where the browser sends it
 * (it does wherever cookies can be secure), by `Accept` elsewhere.
 */
export function isNavigation({ method, headers }: RequestView): boolean {
  if (method !== 'GET' || headers.has('x-requested-with')) return false;
  if (headers.has('sec-purpose') || headers.get('purpose') === 'prefetch') return false;
  const mode = headers.get('sec-fetch-mode');
  const destination = headers.get('sec-fetch-dest');
  if (mode !== undefined && mode !== 'navigate') return false;
  if (destination !== undefined && destination !== 'document') return false;
  return headers.getAll('accept').some((value) => /(^|[\s,])text\/html\s*(;|,|$)/i.test(value));
}

/**
 * Whether a request was made by a page of this very origin, or by a person who typed it in: what another site makes a
 * browser do is refused where it would end a session. Undecidable is no.
 */
export function isOwn({ headers }: RequestView, origin: string): boolean {
  const site = headers.get('sec-fetch-site');
  if (site !== undefined)
    return headers.count('sec-fetch-site') === 1 && (site === 'same-origin' || site === 'none');
  const from = headers.get('origin');
  if (from !== undefined) return headers.count('origin') === 1 && from === origin;
  const referrer = headers.get('referer');
  return referrer !== undefined && URL.canParse(referrer) && new URL(referrer).origin === origin;
}
