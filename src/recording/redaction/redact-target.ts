import { holdsRandomRun, holdsSecretShape } from '../../lib/secret-shapes.ts';
import { decoded, decodedWhole } from './decoded.ts';
import { isSecretMember, isSecretPair, isSecretParameter } from './secret-names.ts';
import { holdsSecretValue, isTelling, toldSegments } from './value-secrets.ts';

/** What stands in place of a secret in a path, or of one that is the name of a parameter. */
export const WITHHELD = 'withheld';

/** A secret that is shorter stands in everything. */
export const LEAST_REPEATED = 4;

/** Path and query without what is secret in them. */
export interface RedactedTarget {
  readonly target: string;
  /** Names of parameters whose values are left out, as decoded, each once. */
  readonly query: readonly string[];
  readonly isPathWithheld: boolean;
}

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
const isPieceSecret = (piece: string): boolean =>
  holdsSecret(`?${piece}`) || holdsMorePairs(piece) || holdsSecretValue(piece.slice(piece.indexOf('=') + 1));

/** `a=1;token=x`: some servers divide at `;`. */
function holdsMorePairs(piece: string): boolean {
  const whole = decodedWhole(piece);
  if (whole === undefined) return true;
  const inner = whole.slice(whole.indexOf('=') + 1);
  return inner.includes('=') && inner.split(/[;&?#,\s]/).some(isSecretPair);
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
    isTelling(path) ||
    holdsSecretShape(path);
  if (!isSuspect) return path;
  const segments = path.split('/');
  const decodedSegments = segments.map(decodedWhole);
  const told = toldSegments(decodedSegments.map((segment) => segment ?? ''));
  const isSecret = (i: number): boolean =>
    segments[i] !== '' && (told[i] || isSegmentSecret(decodedSegments[i], secrets));
  return segments.map((segment, i) => (isSecret(i) ? WITHHELD : segment)).join('/');
}

/** `whole`: decoded; undefined where that goes on for too long. */
function isSegmentSecret(whole: string | undefined, secrets: readonly string[]): boolean {
  if (whole === undefined || holdsSecretShape(whole)) return true;
  const isAsked = secrets.some(
    (secret) => whole === secret || (secret.length >= LEAST_REPEATED && whole.includes(secret)),
  );
  return isAsked || whole.split(/[;,]/).some(isSecretPair);
}

/** Of parameters in the path that are named like secrets; decoded, and each segment of what took several. */
export function secretValues(params: Readonly<Record<string, string>>): readonly string[] {
  let values: string[] | undefined;
  for (const name in params) {
    if (!isSecretMember(name) || params[name] === '') continue;
    values ??= [];
    const whole = decodedWhole(params[name]) ?? params[name];
    values.push(...whole.split('/').filter((part) => part !== ''));
  }
  return values ?? NOTHING;
}
