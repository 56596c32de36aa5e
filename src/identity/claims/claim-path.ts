/** Where a claim stands in what a credential claims. */
export interface ClaimPath {
  /** The claim of just that name goes before any nested one; undefined where only a nested one is meant. */
  readonly name: string | undefined;
  /** Names of the members on the way to a nested claim. */
  readonly steps: readonly string[];
}

/** Form of a claim's place in documents; `parseClaimPath` reads it. */
export const CLAIM_PATTERN = '^([^/][^\\u0000-\\u001f]{0,199}|(/([^~/\\u0000-\\u001f]|~[01]){1,100}){1,10})$';
export const CLAIM_MESSAGE =
  'must be the name of a claim, or the way to a nested one like realm_access.roles or /realm_access/roles';

/**
 * Reads a JSON Pointer (RFC 6901), or a name. Names with dots and names that are URLs are common: dots lead to a nested
 * claim only where there is none of the whole name.
 */
export function parseClaimPath(text: string): ClaimPath {
  if (!text.startsWith('/')) return { name: text, steps: text.split('.') };
  const steps = text
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  return { name: undefined, steps };
}

/** The claim's value, or undefined; `null` is no value either. */
export function claimAt(claims: Readonly<Record<string, unknown>>, { name, steps }: ClaimPath): unknown {
  const whole = name === undefined ? undefined : memberOf(claims, name);
  if (whole !== undefined) return whole ?? undefined;
  let value: unknown = claims;
  for (const step of steps) value = memberOf(value, step);
  return value ?? undefined;
}

/** Own members only: `constructor` is no claim. */
function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return Reflect.get(value, name);
}
