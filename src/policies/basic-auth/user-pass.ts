import { isUtf8 } from 'node:buffer';

/** A user name and a password as they were presented. */
export interface UserPass {
  readonly user: string;
  readonly password: string;
}

/** Longer credentials are none of ours: names have up to 128 characters, passwords up to 512. */
export const MAX_CREDENTIALS_LENGTH = 4096;

/**
 * Reads the credentials of scheme Basic (RFC 7617 §2) in UTF-8; a text says why they are none. Strict, since two
 * readers must not find two users in them: base64 in its one spelling, valid UTF-8, no control characters.
 */
export function readUserPass(credentials: string): UserPass | string {
  if (credentials.length > MAX_CREDENTIALS_LENGTH) return 'the credentials are too long';
  const bytes = Buffer.from(credentials, 'base64');
  if (bytes.toString('base64') !== credentials) return 'the credentials are not base64 in its one spelling';
  if (!isUtf8(bytes)) return 'the credentials are not UTF-8';
  const text = bytes.toString('utf8');
  if (/\p{Cc}/u.test(text)) return 'the credentials have control characters';
  const colon = text.indexOf(':');
  if (colon === -1) return 'the credentials have no colon';
  if (colon === 0) return 'the credentials name no user';
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
