import { hkdfSync } from 'node:crypto';

/** Names the use of a master key: what comes of it opens records and nothing else. */
export const RECORDING_PURPOSE = 'recording';

/** Bytes of a recording key, and of each that comes of it. */
const KEY_BYTES = 32;

/** What one file is sealed with: no two files share a key, so that random nonces never run out. */
export interface FileKeys {
  readonly sealing: Buffer;
  /** For heads, which are read without what they belong to. */
  readonly naming: Buffer;
}

/** HKDF (RFC 5869) of a recording key and a file's id. */
export function fileKeysOf(key: Uint8Array, fileId: Uint8Array): FileKeys {
  const bytes = Buffer.from(hkdfSync('sha256', key, fileId, 'sallyport recording file v1', 2 * KEY_BYTES));
  return { sealing: bytes.subarray(0, KEY_BYTES), naming: bytes.subarray(KEY_BYTES) };
}
