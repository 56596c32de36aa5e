import type { Awaitable, BodyView, CredentialGuard, Decision, PolicyContext } from '../../contract/index.ts';
import { type Answers, cannotTell } from './answers.ts';
import type { Cookies, OwnCookies } from './cookies.ts';
import type { EndedSessions } from './ended-sessions.ts';
import { LOGOUT_TOKEN, logoutTokenFault, signedOutBy } from './logout-token.ts';
import { Marks } from './marks.ts';
import { isOwn } from './negotiation.ts';
import type { Provider, ProviderDirectory } from './provider.ts';
import type { Session } from './session.ts';
import type { SessionStore } from './session-store.ts';
import type { Settings } from './settings.ts';
import type { SignedTokens } from './signed-tokens.ts';

export interface SignOutParts {
  readonly settings: Settings;
  readonly answers: Answers;
  readonly cookies: Cookies;
  readonly sessions: SessionStore;
  readonly directory: ProviderDirectory;
  readonly ended: EndedSessions;
  readonly signed: SignedTokens;
  readonly guard: CredentialGuard;
  readonly scope: string;
}

/** A longer hint would not fit the URLs that servers take. */
const MAX_HINT_LENGTH = 4096;
/** Longer than any logout token in a form. */
const MAX_NOTICE_BYTES = 128 * 1024;
const FORM = /^application\/x-www-form-urlencoded\s*(;|$)/i;

/** The two ways out: the user signs out here, or the provider tells that he has elsewhere. */
export class SignOut {
  readonly #parts: SignOutParts;
  readonly #usedTokens: Marks;

  constructor(parts: SignOutParts) {
    this.#parts = parts;
    // A token is good for its age, and that much earlier and later where clocks differ.
    const { toleranceMs } = parts.settings;
    this.#usedTokens = new Marks(`${parts.scope} logout tokens`, LOGOUT_TOKEN.maxAgeMs + 3 * toleranceMs);
  }

  /** RP-initiated logout (OpenID Connect RP-Initiated Logout §2). Ends the session here whatever the provider does. */
  async logout(c: PolicyContext, own: OwnCookies): Promise<Decision> {
    const { answers, cookies, directory, ended, settings } = this.#parts;
    const { method } = c.request;
    if (method !== 'GET' && method !== 'POST') return answers.wrongMethod('GET, POST');
    if (!isOwn(c.request, settings.origin)) return answers.notOwn();
    const session = this.#sessionIn(own);
    if (session !== undefined) await ended.end(c, session);
    if (directory.current === undefined) await directory.pending;
    const location = endSessionUrl(settings, directory.current, session) ?? settings.postLogoutRedirect;
    return answers.redirect(303, location, cookies.clearSession(own));
  }

  /** Back-channel logout: the head of the provider's message. Undefined where its body is to be read. */
  notice(c: PolicyContext): Awaitable<Decision | undefined> {
    const { answers, guard } = this.#parts;
    if (c.request.method !== 'POST') return answers.wrongMethod('POST');
    if (!FORM.test(c.request.headers.get('content-type') ?? ''))
      return answers.badLogoutToken('the message is no form');
    return guard.check(c);
  }

  /** Its body (OpenID Connect Back-Channel Logout §2.5). */
  async signOut(c: PolicyContext, body: BodyView): Promise<Decision> {
    const { answers, guard, ended, signed } = this.#parts;
    if (body.bytes.length > MAX_NOTICE_BYTES) return answers.badLogoutToken('the message is too long');
    const [token = '', ...others] = new URLSearchParams(textOf(body)).getAll('logout_token');
    if (token === '' || others.length > 0)
      return answers.badLogoutToken('there is not exactly one logout token');
    const verified = await signed.verify(token, LOGOUT_TOKEN, c.now);
    if (verified.kind === 'unavailable') throw cannotTell(verified.reason);
    const fault = verified.kind === 'wrong' ? verified.reason : logoutTokenFault(verified);
    if (fault !== undefined || verified.kind === 'wrong') {
      await guard.failed(c);
      return answers.badLogoutToken(fault ?? 'wrong');
    }
    const id = String(verified.claims.jti);
    if (!(await this.#usedTokens.place(c.deps.state, id, c.now)))
      return answers.badLogoutToken('the logout token was used before');
    await ended.signOut(c, signedOutBy(verified.claims));
    return answers.done();
  }

  /** Whatever its age: a hint to the provider, and the name of what is to be ended. */
  #sessionIn({ session }: OwnCookies): Session | undefined {
    if (session.kind !== 'value' || session.value === '') return undefined;
    const known = this.#parts.sessions.remembered(session.value) ?? this.#parts.sessions.open(session.value);
    return typeof known === 'string' ? undefined : known.session;
  }
}

/** Undefined where the provider is not known now, or ends no sessions. */
function endSessionUrl(
  { clientId, postLogoutRedirect }: Settings,
  provider: Provider | undefined,
  session: Session | undefined,
): string | undefined {
  if (provider?.endSession === undefined) return undefined;
  const url = new URL(provider.endSession);
  url.searchParams.set('client_id', clientId);
  url.searchParams.set('post_logout_redirect_uri', postLogoutRedirect);
  if (session !== undefined && session.idToken.length <= MAX_HINT_LENGTH)
    url.searchParams.set('id_token_hint', session.idToken);
  return url.href;
}

/** '' for what is no UTF-8. */
function textOf(body: BodyView): string {
  try {
    return body.text();
  } catch {
    return '';
  }
}
