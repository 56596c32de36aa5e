import type { Dictionary } from 'structured-headers';

/** The library for Structured Fields (RFC 9651), loaded only for documents that need it. */
export type StructuredFields = Pick<
  typeof import('structured-headers'),
  'parseDictionary' | 'serializeDictionary' | 'serializeInnerList' | 'serializeItem'
>;

/** More is no field of a caller of ours. */
const MAX_LENGTH = 8192;

/**
 * A dictionary field (RFC 9651 §3.2), or undefined where its text is none, or is not the one way to write it: of a key
 * or parameter that stands there twice, of a number or base64 in a second spelling, another reader may believe the
 * other. White space is free.
 */
export function readDictionary(text: string, sf: StructuredFields): Dictionary | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  try {
    const dictionary = sf.parseDictionary(text);
    return squeezed(text) === squeezed(sf.serializeDictionary(dictionary)) ? dictionary : undefined;
  } catch {
    return undefined;
  }
}

/** Without the white space outside of strings. Only for texts that were parsed: every quote has its other. */
const squeezed = (text: string): string =>
  text.replace(/"(?:[^"\\]|\\.)*"|[ \t]+/g, (part) => (part.startsWith('"') ? part : ''));
