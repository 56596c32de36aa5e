import { createHash } from 'node:crypto';

/** SHA-256 as 64 hex digits. */
export function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** What a secret is looked up by: SHA-256, base64url. */
export function fingerprintOf(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}
