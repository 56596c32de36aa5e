/**
 * Parameters of a query as `application/x-www-form-urlencoded` (WHATWG URL §5.1) divides them: at `&`, at the first
 * `=`, with `+` for a space. One reading for looking a parameter up and for taking it out, so that nothing that was
 * found stays behind under another spelling of its name. Names asked for are ASCII.
 */

const NONE: readonly string[] = Object.freeze([]);

/** The decoded values of a parameter, byte for byte as latin1. */
export function parameterValues(query: string, name: string): readonly string[] {
  if (query === '') return NONE;
  return query
    .split('&')
    .filter((piece) => isNamed(piece, name))
    .map(valueIn);
}

/** The query without a parameter, however often it occurs; the others stay as they are. */
export function withoutParameter(query: string, name: string): string {
  if (query === '') return query;
  const pieces = query.split('&');
  const kept = pieces.filter((piece) => !isNamed(piece, name));
  return kept.length === pieces.length ? query : kept.join('&');
}

function isNamed(piece: string, name: string): boolean {
  const equals = piece.indexOf('=');
  const written = equals === -1 ? piece : piece.slice(0, equals);
  return written === name || decoded(written) === name;
}

function valueIn(piece: string): string {
  const equals = piece.indexOf('=');
  return equals === -1 ? '' : decoded(piece.slice(equals + 1));
}

/** What is no percent-encoding stays as it is. */
function decoded(text: string): string {
  if (!text.includes('%') && !text.includes('+')) return text;
  return text
    .replaceAll('+', ' ')
    .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
