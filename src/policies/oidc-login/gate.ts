import {
  type Awaitable,
  CONTINUE,
  type CredentialGuard,
  type Decision,
  type PolicyContext,
  type Revocations,
} from '../../contract/index.ts';
import { REPEATED_CREDENTIAL } from '../../identity/index.ts';
import { type Answers, cannotTell } from './answers.ts';
import type { Cookies, OwnCookies } from './cookies.ts';
import type { EndedSessions } from './ended-sessions.ts';
import { isNavigation } from './negotiation.ts';
import type { Renewal, Renewals } from './renewal.ts';
import type { Session } from './session.ts';
import type { Known, SessionStore } from './session-store.ts';
import type { Settings } from './settings.ts';
import type { SignIn } from './sign-in.ts';

export interface GateParts {
  readonly settings: Settings;
  readonly answers: Answers;
  readonly cookies: Cookies;
  readonly sessions: SessionStore;
  readonly ended: EndedSessions;
  readonly renewals: Renewals;
  readonly signIn: SignIn;
  readonly guard: CredentialGuard;
  readonly revocations: Revocations;
}

/** A session's cookie is written anew when this share of `idle` has passed since it was. */
const TOUCH_SHARE = 10;
const MAX_BEHIND = 4;
/** Requests that were under way while another worker renewed their session go on so long without newer tokens. */
const OVERLAP_MS = 60_000;

/** Lets on who has a session, and sends everybody else to sign in. Synchronous for a session that is remembered. */
export class Gate {
  readonly #parts: GateParts;

  constructor(parts: GateParts) {
    this.#parts = parts;
  }

  request(c: PolicyContext, own: OwnCookies): Awaitable<Decision> {
    const { answers, sessions, guard } = this.#parts;
    const { session } = own;
    // A neighbour's cookie beside ours: no sign-in would help, it would come back with both.
    if (session.kind === 'repeated') return answers.invalidSession(REPEATED_CREDENTIAL, []);
    if (session.kind === 'broken') return this.#without(c, own, 'parts of the cookie are missing');
    if (session.value === '') return this.#without(c, own, undefined);
    const { value } = session;
    const known = sessions.remembered(value);
    if (known !== undefined) return this.#admit(c, own, known);
    const refused = guard.check(c);
    if (refused instanceof Promise) return refused.then((decision) => decision ?? this.#open(c, own, value));
    return refused ?? this.#open(c, own, value);
  }

  #open(c: PolicyContext, own: OwnCookies, value: string): Awaitable<Decision> {
    const known = this.#parts.sessions.open(value);
    if (known === 'foreign')
      return this.#without(c, own, 'the cookie was not sealed with a secret that is known here');
    return known === 'forged' ? this.#forged(c, own) : this.#admit(c, own, known);
  }

  async #forged(c: PolicyContext, own: OwnCookies): Promise<Decision> {
    await this.#parts.guard.failed(c);
    return await this.#without(c, own, 'the cookie is forged');
  }

  #admit(c: PolicyContext, own: OwnCookies, known: Known): Awaitable<Decision> {
    const over = this.#over(known.session, c.now);
    if (over !== undefined) return this.#without(c, own, over);
    const ended = this.#parts.ended.has(c, known.session);
    if (ended instanceof Promise) return ended.then((isEnded) => this.#alive(c, own, known, isEnded));
    return this.#alive(c, own, known, ended);
  }

  /** Why a session is over; undefined where it is not. */
  #over({ id, startedAtMs, usedAtMs, lifeMs }: Session, nowMs: number): string | undefined {
    const { settings, revocations } = this.#parts;
    if (revocations.hasToken(settings.issuer, id)) return 'the session is revoked';
    // What ended is remembered by length of life: of a session of another one nobody knows whether it was ended.
    if (lifeMs !== settings.lifeMs) return 'the session was begun under another session.absolute';
    if (nowMs - startedAtMs >= lifeMs) return 'the session has lived its time';
    return nowMs - usedAtMs >= settings.idleMs ? 'the session was not used for too long' : undefined;
  }

  #alive(c: PolicyContext, own: OwnCookies, known: Known, isEnded: boolean): Awaitable<Decision> {
    if (isEnded) return this.#without(c, own, 'the session was ended');
    const { session } = known;
    const { untilMs = Number.POSITIVE_INFINITY } = session.times;
    // In shadow nothing is asked of the provider: it would use up what the live attachment needs.
    if (c.shadow) return this.#pass(c, known, NO_FIELDS);
    if (isDue(session, c.now)) return this.#renew(c, own, known);
    if (c.now >= untilMs) return this.#without(c, own, 'its tokens are over');
    return this.#pass(c, known, this.#touched(c, own, session));
  }

  async #renew(c: PolicyContext, own: OwnCookies, known: Known): Promise<Decision> {
    const { renewals, sessions } = this.#parts;
    let current = known;
    // A browser that missed an answer may be more than one renewal behind.
    for (let i = 0; i < MAX_BEHIND && isDue(current.session, c.now); i++) {
      const renewal = await renewals.renew(c, current.session);
      // Not cleared: the browser may have a newer one by now, from the answer to another request.
      if (renewal.kind === 'over') return await this.#refuse(c, own, renewal.reason, []);
      if (renewal.kind !== 'renewed') {
        this.#assertGoodEnough(c, current.session, renewal);
        break;
      }
      const session = { ...renewal.session, usedAtMs: c.now };
      current = { session, caller: sessions.callerOf(session) };
    }
    const fields = current === known ? NO_FIELDS : sessions.write(c, current.session, own);
    return this.#pass(c, current, fields);
  }

  /**
   * Tokens that still hold are good enough; where the upstream gets none, so is that another worker asks or has asked.
   * Throws PolicyFailure where nothing is.
   */
  #assertGoodEnough(
    c: PolicyContext,
    { times }: Session,
    renewal: Exclude<Renewal, { kind: 'renewed' | 'over' }>,
  ): void {
    const { untilMs = Number.POSITIVE_INFINITY } = times;
    const isElsewhere = renewal.kind === 'elsewhere' && this.#parts.settings.upstream === 'none';
    if (c.now < untilMs + (isElsewhere ? OVERLAP_MS : 0)) return;
    if (isElsewhere && renewal.isDone) return;
    throw cannotTell(renewal.kind === 'elsewhere' ? 'another worker renews the session' : renewal.reason);
  }

  /** Fields that tell the browser that its session was used; none as long as its cookie is not much older. */
  #touched(c: PolicyContext, own: OwnCookies, session: Session): readonly string[] {
    const { settings, sessions } = this.#parts;
    if (c.now - session.usedAtMs < settings.idleMs / TOUCH_SHARE) return NO_FIELDS;
    return sessions.write(c, { ...session, usedAtMs: c.now }, own);
  }

  #pass(c: PolicyContext, { session, caller }: Known, fields: readonly string[]): Decision {
    const { answers, settings } = this.#parts;
    const identity = typeof caller === 'string' ? caller : caller.identity();
    if (typeof identity === 'string') return answers.stranger(identity, fields);
    const { edits } = c;
    for (let i = 0; i < fields.length; i += 2) edits.appendResponseHeader(fields[i], fields[i + 1]);
    // A cache on the way must not hand one user's session to the next (RFC 9111 §3).
    if (fields.length > 0) edits.setResponseHeader('Cache-Control', 'no-store');
    if (settings.upstream !== 'none') {
      const token = settings.upstream === 'id-token' ? session.idToken : session.accessToken;
      edits.setRequestHeader('Authorization', `Bearer ${token}`);
    }
    c.provide('identity', identity);
    return CONTINUE;
  }

  /** Nobody is signed in. What was presented is taken from the browser. */
  #without(c: PolicyContext, own: OwnCookies, reason: string | undefined): Awaitable<Decision> {
    return this.#refuse(c, own, reason, this.#parts.cookies.clearSession(own));
  }

  #refuse(
    c: PolicyContext,
    own: OwnCookies,
    reason: string | undefined,
    fields: readonly string[],
  ): Awaitable<Decision> {
    const { answers, settings, signIn } = this.#parts;
    if (settings.redirectsToLogin && isNavigation(c.request)) return signIn.begin(c, own, fields);
    return reason === undefined ? answers.missing(fields) : answers.invalidSession(reason, fields);
  }
}

const isDue = ({ times: { renewAtMs } }: Session, nowMs: number): boolean =>
  renewAtMs !== undefined && nowMs >= renewAtMs;

const NO_FIELDS: readonly string[] = Object.freeze([]);
