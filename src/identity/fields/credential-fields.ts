import type { CredentialFields, Member } from '../../contract/index.ts';

/** Of a policy that reads no credential, or only cookies. */
export const NO_CREDENTIAL_FIELDS: CredentialFields = credentialFields([]);

/** Of one that reads `Authorization`. */
export const AUTHORIZATION_FIELDS: CredentialFields = credentialFields(['authorization']);

/** `headers` in lower case, `query` as decoded; undefined stands for none. */
export function credentialFields(
  headers: readonly (string | undefined)[],
  query: readonly (string | undefined)[] = [],
): CredentialFields {
  const named = (names: readonly (string | undefined)[]) =>
    Object.freeze(names.filter((name): name is string => name !== undefined && name !== ''));
  return Object.freeze({ headers: named(headers), query: named(query) });
}

/** Of several ways in: wherever any of them looks. */
export function credentialFieldsOf(members: readonly Member[]): CredentialFields {
  const all = members.map(({ instance }) => instance.credentialFields ?? NO_CREDENTIAL_FIELDS);
  return credentialFields(
    all.flatMap(({ headers }) => headers),
    all.flatMap(({ query }) => query),
  );
}
