import type { Identity, IdentityFields } from '../../contract/index.ts';

/** Longer values are left out whole: half a list of groups says something else than the list. */
const MAX_VALUE_LENGTH = 4096;

/**
 * Visible ASCII, with spaces only inside: at the ends they get lost on the way, and ` root` would arrive as `root`.
 * Without `%`: who decodes it must not read `%72oot` as `root` either.
 */
const PLAIN_TEXT = /^[!-$&-~](?:[ -$&-~]*[!-$&-~])?$/;
const PLAIN_IN_COMMAS = /^[!-$&-+\--~](?:[ -$&-+\--~]*[!-$&-+\--~])?$/;
const PLAIN_IN_SPACES = /^[!-$&-~]+$/;
/** Without what divides values and their names in fields, forms and quoted strings either: `" & , ; =`. */
const PLAIN_IN_TEXT = /^[!#$'-+\--:<>-~](?:[ !#$'-+\--:<>-~]*[!#$'-+\--:<>-~])?$/;

/** One value as a header can carry it, percent-encoded where it could not; undefined for none, and for one too long. */
export function fieldText(text: string): string | undefined {
  if (text === '' || text.length > MAX_VALUE_LENGTH) return undefined;
  const value = PLAIN_TEXT.test(text) ? text : encoded(text);
  return value.length > MAX_VALUE_LENGTH ? undefined : value;
}

/**
 * Several values in one header. Separators inside a value are encoded as well: a group named `a, admins` must not
 * arrive as two.
 */
export function fieldList(values: readonly string[], separator: ', ' | ' '): string | undefined {
  const plain = separator === ' ' ? PLAIN_IN_SPACES : PLAIN_IN_COMMAS;
  let joined = '';
  for (const value of values) {
    if (joined.length + value.length > MAX_VALUE_LENGTH) return undefined;
    if (value === '') continue;
    joined += `${joined === '' ? '' : separator}${plain.test(value) ? value : encoded(value)}`;
  }
  return joined === '' || joined.length > MAX_VALUE_LENGTH ? undefined : joined;
}

/** One value among other text of a header: what could end it there, or begin another, is percent-encoded as well. */
export function fieldPart(text: string): string {
  return PLAIN_IN_TEXT.test(text) ? text : encoded(text);
}

/** Lone surrogates, which JSON can carry and UTF-8 cannot, become U+FFFD. */
const encoded = (text: string): string => encodeURIComponent(text.toWellFormed());

const NO_NAMES: ReadonlySet<string> = new Set();
const NOTHING: readonly string[] = Object.freeze([]);

/**
 * Who calls, in the names that Kong's upstreams know. They are of families that no client's field goes on in
 * (`http1/field-kinds`), so that none has to be named here.
 */
export const KONG_FIELDS: IdentityFields = Object.freeze({ names: NO_NAMES, of: kongFields });

function kongFields(identity: Identity | undefined): readonly string[] {
  if (identity === undefined) return NOTHING;
  const fields: string[] = [];
  add(fields, 'X-Consumer-Username', fieldText(identity.consumer));
  if (identity.consumerId !== undefined) add(fields, 'X-Consumer-ID', fieldText(identity.consumerId));
  if (identity.groups.length > 0) add(fields, 'X-Consumer-Groups', fieldList(identity.groups, ', '));
  if (identity.scopes.length > 0) add(fields, 'X-Authenticated-Scope', fieldList(identity.scopes, ' '));
  if (identity.credential !== undefined)
    add(fields, 'X-Credential-Identifier', fieldText(identity.credential.id));
  if (identity.anonymous === true) fields.push('X-Anonymous-Consumer', 'true');
  return fields;
}

function add(fields: string[], name: string, value: string | undefined): void {
  if (value !== undefined) fields.push(name, value);
}
