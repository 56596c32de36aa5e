import { holdsRandomRun, holdsSecretShape } from '../../lib/secret-shapes.ts';
import { decoded, decodedWhole } from './decoded.ts';
import { isSecretMember, isSecretParameter } from './secret-names.ts';

/** What stands in place of a secret in a path, or of one that is the name of a parameter. */
export const WITHHELD = 'withheld';

/** Path and query without what is secret in them. */
export interface RedactedTarget {
  readonly target: string;
  /** Names of parameters whose values are left out, as decoded, each once. */
  readonly query: readonly string[];
  readonly isPathWithheld: boolean;
}

/** Segments that say what follows them: links that are sent to one person, and open something. */
const TELLS_NEXT =
  /passw|token|secret|reset|verif|invit|magic|activat|confirm|session|unsubscribe|one-?time|otp/i;
const MIN_TOLD = 16;

const NOTHING: readonly string[] = Object.freeze([]);

/**
 * Redacts a request target. `credentials`: names of parameters that a document's policies read credentials from;
 * `params`: what the route took from the path.
 */
export function redactTarget(
  target: string,
  credentials: ReadonlySet<string>,
  params: Readonly<Record<string, string>>,
): RedactedTarget {
  const question = target.indexOf('?');
  const path = question === -1 ? target : target.slice(0, question);
  const safePath = redactPath(path, secretValues(params));
  const isPathWithheld = safePath !== path;
  if (question === -1) return { target: safePath, query: NOTHING, isPathWithheld };
  const { query, names } = redactQuery(target.slice(question + 1), credentials);
  return { target: `${safePath}?${query}`, query: names, isPathWithheld };
}

function redactQuery(query: string, credentials: ReadonlySet<string>) {
  if (query === '') return { query, names: NOTHING };
  let names: string[] | undefined;
  const pieces = query.split('&');
  for (const [i, piece] of pieces.entries()) {
    const equals = piece.indexOf('=');
    const written = equals === -1 ? piece : piece.slice(0, equals);
    const name = decoded(written);
    const isNameSecret = holdsSecret(written);
    const isSecret =
      credentials.has(name) || isSecretParameter(name) || (equals !== -1 && isPieceSecret(piece));
    if (!isNameSecret && (!isSecret || equals === -1 || equals === piece.length - 1)) continue;
    const shown = isNameSecret ? WITHHELD : written;
    pieces[i] = equals === -1 ? shown : `${shown}=`;
    const told = isNameSecret ? WITHHELD : name;
    names ??= [];
    if (!names.includes(told)) names.push(told);
  }
  return { query: names === undefined ? query : pieces.join('&'), names: names ?? NOTHING };
}

/** The whole piece, since a value may hold more pairs, divided otherwise. */
const isPieceSecret = (piece: string): boolean => holdsSecret(`?${piece}`) || holdsMorePairs(piece);

/** `a=1;token=x`: some servers divide at `;`. */
function holdsMorePairs(piece: string): boolean {
  const whole = decodedWhole(piece);
  if (whole === undefined) return true;
  const inner = whole.slice(whole.indexOf('=') + 1);
  return inner.includes('=') && inner.split(/[;&?#,\s]/).some(isSecretPair);
}

function isSecretPair(pair: string): boolean {
  const equals = pair.indexOf('=');
  return equals !== -1 && equals < pair.length - 1 && isSecretParameter(pair.slice(0, equals));
}

function holdsSecret(text: string): boolean {
  if (holdsSecretShape(text) || holdsRandomRun(text)) return true;
  if (!text.includes('%')) return false;
  const whole = decodedWhole(text);
  return whole === undefined || holdsSecretShape(whole) || holdsRandomRun(whole);
}

function redactPath(path: string, secrets: readonly string[]): string {
  const isSuspect =
    secrets.length > 0 ||
    path.includes('%') ||
    path.includes(';') ||
    path.includes('=') ||
    TELLS_NEXT.test(path) ||
    holdsSecretShape(path);
  if (!isSuspect) return path;
  const segments = path.split('/');
  for (const [i, segment] of segments.entries()) {
    const before = i === 0 ? '' : segments[i - 1];
    if (isSegmentSecret(segment, before, secrets)) segments[i] = WITHHELD;
  }
  return segments.join('/');
}

function isSegmentSecret(segment: string, before: string, secrets: readonly string[]): boolean {
  if (segment === '') return false;
  const whole = decodedWhole(segment);
  if (whole === undefined || holdsSecretShape(whole)) return true;
  if (secrets.includes(whole) || secrets.includes(segment)) return true;
  if (whole.split(/[;,]/).some(isSecretPair)) return true;
  return whole.length >= MIN_TOLD && /\d/.test(whole) && TELLS_NEXT.test(before);
}

/** Of parameters in the path that are named like secrets. */
function secretValues(params: Readonly<Record<string, string>>): readonly string[] {
  let values: string[] | undefined;
  for (const name in params) {
    if (!isSecretMember(name) || params[name] === '') continue;
    values ??= [];
    values.push(params[name]);
  }
  return values ?? NOTHING;
}
