import { SECRET_NAME } from '../../lib/secret-shapes.ts';

/** Header fields that match and are none: their values are looked at as any other's. */
const PUBLIC_FIELDS: ReadonlySet<string> = new Set([
  'idempotency-key',
  'sec-websocket-key',
  'surrogate-key',
  'access-control-request-private-network',
]);

const MORE_FIELDS =
  /(?:^|[-_])(?:o?auth|authenticat(?:e|ion)|jwt|pin|dpop|assertion|sid|ticket|hmac(?:-\w+)?|saml\w*|[m2]fa\w*)(?:$|[-_])/;

/** Whether a header field is for secrets, by its name in lower case. */
export const isSecretField = (name: string): boolean =>
  !PUBLIC_FIELDS.has(name) && (SECRET_NAME.test(name) || MORE_FIELDS.test(name) || isSecretMember(name));

/**
 * Names in bodies and queries. Narrower than those of header fields: `key`, `code` and `state` stand for much else in a
 * body.
 */
const SECRET_MEMBER =
  /passw|passphrase|secret|token|bearer|credential|authori[sz]ation|cookie|signature|assertion|csrf|xsrf|mnemonic|(?:private|api|access|auth|client|encryption|master|shared|signing|subscription|function|ssh|licen[cs]e|webhook|hmac|storage|account|service)s?[-_.]?key|(?:pass|security|verification|auth|access|one[-_.]?time|backup|recovery|activation|sms)[-_.]?code|(?:seed|recovery)[-_.]?phrase|session[-_.]?(?:id|key)?$|(?:^|[^a-z0-9])(?:auth|pwd|pass|jwt|t?otp|[m2]fa|pin|cvv2?|cvc2?|ssn)(?:[-_.]?(?:code|number))?(?:$|[^a-z0-9])|sessid|card[-_.]?num/i;

/** `dbPass`. */
const SECRET_LAST_WORD = /[a-z](?:Auth|Pwd|Pass|Jwt|Otp|Totp|Mfa|Pin|Cvv|Cvc|Ssn)(?:$|[A-Z])/;

const SECRET_PARAMETER =
  /^(?:key|code|state|nonce|sig|hmac|auth|sid|ticket|ott|pw|samlresponse|samlrequest)$/i;

/** Of a member of JSON or a claim. */
export const isSecretMember = (name: string): boolean =>
  SECRET_MEMBER.test(name) || SECRET_LAST_WORD.test(name);

/** Of a query, or of a form. */
export const isSecretParameter = (name: string): boolean =>
  isSecretMember(name) || SECRET_PARAMETER.test(name);

/** Of `name=value`. */
export function isSecretPair(pair: string): boolean {
  const equals = pair.indexOf('=');
  return equals !== -1 && equals < pair.length - 1 && isSecretParameter(pair.slice(0, equals));
}

/** `max_tokens` and its like hold numbers, and so does the type of a token a word that everybody knows. */
const COUNTS_TOKENS = /tokens?$|tokens?[-_.]?(?:count|usage|limit|type|use|budget)/i;
const NAMES_TOKEN_KIND = /token[-_.]?(?:type|use|endpoint_auth_method)$/i;

/** Whether a number under a secret name is one. */
export const isSecretNumber = (name: string): boolean => !COUNTS_TOKENS.test(name);

/** Whether a text under a secret name is one. */
export const isSecretText = (name: string): boolean => !NAMES_TOKEN_KIND.test(name);
