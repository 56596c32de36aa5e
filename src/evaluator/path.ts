/**
 * The one normalisation of a path, before routes and policies see it; its result is also what the upstream
 * receives, so that nobody behind the gateway reads another path than the one that was judged.
 * What servers are known to read differently is refused, not guessed (RFC 3986 §6.2.2, RFC 9110 §4.2.3).
 */
export interface PathRules {
  readonly encodedSlashes: 'reject' | 'keep';
  readonly semicolons: 'reject' | 'keep';
}

/** Why a path is refused: a bounded set, counted in metrics. */
export type PathRefusal =
  | 'path-not-absolute'
  | 'path-character'
  | 'path-encoding'
  | 'path-encoded-slash'
  | 'path-encoded-control'
  | 'path-double-encoding'
  | 'path-backslash'
  | 'path-semicolon'
  | 'path-above-root';

export type NormalisedPath = { readonly path: string } | { readonly refusal: PathRefusal };

const SLASH = 0x2f;
const PERCENT = 0x25;
/** Where a path segment's parameters begin, for servers that know such. */
const PARAMETERS = /;|%3B/;

/** Normalises an absolute path (without query). */
export function normalisePath(raw: string, rules: PathRules): NormalisedPath {
  if (raw.charCodeAt(0) !== SLASH) return { refusal: 'path-not-absolute' };
  const need = inspect(raw, rules);
  if (typeof need === 'string') return { refusal: need };
  if (need === 0) return { path: raw };
  const decoded = (need & HAS_PERCENT) === 0 ? { path: raw } : decodeUnreserved(raw, rules);
  if ('refusal' in decoded) return decoded;
  return resolveSegments(decoded.path);
}

const HAS_PERCENT = 1;
const HAS_DOT_OR_EMPTY_SEGMENT = 2;

/** One pass that finds what needs work; most paths need none and are returned as they are. */
function inspect(raw: string, rules: PathRules): number | PathRefusal {
  let need = 0;
  let previous = 0;
  for (let i = 0; i < raw.length; i++) {
    const c = raw.charCodeAt(i);
    if (c <= 0x20 || c >= 0x7f || c === 0x23) return 'path-character';
    if (c === 0x5c) return 'path-backslash';
    if (c === 0x3b && rules.semicolons === 'reject') return 'path-semicolon';
    if (c === PERCENT) need |= HAS_PERCENT;
    if (previous === SLASH && (c === SLASH || c === 0x2e)) need |= HAS_DOT_OR_EMPTY_SEGMENT;
    previous = c;
  }
  return need;
}

/** Decodes what never needed encoding, upper-cases the rest, refuses what hides a delimiter. */
function decodeUnreserved(raw: string, rules: PathRules): NormalisedPath {
  let out = '';
  let from = 0;
  for (let i = raw.indexOf('%'); i !== -1; i = raw.indexOf('%', i + 3)) {
    const byte = hexByte(raw, i + 1);
    const refusal = byte === -1 ? 'path-encoding' : refusalOf(raw, i, byte, rules);
    if (refusal !== undefined) return { refusal };
    const text = isUnreserved(byte) ? String.fromCharCode(byte) : raw.slice(i, i + 3).toUpperCase();
    out += raw.slice(from, i) + text;
    from = i + 3;
  }
  out += raw.slice(from);
  return isEncodedTwice(out) ? { refusal: 'path-double-encoding' } : { path: out };
}

function refusalOf(raw: string, at: number, byte: number, rules: PathRules): PathRefusal | undefined {
  if (byte < 0x20 || byte === 0x7f) return 'path-encoded-control';
  if (byte === 0x5c) return 'path-backslash';
  if (byte === SLASH && rules.encodedSlashes === 'reject') return 'path-encoded-slash';
  if (byte === 0x3b && rules.semicolons === 'reject') return 'path-semicolon';
  return isOverlong(raw, at, byte) ? 'path-encoding' : undefined;
}

/** UTF-8 longer than it need be (RFC 3629 §3): the way to write "." and "/" past a filter in two, three or four bytes. */
function isOverlong(raw: string, at: number, lead: number): boolean {
  if (lead === 0xc0 || lead === 0xc1) return true;
  if (lead !== 0xe0 && lead !== 0xf0) return false;
  const next = raw.charCodeAt(at + 3) === PERCENT ? hexByte(raw, at + 4) : -1;
  return next >= 0x80 && next < (lead === 0xe0 ? 0xa0 : 0x90);
}

/**
 * Whether a second decoding would read another path. Looked for in what the first one made: `%25%32%65` and
 * `%252%65` hide `%2e` as well as `%252e` does.
 */
function isEncodedTwice(path: string): boolean {
  for (let i = path.indexOf('%25'); i !== -1; i = path.indexOf('%25', i + 3)) {
    const byte = hexByte(path, i + 3);
    if (byte !== -1 && (isUnreserved(byte) || isDelimiter(byte))) return true;
  }
  return false;
}

function isDelimiter(byte: number): boolean {
  return byte < 0x20 || byte === SLASH || byte === 0x5c || byte === PERCENT || byte === 0x3b;
}

/** Removes empty and dot segments (RFC 3986 §5.2.4); going above the root is refused instead of clamped. */
function resolveSegments(path: string): NormalisedPath {
  const parts = path.split('/');
  const last = parts.length - 1;
  const kept: string[] = [];
  for (let i = 1; i <= last; i++) {
    const part = parts[i];
    const refusal = hiddenDots(part);
    if (refusal !== undefined) return { refusal };
    if (part === '..' && kept.pop() === undefined) return { refusal: 'path-above-root' };
    if (part !== '' && part !== '.' && part !== '..') kept.push(part);
    else if (i === last) kept.push('');
  }
  return { path: `/${kept.join('/')}` };
}

/** Where `;` or `%2F` is kept, a server behind that cuts or splits there must not find a dot segment. */
function hiddenDots(part: string): PathRefusal | undefined {
  if (part.charCodeAt(0) !== 0x2e && !part.includes('%2F')) return undefined;
  for (const piece of part.split('%2F')) {
    const [bare] = piece.split(PARAMETERS, 1);
    if (bare !== '.' && bare !== '..') continue;
    if (bare !== piece) return 'path-semicolon';
    if (piece !== part) return 'path-encoded-slash';
  }
  return undefined;
}

function hexByte(text: string, at: number): number {
  const high = hexDigit(text.charCodeAt(at));
  const low = hexDigit(text.charCodeAt(at + 1));
  return high === -1 || low === -1 ? -1 : high * 16 + low;
}

function hexDigit(c: number): number {
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  const lower = c | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

function isUnreserved(c: number): boolean {
  const lower = c | 0x20;
  if (lower >= 0x61 && lower <= 0x7a) return true;
  return (c >= 0x30 && c <= 0x39) || c === 0x2d || c === 0x2e || c === 0x5f || c === 0x7e;
}
