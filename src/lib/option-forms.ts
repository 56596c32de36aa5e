import { DURATION_MESSAGE, DURATION_PATTERN } from './duration.ts';
import { type TString, Type } from './schema.ts';

/** Options that many policies have, in one form each. `fallback` is the default as it is shown. */

export const durationOption = (description: string, fallback?: string): TString =>
  Type.String({
    description,
    pattern: DURATION_PATTERN,
    patternErrorMessage: DURATION_MESSAGE,
    ...withDefault(fallback),
  });

/** Never the secret itself: documents are stored, compared, shown and kept in Git. */
export const secretOption = (description: string): TString =>
  Type.String({
    description,
    pattern: '^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$',
    patternErrorMessage:
      'must be a reference, env:NAME or file:PATH; a secret is never written in a document',
  });

export const fileOption = (description: string): TString =>
  Type.String({
    description,
    pattern: '^file:.+$',
    patternErrorMessage: 'must be a file reference, file:PATH (relative to the document)',
  });

/** A server's URL: without a fragment, and without user information, which would be a secret in a document. */
export const urlOption = (description: string): TString =>
  Type.String({
    description,
    pattern: '^https?://[^/?#@\\s\\\\]+(/[^#\\s\\\\]*)?$',
    patternErrorMessage:
      'must be a URL, like https://login.example.com/path, without a user, password or fragment',
    maxLength: 2000,
  });

export const headerOption = (description: string, fallback?: string): TString =>
  Type.String({
    description,
    pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$",
    patternErrorMessage: 'must be a header name of at most 64 characters, like x-tenant',
    ...withDefault(fallback),
  });

export const realmOption = (): TString =>
  Type.String({
    description: 'Realm named in `WWW-Authenticate`.',
    default: 'api',
    pattern: '^[ !#-\\[\\]-~]{1,64}$',
    patternErrorMessage: 'must be at most 64 printable ASCII characters, without quotes and backslashes',
  });

function withDefault(fallback: string | undefined): object {
  return fallback === undefined ? {} : { default: fallback };
}
