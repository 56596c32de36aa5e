import type { CompileDeps } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import { parseDuration } from '../lib/duration.ts';
import { atOption } from '../lib/option-path.ts';
import { isIssuerUrl } from './issuer-metadata.ts';
import type { ClientCredential, OAuthClientRules } from './oauth-client.ts';

/** What a document says of the server, and of the gateway as its client. */
export interface OAuthClientConfig {
  readonly issuer?: string;
  readonly clientId?: string;
  readonly clientSecret?: string;
  /** An access token of the gateway's own instead of id and secret. */
  readonly bearerToken?: string;
  readonly clientAuth?: 'client-secret-basic' | 'client-secret-post';
  readonly timeout?: string;
  readonly ca?: string;
}

/** The option that names the endpoint itself, and what it says. */
export interface EndpointOption {
  readonly option: string;
  readonly url: string | undefined;
}

/** Throws ConfigError at the options, which stand below `prefix`. */
export function compileOAuthClient(
  config: OAuthClientConfig,
  endpoint: EndpointOption,
  prefix: string,
  deps: CompileDeps,
): OAuthClientRules {
  const { ca } = config;
  const timeoutMs = parseDuration(config.timeout ?? '5s') ?? 0;
  if (timeoutMs === 0)
    throw ConfigError.at(`${prefix}timeout`, 'leaves no time for an answer', 'leave it out, or write 5s');
  return {
    endpoint: endpointOf(config.issuer, endpoint, prefix),
    client: credentialOf(config, prefix, deps),
    timeoutMs,
    ca: ca === undefined ? undefined : atOption(`${prefix}ca`, () => deps.files.read(ca)),
  };
}

function endpointOf(
  issuer: string | undefined,
  { option, url }: EndpointOption,
  prefix: string,
): OAuthClientRules['endpoint'] {
  if (url !== undefined) {
    if (!URL.canParse(url)) throw ConfigError.at(prefix + option, 'is no URL');
    return { url };
  }
  if (issuer === undefined)
    throw ConfigError.at(prefix.replace(/\.$/, ''), 'says no server', `give it issuer or ${option}`);
  if (!isIssuerUrl(issuer))
    throw ConfigError.at(
      `${prefix}issuer`,
      'is no URL whose metadata can be looked for',
      `give it ${option} too`,
    );
  return { issuer };
}

function credentialOf(
  { clientId: id, clientSecret, clientAuth, bearerToken }: OAuthClientConfig,
  prefix: string,
  deps: CompileDeps,
): ClientCredential {
  if (bearerToken !== undefined) {
    if ((id ?? clientSecret ?? clientAuth) !== undefined)
      throw ConfigError.at(
        `${prefix}bearerToken`,
        'is enough to prove the gateway',
        'take clientId, clientSecret and clientAuth out',
      );
    return { method: 'bearer', token: readSecret(bearerToken, `${prefix}bearerToken`, deps) };
  }
  if (id === undefined || clientSecret === undefined) {
    const missing = id === undefined ? 'clientId' : 'clientSecret';
    throw ConfigError.at(prefix + missing, 'is missing: the server answers its clients alone');
  }
  const method = clientAuth === 'client-secret-post' ? 'client_secret_post' : 'client_secret_basic';
  return { method, id, secret: readSecret(clientSecret, `${prefix}clientSecret`, deps) };
}

/** Never told in the fault. */
function readSecret(reference: string, path: string, deps: CompileDeps): string {
  const secret = atOption(path, () => deps.secrets.resolve(reference));
  // RFC 6749 appendix A.2; a token must be the value of a header besides.
  if (/^[ -~]+$/.test(secret)) return secret;
  throw ConfigError.at(path, 'the secret is empty or has characters beyond printable ASCII');
}
