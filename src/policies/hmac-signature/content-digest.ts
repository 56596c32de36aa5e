import { hash } from 'node:crypto';
import type { HeaderList } from '../../lib/header-list.ts';
import { readDictionary, type StructuredFields } from './structured-fields.ts';

/** RFC 9530 §5: the active algorithms. Those that are deprecated prove nothing. */
const ALGORITHMS: readonly (readonly [name: string, algorithm: string])[] = Object.freeze([
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
]);

/** What a body has to hash to: every digest that can be checked. */
export interface ExpectedDigests {
  readonly digests: readonly { readonly algorithm: string; readonly value: Buffer }[];
}

/** The `Content-Digest` of a request (RFC 9530 §2); a text says why it proves nothing. */
export function readContentDigest(headers: HeaderList, sf: StructuredFields): ExpectedDigests | string {
  const dictionary = readDictionary(headers.getAll('content-digest').join(', '), sf);
  if (dictionary === undefined) return 'Content-Digest is no dictionary in its one spelling';
  const digests = [];
  for (const [name, algorithm] of ALGORITHMS) {
    const member = dictionary.get(name);
    if (member === undefined) continue;
    const [value] = member;
    if (!(value instanceof ArrayBuffer)) return 'a digest is no byte sequence';
    digests.push({ algorithm, value: Buffer.from(value) });
  }
  return digests.length === 0 ? 'Content-Digest has neither sha-256 nor sha-512' : { digests };
}

/** Whether a body hashes to all of them. */
export function hasDigests(body: Uint8Array, { digests }: ExpectedDigests): boolean {
  return digests.every(({ algorithm, value }) => hash(algorithm, body, 'buffer').equals(value));
}
