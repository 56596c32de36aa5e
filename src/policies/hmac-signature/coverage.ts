import type { RequestView } from '../../contract/index.ts';
import type { HeaderList } from '../../lib/header-list.ts';
import type { Component } from './presented.ts';

/** Components that say all that another says. */
const ALSO: Readonly<Record<string, readonly string[]>> = Object.freeze({
  '@scheme': ['@target-uri'],
  '@authority': ['@target-uri'],
  '@path': ['@target-uri', '@request-target'],
  '@query': ['@target-uri', '@request-target'],
});

/** A required component that a signature does not cover, or undefined. */
export function uncovered(
  required: readonly string[],
  components: readonly Component[],
  request: RequestView,
): string | undefined {
  const covered = new Set(
    components.filter(({ parameters }) => parameters.size === 0).map((one) => one.name),
  );
  return required.find((name) => {
    if (covered.has(name) || ALSO[name]?.some((other) => covered.has(other))) return false;
    if (name === '@query') return request.target.includes('?');
    return name !== 'content-digest' || bodyOf(request) === 'there';
  });
}

/** Whether there is a body: only its framing says so (RFC 9112 §6.3), and HTTP/2 need not say it beforehand. */
export function bodyOf({ headers, httpVersion }: RequestView): 'there' | 'none' | 'unknown' {
  if (headers.has('transfer-encoding')) return 'there';
  const length = headers.get('content-length');
  if (length !== undefined) return Number(length) === 0 ? 'none' : 'there';
  return httpVersion === '2' ? 'unknown' : 'none';
}

/**
 * A covered header that `Connection` names: it ends at the gateway, so whoever adds that name to a signed request
 * would take a signed header from what the upstream sees.
 */
export function dropped(components: readonly Component[], headers: HeaderList): string | undefined {
  const connection = headers.getAll('connection').join(',');
  if (connection === '') return undefined;
  const nominated = new Set(connection.split(',').map((name) => name.trim().toLowerCase()));
  return components.find(({ name }) => nominated.has(name))?.name;
}
