import type { Store } from '../../../store/index.ts';
import type { AdminDeps } from '../deps.ts';
import { ProblemError } from '../problem.ts';

/** Who holds the one admin token, as the audit names them. */
export const ADMIN = 'admin';

/** Who asks, as the audit names them: who holds the token, and who they say they are. */
export const actorOf = (as: string | undefined): string => (as === undefined ? ADMIN : `${ADMIN} as ${as}`);

export const isoTime = (ms: number): string => new Date(ms).toISOString();

export const isoOrNull = (ms: number | undefined): string | null => (ms === undefined ? null : isoTime(ms));

/**
 * The time a caller of the API wrote, in milliseconds since the epoch.
 * @throws ProblemError `invalid-request` for what has the form of a time and is none, e.g. 30 February
 */
export function timeOf<T extends string | undefined>(name: string, text: T): number | Extract<T, undefined>;
export function timeOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new ProblemError('invalid-request', `${name} is no time.`);
  return ms;
}

/** @throws ProblemError `store-unavailable` */
export function storeOf(deps: AdminDeps): Store {
  const store = deps.store();
  if (store === undefined)
    throw new ProblemError('store-unavailable', 'There is no usable store; traffic is served on.');
  return store;
}

/** Where the page after this one starts, or null at the end. */
export const nextOf = (entries: readonly { readonly number: number }[], limit: number): number | null =>
  entries.length < limit ? null : (entries.at(-1)?.number ?? null);
