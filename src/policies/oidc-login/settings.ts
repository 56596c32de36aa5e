import type { CompileDeps } from '../../contract/index.ts';
import { ConfigError, type ConfigIssue } from '../../errors.ts';
import { parseDuration } from '../../lib/duration.ts';
import type { CookieRules } from './cookies.ts';
import type { OidcLoginConfig } from './schema.ts';

/** A document's words as this policy works with them. Times in milliseconds. */
export interface Settings {
  readonly issuer: string;
  /** Origin under which browsers reach the routes. */
  readonly origin: string;
  readonly clientId: string;
  readonly client: ClientSettings;
  readonly scopes: readonly string[];
  readonly parameters: Readonly<Record<string, string>>;
  readonly userinfo: boolean;
  readonly redirectsToLogin: boolean;
  readonly upstream: 'none' | 'access-token' | 'id-token';
  readonly paths: OwnPaths;
  /** Absolute. */
  readonly postLogoutRedirect: string;
  readonly cookie: CookieRules;
  readonly secrets: readonly string[];
  readonly idleMs: number;
  readonly lifeMs: number;
  readonly toleranceMs: number;
  readonly timeoutMs: number;
  readonly ca: string | undefined;
  readonly realm: string;
}

export interface OwnPaths {
  readonly callback: string;
  readonly login: string;
  readonly logout: string;
  readonly backchannel: string | undefined;
}

/** How the gateway proves itself to the provider. */
export type ClientSettings =
  | { readonly auth: 'client-secret-basic'; readonly secret: string }
  | { readonly auth: 'client-secret-post'; readonly secret: string }
  | { readonly auth: 'private-key-jwt'; readonly key: string; readonly keyId: string | undefined }
  | { readonly auth: 'none' };

const MIN_SECRET_LENGTH = 32;
const [MINUTE_MS, DAY_MS] = [60_000, 86_400_000];
/** Longer sessions are no sessions; and their marks would fill the counters. */
const MAX_LIFE_MS = 90 * DAY_MS;
const LOOPBACK = /^(localhost|127\.[0-9.]+|\[::1\])$/;

/** Parameters that a sign-in stands on: no document says them. */
const RESERVED = [
  'client_id',
  'code_challenge',
  'code_challenge_method',
  'nonce',
  'redirect_uri',
  'request',
  'request_uri',
  'response_mode',
  'response_type',
  'scope',
  'state',
];

/** Throws ConfigError with every fault there is. */
export function readSettings(config: OidcLoginConfig, deps: CompileDeps): Settings {
  const issues: ConfigIssue[] = [];
  const { session, cookie = {}, parameters = {}, ca } = config;
  const scopes = config.scopes ?? ['openid'];
  const origin = originOf(config.publicUrl, issues);
  const secure = origin.startsWith('https:');
  const paths = pathsOf(config, issues);
  checkSession(config, issues);
  checkCookie(cookie, secure, issues);
  checkReach(paths, cookie.path, issues);
  if (!scopes.includes('openid')) {
    issues.push({
      path: 'scopes',
      message: 'do not have "openid"',
      suggestion: 'without it nobody is identified',
    });
  }
  for (const name of Object.keys(parameters).filter((one) => RESERVED.includes(one)))
    issues.push({ path: `parameters.${name}`, message: 'is the gateway’s own to say' });
  const client = collect(issues, () => clientOf(config, deps));
  const secrets = session.secrets.map((reference, i) =>
    collect(issues, () => sessionSecret(reference, `session.secrets[${i}]`, deps)),
  );
  const authority = ca === undefined ? undefined : collect(issues, () => readFile(ca, deps));
  if (issues.length > 0 || client === undefined) throw new ConfigError(issues);
  return {
    issuer: config.issuer,
    origin,
    clientId: config.clientId,
    client,
    scopes,
    parameters,
    userinfo: config.userinfo ?? false,
    redirectsToLogin: (config.unauthenticated ?? 'login') === 'login',
    upstream: config.upstream ?? 'none',
    paths,
    postLogoutRedirect: new URL(config.postLogoutRedirect ?? '/', origin).href,
    cookie: cookieRules(cookie, secure),
    secrets: secrets.filter((secret) => secret !== undefined),
    idleMs: duration(session.idle, 30 * MINUTE_MS),
    lifeMs: duration(session.absolute, 8 * 60 * MINUTE_MS),
    toleranceMs: duration(config.clockTolerance, MINUTE_MS),
    timeoutMs: duration(config.timeout, 5000),
    ca: authority,
    realm: config.realm ?? 'api',
  };
}

const duration = (text: string | undefined, fallbackMs: number): number =>
  text === undefined ? fallbackMs : (parseDuration(text) ?? fallbackMs);

/** Plain HTTP would show every session to whoever listens. Loopback is where nobody can. */
function originOf(publicUrl: string, issues: ConfigIssue[]): string {
  const path = 'publicUrl';
  const url = URL.canParse(publicUrl) ? new URL(publicUrl) : undefined;
  if (url === undefined || (url.protocol !== 'https:' && !LOOPBACK.test(url.hostname))) {
    const suggestion = 'write https://, also where a proxy in front of the gateway ends TLS';
    issues.push({ path, message: 'is no https URL, and cookies would travel readable', suggestion });
    return 'https://invalid';
  }
  return url.origin;
}

function pathsOf(config: OidcLoginConfig, issues: ConfigIssue[]): OwnPaths {
  const paths = {
    callback: config.callbackPath ?? '/.sallyport/callback',
    login: config.loginPath ?? '/.sallyport/login',
    logout: config.logoutPath ?? '/.sallyport/logout',
    backchannel: config.backchannelPath,
  };
  const named = Object.entries(paths).filter(([, path]) => path !== undefined);
  for (const [i, [name, path]] of named.entries()) {
    const same = named.slice(0, i).find(([, other]) => other === path);
    if (same === undefined) continue;
    issues.push({ path: `${name}Path`, message: `is the same path as ${same[0]}Path` });
  }
  return paths;
}

function checkSession({ session, timeout }: OidcLoginConfig, issues: ConfigIssue[]): void {
  const idle = duration(session.idle, 30 * MINUTE_MS);
  const life = duration(session.absolute, 8 * 60 * MINUTE_MS);
  if (life < MINUTE_MS || life > MAX_LIFE_MS)
    issues.push({ path: 'session.absolute', message: 'is not from 1m to 90d' });
  if (idle < MINUTE_MS || idle > Math.max(life, MINUTE_MS))
    issues.push({ path: 'session.idle', message: 'is not from 1m to the length of session.absolute' });
  const waits = duration(timeout, 5000);
  if (waits < 1 || waits > MINUTE_MS) issues.push({ path: 'timeout', message: 'is not from 1ms to 1m' });
}

type CookieConfig = NonNullable<OidcLoginConfig['cookie']>;

/** What browsers would refuse without a word, so that nobody could sign in (RFC 6265bis §4.1.3). */
function checkCookie(
  { name = '', domain, path, sameSite, maxAge }: CookieConfig,
  secure: boolean,
  issues: ConfigIssue[],
) {
  const prefixed = /^__(host|secure)-/i.test(name);
  if (prefixed && !secure) issues.push({ path: 'cookie.name', message: 'has a prefix that needs https' });
  if (/^__host-/i.test(name) && (domain !== undefined || path !== undefined)) {
    const message = 'has the prefix __Host-, which allows no domain and no path';
    issues.push({ path: 'cookie.name', message, suggestion: 'take __Secure-' });
  }
  if (sameSite === 'none' && !secure) issues.push({ path: 'cookie.sameSite', message: 'none needs https' });
  if (maxAge !== undefined && duration(maxAge, 0) < MINUTE_MS)
    issues.push({ path: 'cookie.maxAge', message: 'is less than 1m' });
}

/** A sign-in could not end where its cookie is not sent. */
function checkReach(paths: OwnPaths, path: string | undefined, issues: ConfigIssue[]): void {
  if (path === undefined) return;
  const { callback, login, logout } = paths;
  for (const [name, own] of Object.entries({ callback, login, logout }))
    if (!own.startsWith(`${path}/`))
      issues.push({ path: `${name}Path`, message: `is not under cookie.path (${path})` });
}

const SAME_SITE = { lax: 'Lax', strict: 'Strict', none: 'None' } as const;

function cookieRules(
  { name, domain, path, sameSite = 'lax', maxAge }: CookieConfig,
  secure: boolean,
): CookieRules {
  const prefix = !secure ? '' : domain === undefined && path === undefined ? '__Host-' : '__Secure-';
  return {
    name: name ?? `${prefix}sallyport`,
    domain,
    path: path ?? '/',
    secure,
    sameSite: SAME_SITE[sameSite],
    maxAgeMs: maxAge === undefined ? undefined : parseDuration(maxAge),
  };
}

function clientOf(config: OidcLoginConfig, deps: CompileDeps): ClientSettings {
  const { clientSecret, clientKey, clientKeyId: keyId } = config;
  const auth = config.clientAuth ?? (clientKey === undefined ? 'client-secret-basic' : 'private-key-jwt');
  if (auth === 'none') {
    if (clientSecret !== undefined) throw ConfigError.at('clientSecret', 'is not used with clientAuth: none');
    return { auth };
  }
  if (auth === 'private-key-jwt') {
    if (clientKey === undefined)
      throw ConfigError.at('clientKey', 'is missing for clientAuth: private-key-jwt');
    return { auth, key: resolve(clientKey, 'clientKey', deps), keyId };
  }
  if (clientSecret === undefined) {
    throw ConfigError.at(
      'clientSecret',
      `is missing for clientAuth: ${auth}`,
      'a client without one has clientAuth: none',
    );
  }
  return { auth, secret: resolve(clientSecret, 'clientSecret', deps) };
}

function sessionSecret(reference: string, path: string, deps: CompileDeps): string {
  const secret = resolve(reference, path, deps);
  if (secret.length >= MIN_SECRET_LENGTH) return secret;
  const message = `is shorter than ${MIN_SECRET_LENGTH} characters, and could be guessed`;
  throw ConfigError.at(path, message, 'make one with: openssl rand -hex 32');
}

function resolve(reference: string, path: string, deps: CompileDeps): string {
  try {
    return deps.secrets.resolve(reference);
  } catch (error) {
    throw at(path, error);
  }
}

function readFile(reference: string, deps: CompileDeps): string {
  try {
    return deps.files.read(reference.slice('file:'.length));
  } catch (error) {
    throw at('ca', error);
  }
}

/** The same fault, told at the option that it is about. */
function at(path: string, error: unknown): unknown {
  if (!(error instanceof ConfigError)) return error;
  return new ConfigError(error.issues.map((issue) => ({ ...issue, path })));
}

/** Undefined where there was a fault, which is noted. */
function collect<T>(issues: ConfigIssue[], work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    issues.push(...error.issues);
    return undefined;
  }
}
