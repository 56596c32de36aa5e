import type { Identity } from '../../contract/index.ts';
import { claimAt, parseClaimPath } from '../../identity/index.ts';
import type { AclBlock, IDENTITY_KEYS } from './schema.ts';

export type IdentityKey = (typeof IDENTITY_KEYS)[number];

/** One key of a block, ready to be asked about a caller. */
export interface CallerTest {
  readonly key: IdentityKey;
  readonly holds: (identity: Identity) => boolean;
}

/** The block's keys about the caller. */
export function callerTests({
  consumers,
  groups,
  allGroups,
  scopes,
  allScopes,
  claims,
}: AclBlock): CallerTest[] {
  const tests: CallerTest[] = [];
  if (consumers !== undefined) {
    const names = new Set(consumers);
    tests.push({ key: 'consumers', holds: ({ consumer }) => names.has(consumer) });
  }
  if (groups !== undefined) {
    const names = new Set(groups);
    tests.push({ key: 'groups', holds: (identity) => hasOne(identity.groups, names) });
  }
  if (allGroups !== undefined)
    tests.push({ key: 'allGroups', holds: (identity) => hasAll(identity.groups, allGroups) });
  if (scopes !== undefined) {
    const names = new Set(scopes);
    tests.push({ key: 'scopes', holds: (identity) => hasOne(identity.scopes, names) });
  }
  if (allScopes !== undefined)
    tests.push({ key: 'allScopes', holds: (identity) => hasAll(identity.scopes, allScopes) });
  if (claims !== undefined) tests.push({ key: 'claims', holds: claimsTest(claims) });
  return tests;
}

function hasOne(have: readonly string[], names: ReadonlySet<string>): boolean {
  for (const name of have) if (names.has(name)) return true;
  return false;
}

function hasAll(have: readonly string[], names: readonly string[]): boolean {
  for (const name of names) if (!have.includes(name)) return false;
  return true;
}

/** Of each claim one of its values; types are compared as well, `1` is not `"1"`. */
function claimsTest(claims: NonNullable<AclBlock['claims']>): CallerTest['holds'] {
  const wanted = Object.entries(claims).map(([text, values]) => ({
    path: parseClaimPath(text),
    values: new Set<unknown>(values),
  }));
  return (identity) =>
    wanted.every(({ path, values }) => {
      const value = claimAt(identity.claims, path);
      return Array.isArray(value) ? value.some((item) => values.has(item)) : values.has(value);
    });
}
