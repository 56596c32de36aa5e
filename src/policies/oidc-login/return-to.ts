/** Longer ways back are cut to their path, and to the root where that is too long as well: they travel in a cookie. */
const MAX_LENGTH = 1500;
const ROOT = '/';
/** One slash, then no second one and no backslash (which browsers read as one), then visible ASCII only. */
const RELATIVE = /^\/(?![/\\])[!-[\]-~]*$/;

/**
 * Where a browser may be sent after it signed in: a path of this very origin, or undefined. Whatever a browser could
 * read as another origin is no such path: `//host`, `/\host`, a scheme, controls that browsers leave out (WHATWG URL
 * §4.4), an encoded slash or backslash at the start that something behind could decode.
 */
export function safeReturnTo(text: string, origin: string): string | undefined {
  if (text.length > MAX_LENGTH || !RELATIVE.test(text) || /^\/+%(2f|5c|0[0-9a-f])/i.test(text))
    return undefined;
  const url = URL.canParse(text, origin) ? new URL(text, origin) : undefined;
  if (url === undefined || url.origin !== origin || url.username !== '' || url.pathname.startsWith('//'))
    return undefined;
  return text;
}

/** The way back to what was asked for; without its query, or to the root, where it may not be kept as it is. */
export function returnToOf(path: string, query: string, origin: string): string {
  const whole = query === '' ? path : `${path}?${query}`;
  return safeReturnTo(whole, origin) ?? safeReturnTo(path, origin) ?? ROOT;
}
