import { hash } from 'node:crypto';
import type { Awaitable, CompileDeps, PolicyContext } from '../../contract/index.ts';
import { ConfigError } from '../../errors.ts';
import { atOption } from '../../lib/option-path.ts';
import { compileOAuthClient } from '../../tokens/index.ts';
import { CallerTokens } from './caller-token.ts';
import { type OwnToken, type OwnTokenRules, ownTokenRequest } from './own-token.ts';
import type { OAuthConfig, SignedTokenConfig, UpstreamAuthConfig } from './schema.ts';

/** Why there is no credential for a request. */
export interface Lack {
  readonly lack: 'caller' | 'token';
  /** For the record. */
  readonly reason: string;
}

/** What the upstream is sent in the place of what the client sent. */
export interface Credential {
  /** The header that carries it. */
  readonly header: string;
  /** Synchronous where it is at hand. May reject: then there is none. */
  valueFor(c: PolicyContext): Awaitable<string | Lack>;
  /** The upstream says that it does not take it. */
  refused?(): void;
  release?(): void;
}

const AUTHORIZATION = 'Authorization';
/** Nothing is sent anywhere where there is no network: that the request would go on is all there is to say. */
const OFFLINE_VALUE = 'Bearer offline';
/** What a header can carry and every server reads alike. */
const VISIBLE = /^[!-~]+$/;

/** Throws ConfigError with paths in the config. */
export function compileCredential(config: UpstreamAuthConfig, deps: CompileDeps): Credential {
  const { apiKey, basic, bearer, oauth2, jwt } = config;
  if (apiKey !== undefined) {
    const secret = visible(apiKey.secret, 'apiKey.secret', deps);
    return fixed(apiKey.header ?? 'X-Api-Key', secret);
  }
  if (basic !== undefined) {
    const password = atOption('basic.password', () => deps.secrets.resolve(basic.password));
    const pair = Buffer.from(`${basic.username}:${password}`, 'utf8').toString('base64');
    return fixed(AUTHORIZATION, `Basic ${pair}`);
  }
  if (bearer !== undefined)
    return fixed(AUTHORIZATION, `Bearer ${visible(bearer.token, 'bearer.token', deps)}`);
  if (oauth2 !== undefined) return ownToken(oauth2, deps);
  if (jwt !== undefined) return callerToken(jwt, deps);
  throw ConfigError.at('', 'says no credential', 'give it apiKey, basic, bearer, oauth2 or jwt');
}

const fixed = (header: string, value: string): Credential => ({ header, valueFor: () => value });

/** Never told in the fault: it is a secret. */
function visible(reference: string, path: string, deps: CompileDeps): string {
  const secret = atOption(path, () => deps.secrets.resolve(reference));
  if (VISIBLE.test(secret)) return secret;
  throw ConfigError.at(path, 'the secret is not made of visible ASCII characters, so no header can carry it');
}

function callerToken(config: SignedTokenConfig, deps: CompileDeps): Credential {
  const tokens = new CallerTokens(config, deps);
  const { header = AUTHORIZATION } = config;
  const prefix = header.toLowerCase() === 'authorization' ? 'Bearer ' : '';
  return {
    header,
    valueFor(c) {
      const token = tokens.tokenFor(c.facts.identity, c.now);
      if (token === undefined) return { lack: 'caller', reason: 'nobody is known whom the token could name' };
      return typeof token === 'string' ? prefix + token : token.then((signed) => prefix + signed);
    },
  };
}

function ownToken(config: OAuthConfig, deps: CompileDeps): Credential {
  const rules = ownTokenRules(config, deps);
  // The secret is in it as a hash of everything: no key of a resource gives one away.
  const fingerprint = hash('sha256', JSON.stringify(rules), 'base64url');
  const { resource, release } = deps.resources.acquire(ownTokenRequest(rules, fingerprint));
  return {
    header: AUTHORIZATION,
    valueFor() {
      const { current } = resource;
      if (current !== undefined) return `Bearer ${current}`;
      return resource.pending === undefined
        ? lackOf(resource)
        : resource.pending.then(() => presentOf(resource));
    },
    refused: () => resource.refused(),
    release,
  };
}

function presentOf(resource: OwnToken): string | Lack {
  const { current } = resource;
  return current === undefined ? lackOf(resource) : `Bearer ${current}`;
}

function lackOf({ isOffline, problem }: OwnToken): string | Lack {
  return isOffline ? OFFLINE_VALUE : { lack: 'token', reason: problem };
}

function ownTokenRules(config: OAuthConfig, deps: CompileDeps): OwnTokenRules {
  const { issuer, tokenUrl, scopes, audience, resource } = config;
  if (issuer !== undefined && tokenUrl !== undefined)
    throw ConfigError.at('oauth2.tokenUrl', 'is found by the issuer', 'take one of the two out');
  return {
    ...compileOAuthClient(config, { option: 'tokenUrl', url: tokenUrl }, 'oauth2.', deps),
    parameters: {
      ...(scopes === undefined ? {} : { scope: scopes.join(' ') }),
      ...(audience === undefined ? {} : { audience }),
      ...(resource === undefined ? {} : { resource }),
    },
  };
}
