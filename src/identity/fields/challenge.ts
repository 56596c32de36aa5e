/** Why a credential that was sent several times is refused; the same words in every policy. */
export const REPEATED_CREDENTIAL = 'more than one credential was sent';

/**
 * One challenge for `WWW-Authenticate` (RFC 9110 §11.6.1): a scheme and its parameters, those that are undefined left
 * out. Characters that a quoted string cannot carry are left out of a value: all parameters here are hints.
 */
export function challenge(scheme: string, parameters: Readonly<Record<string, string | undefined>>): string {
  const listed = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : `${name}="${value.replace(/[^ !#-[\]-~]/g, '')}"`,
  );
  return listed.length === 0 ? scheme : `${scheme} ${listed.join(', ')}`;
}
