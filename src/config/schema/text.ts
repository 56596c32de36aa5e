import { BYTE_SIZE_FORM, BYTE_SIZE_PATTERN } from '../../lib/byte-size.ts';
import { DURATION_MESSAGE, DURATION_PATTERN } from '../../lib/duration.ts';
import { type TString, Type } from '../../lib/schema.ts';

/**
 * A text with a form. `patternErrorMessage` is what editors show (VS Code, yaml-language-server) and what
 * `sallyport check` says, so it reads after the path: "must be …".
 */
export function patterned(pattern: string, patternErrorMessage: string, options: object = {}): TString {
  return Type.String({ ...options, pattern, patternErrorMessage });
}

export const durationText = (description: string, fallback?: string): TString =>
  patterned(DURATION_PATTERN, DURATION_MESSAGE, described(description, fallback));

export const sizeText = (description: string, fallback?: string): TString =>
  patterned(BYTE_SIZE_PATTERN, `must be a size, ${BYTE_SIZE_FORM}`, described(description, fallback));

/** A name that is safe in ids, metrics, records and headers. */
export const nameText = (description: string): TString =>
  patterned(NAME_PATTERN, 'must be a name of letters, digits, ".", "_" and "-", at most 100', {
    description,
  });

export const NAME_PATTERN = '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$';

/** Never the secret itself: documents are stored, compared, shown and kept in Git. */
export const secretReference = (description: string): TString =>
  patterned(
    '^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$',
    'must be a reference, env:NAME or file:PATH; a secret is never written in a document',
    { description },
  );

export const fileReference = (description: string): TString =>
  patterned('^file:.+$', 'must be a file reference, file:PATH (relative to the document)', { description });

function described(description: string, fallback: string | undefined): object {
  return fallback === undefined ? { description } : { description, default: fallback };
}
