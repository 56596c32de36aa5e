import type { Random } from '../../contract/index.ts';
import type { Claims } from '../../identity/index.ts';

/** Who signed in, and what is needed to go on with it. Lives in the browser's cookie, nowhere else. */
export interface Session {
  /** Public id: it may stand in records. */
  readonly id: string;
  /** When it was begun; milliseconds since the epoch, as all times here. Later than every logout that it survives. */
  readonly startedAtMs: number;
  /** Its longest life, as configured when it was begun. */
  readonly lifeMs: number;
  /** When it was last used, as far as the cookie tells: it is written anew only once in a while. */
  readonly usedAtMs: number;
  /** The provider's own session (`sid`); undefined where it tells none. */
  readonly sid: string | undefined;
  readonly idToken: string;
  readonly claims: Claims;
  /** Kept only where the upstream is given it. */
  readonly accessToken: string | undefined;
  readonly refreshToken: string | undefined;
  readonly times: TokenTimes;
}

/** What the provider's tokens say about when. */
export interface TokenTimes {
  /** When the provider is to be asked for newer ones, a little ahead; undefined for never. */
  readonly renewAtMs: number | undefined;
  /** When the session is over unless there are newer ones; undefined for never. */
  readonly untilMs: number | undefined;
}

/** Layout of the text that is sealed. Another one is no session: a program that is older or newer wrote it. */
const FORM = 1;

/** As text, with its claims. Those of the ID token stand in the ID token; `more` are others that were asked for. */
export function writeSession(session: Session): string {
  const { id, startedAtMs, lifeMs, usedAtMs, sid, idToken, accessToken, refreshToken, times } = session;
  const told = [FORM, id, startedAtMs, lifeMs, usedAtMs, idToken];
  const optional = [sid, accessToken, refreshToken, times.renewAtMs, times.untilMs].map(
    (value) => value ?? null,
  );
  return JSON.stringify([...told, ...optional, moreClaims(session)]);
}

/** Its claims that do not stand in its ID token: what else was asked of the provider. */
export function moreClaims({ idToken, claims }: Session): Claims {
  const inToken = claimsIn(idToken) ?? {};
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !Object.hasOwn(inToken, name)));
}

/** The session in a text that was sealed here; undefined for one of another form. */
export function readSession(text: string): Session | undefined {
  const parsed = parse(text);
  if (!Array.isArray(parsed) || parsed.length !== 12 || parsed[0] !== FORM) return undefined;
  const values: readonly unknown[] = parsed;
  const [
    ,
    id,
    startedAtMs,
    lifeMs,
    usedAtMs,
    idToken,
    sid,
    accessToken,
    refreshToken,
    renewAtMs,
    untilMs,
    more,
  ] = values;
  if (typeof id !== 'string' || typeof idToken !== 'string' || !isObject(more)) return undefined;
  if (!isNumber(startedAtMs) || !isNumber(lifeMs) || !isNumber(usedAtMs)) return undefined;
  const claims = claimsIn(idToken);
  if (claims === undefined) return undefined;
  return {
    id,
    startedAtMs,
    lifeMs,
    usedAtMs,
    sid: textOf(sid),
    idToken,
    claims: Object.freeze({ ...more, ...claims }),
    accessToken: textOf(accessToken),
    refreshToken: textOf(refreshToken),
    times: { renewAtMs: numberOf(renewAtMs), untilMs: numberOf(untilMs) },
  };
}

/** A new id for a session. */
export const newSessionId = (random: Random): string => random.hex(12);

/** The subject of a session: what the provider calls the user. */
export const subjectOf = ({ claims }: Session): string => String(claims.sub);

/** The claims of a token that was verified before. */
export function claimsIn(token: string): Claims | undefined {
  const payload = token.split('.', 2)[1] ?? '';
  const claims = parse(Buffer.from(payload, 'base64url').toString('utf8'));
  return isObject(claims) ? claims : undefined;
}

/** Undefined for what is no JSON: another program's, sealed with the same secret. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const isNumber = (value: unknown): value is number => typeof value === 'number';
const numberOf = (value: unknown): number | undefined => (isNumber(value) ? value : undefined);
const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
