import type { Store } from '../../../store/index.ts';
import type { AdminDeps } from '../deps.ts';
import { ProblemError } from '../problem.ts';

/** Who holds the one admin token, as the audit names them. */
export const ADMIN = 'admin';

export const isoTime = (ms: number): string => new Date(ms).toISOString();

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
