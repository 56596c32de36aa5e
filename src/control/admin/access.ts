import { isIP } from 'node:net';

const AUTHORITY = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9._-]{1,255})(?::\d{1,5})?$/;
const LOOPBACK_NAMES: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/** What a browser's page cannot choose freely. */
export interface CallerHeaders {
  /** Every `Host` field. */
  readonly hosts: readonly string[];
  readonly origin: string | undefined;
}

export type AccessDenial = 'bad-host' | 'origin-denied';

/** Says why a request must not be looked at any further, or undefined. */
export type AccessCheck = (headers: CallerHeaders) => AccessDenial | undefined;

/**
 * Two attacks by a page in the operator's browser are stopped here. DNS rebinding: the page's own name is made
 * to point at this address, so names are believed only when they are loopback's or configured; an IP literal
 * cannot be rebound and is believed where the server is bound beyond loopback. Cross-site requests: a browser
 * names the page's origin, which must be this very host.
 */
export function createAccessCheck(boundHost: string, allowedHosts: readonly string[] = []): AccessCheck {
  const names = new Set([...LOOPBACK_NAMES, ...allowedHosts.map((name) => name.toLowerCase())]);
  const takesLiterals = !isLoopback(boundHost);
  const isBelieved = (name: string): boolean => names.has(name) || (takesLiterals && isLiteral(name));
  return ({ hosts, origin }) => {
    const authority = hosts[0]?.toLowerCase();
    const name = authority === undefined ? undefined : AUTHORITY.exec(authority)?.[1];
    if (hosts.length !== 1 || name === undefined || !isBelieved(name)) return 'bad-host';
    return origin === undefined || isSameHost(origin, authority) ? undefined : 'origin-denied';
  };
}

/** Whether only this machine can reach a server bound to `host`. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));

const isLiteral = (name: string): boolean => isIP(name.startsWith('[') ? name.slice(1, -1) : name) !== 0;

/** `Origin: null` (sandboxed frames, redirects) is no host. */
function isSameHost(origin: string, authority: string): boolean {
  return origin === `http://${authority}` || origin === `https://${authority}`;
}
