/** Values by name as decoded, or that it is there several times. */
type Values = ReadonlyMap<string, string | typeof REPEATED>;

const REPEATED: unique symbol = Symbol('repeated');

/**
 * The query parameters that a signature covers (RFC 9421 §2.2.8). Read once, however many it covers: who signs nothing
 * may still name dozens of them, over a query with thousands.
 */
export class QueryParameters {
  readonly #target: string;
  #values: Values | undefined = undefined;

  /** `target`: path and query as they came. */
  constructor(target: string) {
    this.#target = target;
  }

  /**
   * The value that is signed for a name, both percent-encoded; undefined where it is not there once, or is no UTF-8: of
   * two readers one could find another value.
   */
  encoded(name: string): string | undefined {
    const decoded = decodedName(name);
    if (decoded === undefined) return undefined;
    this.#values ??= valuesOf(this.#target);
    const value = this.#values.get(decoded);
    if (typeof value !== 'string' || decoded.includes(NO_UTF8) || value.includes(NO_UTF8)) return undefined;
    return formEncoded(value);
  }
}

/** What bytes that are no UTF-8 are decoded to. */
const NO_UTF8 = '\ufffd';

function valuesOf(target: string): Values {
  const question = target.indexOf('?');
  const values = new Map<string, string | typeof REPEATED>();
  for (const [name, value] of new URLSearchParams(question === -1 ? '' : target.slice(question + 1)))
    values.set(name, values.has(name) ? REPEATED : value);
  return values;
}

/** Undefined for a name that is not in its one spelling. */
function decodedName(name: string): string | undefined {
  try {
    const decoded = decodeURIComponent(name);
    return formEncoded(decoded) === name ? decoded : undefined;
  } catch {
    return undefined;
  }
}

/** The `application/x-www-form-urlencoded` percent-encode set (WHATWG URL §1.3), a space as `%20`. */
const formEncoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
