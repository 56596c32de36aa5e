import { hash } from 'node:crypto';
import type { PolicyContext } from '../../contract/index.ts';
import type { Claims } from '../../identity/index.ts';
import { RecentMap } from '../../lib/recent-map.ts';
import { Marks } from './marks.ts';
import type { ProviderDirectory } from './provider.ts';
import type { Asked, ProviderClient, Tokens } from './provider-client.ts';
import { claimsIn, moreClaims, type Session, subjectOf } from './session.ts';
import type { Settings } from './settings.ts';
import { tokenTimes } from './token-times.ts';

/** What came of renewing a session's tokens. */
export type Renewal =
  | { readonly kind: 'renewed'; readonly session: Session }
  /** The provider renews nothing any more: the user is gone there. */
  | { readonly kind: 'over'; readonly reason: string }
  /** Another worker renews it, or (`isDone`) has just done so: the browser will soon have what it got. */
  | { readonly kind: 'elsewhere'; readonly isDone: boolean }
  | { readonly kind: 'unavailable'; readonly reason: string };

export interface RenewalParts {
  readonly settings: Settings;
  readonly directory: ProviderDirectory;
  readonly client: ProviderClient;
  /** Scope of the marks: all routes that sign in at one provider as one client. */
  readonly scope: string;
}

/** Renewing takes so many answers of the provider at most: metadata, tokens, keys and where they are, claims. */
const ANSWERS = 5;
/** How long a browser may still send a session whose refresh token was used: requests that were under way together. */
const OVERLAP_MS = 30_000;
/** How long it is known that a refresh token was used. */
const USED_MS = 600_000;
const MAX_RESULTS = 1000;

/**
 * Renews sessions with their refresh tokens. A provider that rotates them takes one that comes twice for stolen and ends
 * everything, so each is used once by all workers: requests of one worker share one renewal and its result, those of
 * others see that it is taken and go on without.
 */
export class Renewals {
  readonly #parts: RenewalParts;
  readonly #underWay = new Map<string, Promise<Renewal>>();
  readonly #results = new RecentMap<string, Renewal>(MAX_RESULTS);
  readonly #taken: Marks;
  readonly #used: Marks;

  constructor(parts: RenewalParts) {
    this.#parts = parts;
    this.#taken = new Marks(`${parts.scope} renewing`, ANSWERS * parts.settings.timeoutMs);
    this.#used = new Marks(`${parts.scope} renewed`, USED_MS);
  }

  /** Never rejects for what the provider does. */
  async renew(c: PolicyContext, session: Session): Promise<Renewal> {
    const { refreshToken } = session;
    if (refreshToken === undefined) return NOTHING_TO_RENEW;
    const key = hash('sha256', refreshToken, 'base64url');
    const known = this.#results.get(key) ?? this.#underWay.get(key);
    if (known !== undefined) return await known;
    const renewal = this.#start(c, session, refreshToken, key).finally(() => this.#underWay.delete(key));
    this.#underWay.set(key, renewal);
    return await renewal;
  }

  async #start(c: PolicyContext, session: Session, refreshToken: string, key: string): Promise<Renewal> {
    const { state } = c.deps;
    const usedAtMs = await this.#used.since(state, key, c.now);
    if (usedAtMs !== undefined)
      return c.now - usedAtMs <= OVERLAP_MS ? { kind: 'elsewhere', isDone: true } : SUPERSEDED;
    if (!(await this.#taken.place(state, key, c.now))) return { kind: 'elsewhere', isDone: false };
    const result = await this.#ask(c, session, refreshToken);
    if (result.kind === 'unavailable') return result;
    this.#results.set(key, result);
    if (result.kind === 'renewed') await this.#used.renew(state, key, c.deps.clock.now());
    return result;
  }

  async #ask(c: PolicyContext, session: Session, refreshToken: string): Promise<Renewal> {
    const { directory, client } = this.#parts;
    const { network, clock } = c.deps;
    if (directory.current === undefined) await directory.pending;
    const provider = directory.current;
    if (provider === undefined)
      return { kind: 'unavailable', reason: `the provider is not known: ${directory.problem}` };
    const asked = { provider, network, clock };
    const tokens = await client.refresh(asked, refreshToken);
    if (tokens.kind === 'unavailable') return { kind: 'unavailable', reason: tokens.reason };
    if (tokens.kind !== 'tokens') return { kind: 'over', reason: tokens.reason };
    if (!isSameUser(session, tokens))
      return { kind: 'over', reason: 'the renewed ID token is of another sign-in' };
    const more = await this.#moreClaims(asked, session, tokens);
    return { kind: 'renewed', session: this.#renewed(session, tokens, more, clock.now()) };
  }

  /** What the provider knows of the user beside its ID token. The refresh token is spent: where it does not answer, what it last said. */
  async #moreClaims(asked: Asked, session: Session, { accessToken }: Tokens): Promise<Claims> {
    const { settings, client } = this.#parts;
    if (!settings.userinfo) return NO_CLAIMS;
    const told = await client.userinfo(asked, accessToken, subjectOf(session));
    return 'reason' in told ? moreClaims(session) : told.claims;
  }

  /** The same session with newer tokens, and no claim that only the older ones made. */
  #renewed(session: Session, tokens: Tokens, more: Claims, nowMs: number): Session {
    const { upstream } = this.#parts.settings;
    const idToken = tokens.idToken ?? session.idToken;
    const inToken = tokens.claims ?? claimsIn(session.idToken);
    const claims = Object.freeze({ ...more, ...inToken });
    const refreshToken = tokens.refreshToken ?? session.refreshToken;
    return {
      ...session,
      claims,
      idToken,
      accessToken: upstream === 'access-token' ? tokens.accessToken : undefined,
      refreshToken,
      times: tokenTimes(upstream, { ...tokens, refreshToken }, claims, nowMs),
    };
  }
}

/** Somebody else must never get into a session (OpenID Connect Core §12.2). */
function isSameUser(session: Session, { claims }: Tokens): boolean {
  if (claims === undefined) return true;
  const { nonce } = session.claims;
  return (
    claims.sub === subjectOf(session) &&
    (claims.nonce === undefined || nonce === undefined || claims.nonce === nonce)
  );
}

const NO_CLAIMS: Claims = Object.freeze({});
const NOTHING_TO_RENEW: Renewal = Object.freeze({ kind: 'over', reason: 'it has no refresh token' });
const SUPERSEDED: Renewal = Object.freeze({
  kind: 'over',
  reason: 'its refresh token was used some time ago: there is a newer session, or it was lost on its way',
});
