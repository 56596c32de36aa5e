import {
  type Awaitable,
  type BodyView,
  CONTINUE,
  type CompileDeps,
  type Decision,
  type Policy,
  type PolicyContext,
  type PolicyDefinition,
  TAKE,
} from '../../contract/index.ts';
import { ClaimMapping, credentialFields } from '../../identity/index.ts';
import { loadSignatureCheck, remoteKeysRequest } from '../../tokens/index.ts';
import { Answers } from './answers.ts';
import { Cookies, type OwnCookies } from './cookies.ts';
import { EndedSessions, lifetimesRequest } from './ended-sessions.ts';
import { Gate } from './gate.ts';
import { type ProviderDirectory, providerRequest } from './provider.ts';
import { loadProviderClient, type ProviderClient } from './provider-client.ts';
import { Renewals } from './renewal.ts';
import { type OidcLoginConfig, oidcLoginOutline, type oidcLoginSchema } from './schema.ts';
import { Seal } from './seal.ts';
import { SessionStore } from './session-store.ts';
import { type OwnPaths, readSettings, type Settings } from './settings.ts';
import { SignIn } from './sign-in.ts';
import { SignOut } from './sign-out.ts';
import { SignedTokens } from './signed-tokens.ts';

/** Beside its cookies: what a browser brings back from the provider. */
const FIELDS = credentialFields([], ['code', 'state']);

/** How fresh the provider's keys are kept. */
const KEYS = Object.freeze({
  url: undefined,
  refreshMs: 900_000,
  cooldownMs: 30_000,
  staleForMs: 86_400_000,
});

/** Signs browsers in at an OpenID provider and keeps them signed in by an encrypted cookie. */
export const oidcLogin: PolicyDefinition<typeof oidcLoginSchema> = {
  ...oidcLoginOutline,
  async compile(config, deps): Promise<Policy> {
    return await compileLogin(config, deps);
  },
};

async function compileLogin(config: OidcLoginConfig, deps: CompileDeps): Promise<Policy> {
  const settings = readSettings(config, deps);
  const { issuer, clientId, lifeMs, toleranceMs } = settings;
  const access = { ca: settings.ca, timeoutMs: settings.timeoutMs };
  const check = await loadSignatureCheck();
  const keys = deps.resources.acquire(remoteKeysRequest({ ...KEYS, ...access, issuer }));
  const signed = new SignedTokens({ issuer, clientId, toleranceMs }, keys.resource, check);
  const directory = deps.resources.acquire(providerRequest(issuer, access));
  const lifetimes = deps.resources.acquire(lifetimesRequest(issuer, clientId));
  lifetimes.resource.join(lifeMs);
  const dispose = () => {
    lifetimes.resource.leave(lifeMs);
    for (const held of [keys, directory, lifetimes]) held.release();
  };
  try {
    const client = await loadProviderClient(settings, signed);
    const ended = new EndedSessions(issuer, clientId, lifeMs, lifetimes.resource);
    const mapping = new ClaimMapping(config.claims ?? {}, deps);
    const parts = { settings, deps, client, ended, mapping, signed, directory: directory.resource };
    return new LoginPolicy(parts, dispose);
  } catch (error) {
    dispose();
    throw error;
  }
}

interface LoginParts {
  readonly settings: Settings;
  readonly deps: CompileDeps;
  readonly mapping: ClaimMapping;
  readonly signed: SignedTokens;
  readonly client: ProviderClient;
  readonly ended: EndedSessions;
  readonly directory: ProviderDirectory;
}

/** Tells apart what is for the gateway itself and what goes on to the upstream. */
class LoginPolicy implements Policy {
  readonly credentialFields = FIELDS;
  readonly dispose: () => void;
  readonly #paths: OwnPaths;
  readonly #cookies: Cookies;
  readonly #gate: Gate;
  readonly #signIn: SignIn;
  readonly #signOut: SignOut;

  constructor(given: LoginParts, dispose: () => void) {
    const { settings, deps, ended, client, directory, signed, mapping } = given;
    const { issuer, clientId, secrets, paths } = settings;
    const { guard, revocations } = deps;
    const purpose = JSON.stringify([issuer, clientId]);
    const scope = `oidc-login ${purpose}`;
    const answers = new Answers(settings.realm, paths.login);
    const cookies = new Cookies(settings.cookie);
    const sessions = new SessionStore(new Seal(secrets, `session ${purpose}`), cookies, mapping, issuer);
    const renewals = new Renewals({ settings, directory, client, scope });
    const shared = { settings, answers, cookies, sessions, directory, ended, guard, scope };
    this.#signIn = new SignIn({ ...shared, seal: new Seal(secrets, `sign-in ${purpose}`), client });
    this.#signOut = new SignOut({ ...shared, signed });
    this.#gate = new Gate({ ...shared, renewals, revocations, signIn: this.#signIn });
    this.#cookies = cookies;
    this.#paths = paths;
    this.dispose = dispose;
  }

  request(c: PolicyContext): Awaitable<Decision> {
    const own = this.#cookies.read(c.request.headers);
    this.#cookies.hide(own, c.edits);
    return this.#ownPath(c, own) ?? this.#gate.request(c, own);
  }

  requestBody(c: PolicyContext, body: BodyView): Awaitable<Decision> {
    const isNotice = c.request.path === this.#paths.backchannel && !c.shadow;
    return isNotice ? this.#signOut.signOut(c, body) : CONTINUE;
  }

  /** Undefined where the request is not for the gateway itself. */
  #ownPath(c: PolicyContext, own: OwnCookies): Awaitable<Decision> | undefined {
    const { callback, login, logout, backchannel } = this.#paths;
    const { path } = c.request;
    const isOwn = path === callback || path === login || path === logout || path === backchannel;
    if (!isOwn) return undefined;
    // In shadow nothing is done in the world: a code that is redeemed here is worth nothing where it is enforced.
    if (c.shadow) return CONTINUE;
    if (path === callback) return this.#signIn.callback(c, own);
    if (path === login) return this.#signIn.login(c, own);
    return path === logout ? this.#signOut.logout(c, own) : this.#notice(c);
  }

  /** The provider has no session of its own here: nobody behind this policy is asked about it. */
  async #notice(c: PolicyContext): Promise<Decision> {
    return (await this.#signOut.notice(c)) ?? TAKE;
  }
}
