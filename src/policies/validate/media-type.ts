import type { HeaderList } from '../../lib/header-list.ts';

/** Whether the request's body may be read as what the schema is about; a string says why not. */
export type MediaTypeCheck = (headers: HeaderList) => string | undefined;

const MEDIA_TYPE = /^[ \t]*([!#$%&'*+.^_`|~0-9a-z-]+\/[!#$%&'*+.^_`|~0-9a-z-]+)[ \t]*(?:;(.*))?$/;
/** JSON is UTF-8 (RFC 8259 §8.1); another charset would be another text for whoever believes it. */
const UTF8 = /^[ \t]*(?:charset=(?:utf-8|"utf-8")[ \t]*)?$/;

/** Compiles the list of media types. `application/*+json` stands for every subtype that ends in `+json`. */
export function mediaTypeCheck(accepted: readonly string[]): MediaTypeCheck {
  const exact = new Set(accepted.filter((type) => !type.includes('*')));
  const suffixes = accepted.filter((type) => type.includes('*')).map((type) => type.split('*'));
  /** The value last accepted: nearly every request of a route has the same. */
  let usual: string | undefined;
  const refusal = (value: string): string | undefined => {
    const [, type, parameters] = MEDIA_TYPE.exec(value.toLowerCase()) ?? [];
    if (type === undefined) return 'the content type cannot be read';
    if (parameters !== undefined && !UTF8.test(parameters)) return 'the charset is not UTF-8, or has company';
    if (exact.has(type)) return undefined;
    const fits = suffixes.some(([before, after]) => type.startsWith(before) && type.endsWith(after));
    return fits ? undefined : 'the content type is not accepted';
  };
  return (headers) => {
    const coding = headers.get('content-encoding');
    if (coding !== undefined && coding.toLowerCase() !== 'identity') return 'the body is encoded';
    if (headers.count('content-type') !== 1) return 'there is not one content type';
    const value = headers.get('content-type') ?? '';
    if (value === usual) return undefined;
    const reason = refusal(value);
    if (reason === undefined) usual = value;
    return reason;
  };
}
