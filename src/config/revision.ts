import { canonicalJson } from '../lib/canonical-json.ts';
import { sha256Hex } from './digest.ts';

/**
 * Id of a revision: SHA-256 (64 hex digits) over the document's canonical form and the hashes of the files it
 * names. Secrets are no part of it: an id is shown and logged, and would let a guess at a secret be checked.
 */
export function revisionOf(document: unknown, files: Readonly<Record<string, string>>): string {
  return revisionOfHashes(document, hashesOf(files));
}

/** Names a document by what is written in it alone, whatever its files hold. */
export const documentHash = (document: unknown): string => sha256Hex(canonicalJson(document));

/** As `revisionOf`, where the hashes are at hand. */
export function revisionOfHashes(document: unknown, fileHashes: Readonly<Record<string, string>>): string {
  return sha256Hex(canonicalJson({ document, files: fileHashes }));
}

/** The hash of each file's text, by its name. */
export function hashesOf(files: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [name, sha256Hex(text)]));
}
