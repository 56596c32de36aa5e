import type { Awaitable, CredentialGuard, Decision, PolicyContext } from '../../contract/index.ts';
import type { Claims } from '../../identity/index.ts';
import { type Answers, cannotTell } from './answers.ts';
import { type Cookies, type OwnCookies, TRANSACTION_MS } from './cookies.ts';
import type { EndedSessions } from './ended-sessions.ts';
import { Marks } from './marks.ts';
import type { Provider, ProviderDirectory } from './provider.ts';
import type { NoTokens, ProviderClient, Tokens, UserClaims } from './provider-client.ts';
import { returnToOf, safeReturnTo } from './return-to.ts';
import type { Seal } from './seal.ts';
import { newSessionId, type Session } from './session.ts';
import type { SessionStore } from './session-store.ts';
import type { Settings } from './settings.ts';
import { tokenTimes } from './token-times.ts';
import {
  beginTransaction,
  challengeOf,
  readTransaction,
  type Transaction,
  transactionId,
  writeTransaction,
} from './transaction.ts';

/** What signing in is made of. */
export interface SignInParts {
  readonly settings: Settings;
  readonly answers: Answers;
  readonly cookies: Cookies;
  readonly seal: Seal;
  readonly sessions: SessionStore;
  readonly directory: ProviderDirectory;
  readonly client: ProviderClient;
  readonly ended: EndedSessions;
  readonly guard: CredentialGuard;
  /** Scope of the attachment's marks. */
  readonly scope: string;
}

/** Redeeming a code takes so many answers of the provider at most: metadata, tokens, keys and where they are, claims. */
const ANSWERS = 5;
const MAX_QUERY_LENGTH = 8192;

/** The authorization code flow with PKCE (RFC 6749 §4.1, RFC 7636, OpenID Connect Core §3.1): there and back. */
export class SignIn {
  readonly #parts: SignInParts;
  readonly #redeeming: Marks;
  readonly #used: Marks;

  constructor(parts: SignInParts) {
    this.#parts = parts;
    this.#redeeming = new Marks(`${parts.scope} redeeming`, ANSWERS * parts.settings.timeoutMs);
    this.#used = new Marks(`${parts.scope} used`, TRANSACTION_MS);
  }

  /** Sends a browser to the provider, from where it comes back to what it asked for. `fields` go along. */
  begin(c: PolicyContext, own: OwnCookies, fields: readonly string[]): Awaitable<Decision> {
    const { path, query } = c.request;
    const { origin } = this.#parts.settings;
    return this.#beginFor(c, own, returnToOf(path, query, origin), fields);
  }

  /** The path at which a page begins a sign-in by itself: `?return_to=` says where it goes on. */
  login(c: PolicyContext, own: OwnCookies): Awaitable<Decision> {
    const { answers, settings } = this.#parts;
    if (c.request.method !== 'GET') return answers.wrongMethod('GET');
    const [wanted = '', ...others] = new URLSearchParams(c.request.query).getAll('return_to');
    const returnTo = others.length === 0 ? safeReturnTo(wanted, settings.origin) : undefined;
    return this.#beginFor(c, own, returnTo === undefined || this.#isOwnPath(returnTo) ? '/' : returnTo, []);
  }

  /** To an own path nobody is sent back: a sign-in would end in signing out. */
  #isOwnPath(target: string): boolean {
    const { origin, paths } = this.#parts.settings;
    const { pathname } = new URL(target, origin);
    return Object.values(paths).includes(pathname);
  }

  #beginFor(
    c: PolicyContext,
    own: OwnCookies,
    returnTo: string,
    fields: readonly string[],
  ): Awaitable<Decision> {
    const { directory } = this.#parts;
    const { current, pending } = directory;
    if (current !== undefined) return this.#send(c, own, current, returnTo, fields);
    if (pending === undefined) throw cannotTell(`the provider is not known: ${directory.problem}`);
    return pending.then(() => {
      if (directory.current === undefined)
        throw cannotTell(`the provider is not known: ${directory.problem}`);
      return this.#send(c, own, directory.current, returnTo, fields);
    });
  }

  #send(
    c: PolicyContext,
    own: OwnCookies,
    provider: Provider,
    returnTo: string,
    fields: readonly string[],
  ): Decision {
    const { settings, answers, cookies, seal, client } = this.#parts;
    const { random } = c.deps;
    const transaction = beginTransaction(returnTo, random, c.now);
    const url = new URL(provider.authorization);
    const parameters = {
      ...settings.parameters,
      response_type: 'code',
      client_id: settings.clientId,
      redirect_uri: client.redirectUri,
      scope: settings.scopes.join(' '),
      state: transaction.state,
      nonce: transaction.nonce,
      code_challenge: challengeOf(transaction),
      code_challenge_method: 'S256',
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    const id = transactionId(transaction.state) ?? '';
    const cookie = cookies.addTransaction(id, seal.seal(writeTransaction(transaction), random), own);
    return answers.redirect(302, url.href, [...fields, ...cookie]);
  }

  /** The way back. */
  async callback(c: PolicyContext, own: OwnCookies): Promise<Decision> {
    const { answers, guard, cookies } = this.#parts;
    if (c.request.method !== 'GET') return answers.wrongMethod('GET');
    const refused = await guard.check(c);
    if (refused !== undefined) return refused;
    const parameters = readParameters(c.request.query);
    const state = parameters?.get('state') ?? '';
    const id = transactionId(state);
    if (parameters === undefined || id === undefined)
      return answers.failedSignIn('the response is malformed', []);
    const transaction = await this.#transaction(c, own, id, state);
    // Not counted: a person who goes back in his history is no guesser.
    if (typeof transaction === 'string') return answers.failedSignIn(transaction, []);
    return await this.#redeem(c, own, parameters, transaction, cookies.endTransaction(id));
  }

  /** The sign-in that the browser began; a text says why there is none. */
  async #transaction(
    c: PolicyContext,
    own: OwnCookies,
    id: string,
    state: string,
  ): Promise<Transaction | string> {
    const { cookies, seal, guard } = this.#parts;
    const sealed = own.transactions.get(cookies.transactionName(id));
    if (sealed === undefined) return 'no sign-in with this state is under way in this browser';
    const opened = seal.open(sealed);
    if (opened.kind === 'forged') await guard.failed(c);
    if (opened.kind !== 'opened') return `the cookie of the sign-in is ${opened.kind}`;
    return readTransaction(opened.text, state, c.now) ?? 'the sign-in is of another state, or took too long';
  }

  /** One use for each state, by whichever worker: a code that is redeemed twice is taken for stolen (RFC 6749 §4.1.2). */
  async #redeem(
    c: PolicyContext,
    own: OwnCookies,
    parameters: URLSearchParams,
    transaction: Transaction,
    over: readonly string[],
  ): Promise<Decision> {
    const { answers, guard } = this.#parts;
    const { state } = c.deps;
    if ((await this.#used.since(state, transaction.state, c.now)) !== undefined)
      return answers.failedSignIn('the sign-in was completed before', over);
    if (!(await this.#redeeming.place(state, transaction.state, c.now)))
      throw cannotTell('another request completes this sign-in, or could not a moment ago');
    const tokens = await this.#tokens(c, parameters, transaction);
    // The browser keeps its cookie: the same address may be asked again.
    if (tokens.kind === 'unavailable') throw cannotTell(tokens.reason);
    await this.#used.renew(state, transaction.state, c.now);
    if (tokens.kind === 'denied') return answers.denied(tokens.reason, over);
    if (tokens.kind === 'tokens') return await this.#establish(c, own, tokens, transaction, over);
    await guard.failed(c);
    return answers.failedSignIn(tokens.reason, over);
  }

  async #tokens(
    c: PolicyContext,
    parameters: URLSearchParams,
    transaction: Transaction,
  ): Promise<Tokens | NoTokens> {
    const { client, directory } = this.#parts;
    const { network, clock } = c.deps;
    if (directory.current === undefined) await directory.pending;
    const provider = directory.current;
    if (provider === undefined)
      return { kind: 'unavailable', reason: `the provider is not known: ${directory.problem}` };
    return await client.redeem({ provider, network, clock }, parameters, transaction);
  }

  async #establish(
    c: PolicyContext,
    own: OwnCookies,
    tokens: Tokens,
    transaction: Transaction,
    over: readonly string[],
  ): Promise<Decision> {
    const { settings, answers, sessions, ended } = this.#parts;
    const claims = await this.#claims(c, tokens);
    if ('reason' in claims) throw cannotTell(claims.reason);
    const session = newSession(c, settings, tokens, claims.claims);
    const caller = sessions.callerOf(session);
    const identity = typeof caller === 'string' ? caller : caller.identity();
    if (typeof identity === 'string') return answers.stranger(identity, over);
    const started = { ...session, startedAtMs: await ended.startFor(c, session) };
    const fields = [...sessions.write(c, started, own), ...over];
    const location = settings.origin + transaction.returnTo;
    return settings.cookie.sameSite === 'Strict'
      ? answers.goOn(location, fields)
      : answers.redirect(303, location, fields);
  }

  /** Those of the ID token, and more where they are asked for. Without them a rule that denies could miss somebody. */
  async #claims(c: PolicyContext, { claims = {}, accessToken }: Tokens): Promise<UserClaims | NoTokens> {
    const { settings, client, directory } = this.#parts;
    const provider = directory.current;
    if (!settings.userinfo || provider === undefined) return { claims };
    const { network, clock } = c.deps;
    const more = await client.userinfo({ provider, network, clock }, accessToken, String(claims.sub));
    return 'reason' in more ? more : { claims: { ...more.claims, ...claims } };
  }
}

/** Every session has a new id, whatever the browser had before. */
function newSession(c: PolicyContext, settings: Settings, tokens: Tokens, claims: Claims): Session {
  const { sid } = claims;
  return {
    id: newSessionId(c.deps.random),
    startedAtMs: c.now,
    lifeMs: settings.lifeMs,
    usedAtMs: c.now,
    sid: typeof sid === 'string' && sid !== '' ? sid : undefined,
    idToken: tokens.idToken ?? '',
    claims,
    accessToken: settings.upstream === 'access-token' ? tokens.accessToken : undefined,
    refreshToken: tokens.refreshToken,
    times: tokenTimes(settings.upstream, tokens, claims, c.now),
  };
}

/** Parameters of a response, each at most once: of two, two readers could take different ones. */
function readParameters(query: string): URLSearchParams | undefined {
  if (query.length > MAX_QUERY_LENGTH) return undefined;
  const parameters = new URLSearchParams(query);
  const names = [...parameters.keys()];
  if (new Set(names).size !== names.length) return undefined;
  // Exactly one outcome (RFC 6749 §4.1.2).
  return parameters.has('code') === parameters.has('error') ? undefined : parameters;
}
