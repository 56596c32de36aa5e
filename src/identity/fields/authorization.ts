import type { HeaderList } from '../../lib/header-list.ts';

/** An `Authorization` field, split at its scheme (RFC 9110 §11.6.2). */
export interface Authorization {
  /** Lower case. */
  readonly scheme: string;
  /** What follows it; '' for nothing. */
  readonly credentials: string;
}

const FORM = /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64})(?: +([!-~](?:[ -~]*[!-~])?))?$/;

/**
 * The request's `Authorization`: undefined when there is none, `malformed` when it is no scheme with visible ASCII,
 * `repeated` when there are several, since two readers may believe different ones.
 */
export function readAuthorization(headers: HeaderList): Authorization | 'malformed' | 'repeated' | undefined {
  const count = headers.count('authorization');
  if (count === 0) return undefined;
  if (count > 1) return 'repeated';
  return parseAuthorization(headers.get('authorization') ?? '');
}

/** The value of an `Authorization` field. */
export function parseAuthorization(value: string): Authorization | 'malformed' {
  const match = FORM.exec(value);
  if (match === null) return 'malformed';
  return { scheme: match[1].toLowerCase(), credentials: match[2] ?? '' };
}
