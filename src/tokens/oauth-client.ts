import type { AuthorizationServer, ClientAuth } from 'oauth4webapi';
import type { Clock, Network } from '../contract/index.ts';
import { NetworkError } from '../errors.ts';
import type { Claims } from '../identity/index.ts';
import { MAX_TOKEN_LENGTH } from './bearer.ts';
import { discoverIssuer, endpointOf, type IssuerAccess } from './issuer-metadata.ts';
import { type LibraryRequest, sendForLibrary } from './oauth-transport.ts';

type Library = typeof import('oauth4webapi');

/** What the gateway proves itself with at an authorization server. */
export type ClientCredential =
  /** RFC 6749 §2.3.1. */
  | {
      readonly method: 'client_secret_basic' | 'client_secret_post';
      readonly id: string;
      readonly secret: string;
    }
  /** RFC 7662 §2.1: an access token of its own. */
  | { readonly method: 'bearer'; readonly token: string };

/** Where and as whom an authorization server is asked. */
export interface OAuthClientRules extends IssuerAccess {
  /** The endpoint itself, or the issuer whose metadata names it. */
  readonly endpoint: { readonly url: string } | { readonly issuer: string };
  readonly client: ClientCredential;
}

/** A token of the gateway's own. */
export interface IssuedToken {
  readonly token: string;
  /** Undefined where the server does not say. */
  readonly lifetimeMs: number | undefined;
}

type EndpointName = 'introspection_endpoint' | 'token_endpoint';

/** Endpoints move rarely; where they moved is found within this. */
const METADATA_MS = 3_600_000;
const TOKEN = /^[!-~]+$/;

/**
 * The gateway as a client of an authorization server, by oauth4webapi over our own network: no redirects, bounded
 * answers, strict JSON. Whatever goes wrong rejects with NetworkError, whose message holds nothing of the answer but
 * an OAuth error code. The library is loaded with the first question.
 */
export class OAuthClient {
  readonly #rules: OAuthClientRules;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #discovered: { readonly endpoint: Promise<string>; readonly untilMs: number } | undefined = undefined;

  constructor(rules: OAuthClientRules, clock: Pick<Clock, 'monotonic'>) {
    this.#rules = rules;
    this.#clock = clock;
  }

  /** What the server knows of a token (RFC 7662 §2.2); undefined for one that is not active. */
  async introspect(network: Network, token: string): Promise<Claims | undefined> {
    const library = await import('oauth4webapi');
    const { as, client, auth, options } = await this.#asked(library, network, 'introspection_endpoint');
    const additionalParameters = { token_type_hint: 'access_token' };
    const answer = await this.#sound(library, async () => {
      const response = await library.introspectionRequest(as, client, auth, token, {
        ...options,
        additionalParameters,
      });
      return await library.processIntrospectionResponse(as, client, response).catch((cause: unknown) => {
        // Who presents a token chooses it: what is wrong with it alone must not look like an outage.
        if (cause instanceof library.ResponseBodyError && OF_THE_TOKEN.includes(cause.error))
          return undefined;
        throw cause;
      });
    });
    return answer?.active === true ? answer : undefined;
  }

  /** A token by the client credentials grant (RFC 6749 §4.4), of type Bearer. */
  async clientToken(network: Network, parameters: Readonly<Record<string, string>>): Promise<IssuedToken> {
    const library = await import('oauth4webapi');
    const { as, client, auth, options } = await this.#asked(library, network, 'token_endpoint');
    const answer = await this.#sound(library, async () => {
      const response = await library.clientCredentialsGrantRequest(
        as,
        client,
        auth,
        { ...parameters },
        options,
      );
      return await library.processClientCredentialsResponse(as, client, response);
    });
    const { access_token: token, token_type: type, expires_in: seconds } = answer;
    if (type !== 'bearer') throw this.#malformed('its token is no bearer token');
    if (token.length > MAX_TOKEN_LENGTH || !TOKEN.test(token))
      throw this.#malformed('its token fits no header');
    return { token, lifetimeMs: seconds === undefined ? undefined : seconds * 1000 };
  }

  async #asked(library: Library, network: Network, name: EndpointName) {
    const { endpoint, client } = this.#rules;
    const url = 'url' in endpoint ? endpoint.url : await this.#discover(network, endpoint.issuer, name);
    const as: AuthorizationServer = { issuer: 'issuer' in endpoint ? endpoint.issuer : url, [name]: url };
    return {
      as,
      client: { client_id: client.method === 'bearer' ? 'gateway' : client.id },
      auth: authentication(library, client),
      options: {
        [library.customFetch]: (to: string, sent: LibraryRequest) =>
          sendForLibrary(network, to, sent, this.#rules),
        // A document may name a server without TLS; metadata of one with it may not (`endpointOf`).
        [library.allowInsecureRequests]: url.startsWith('http:'),
      },
    };
  }

  /** Asked of the issuer once in an hour. One that was found keeps being used while the issuer does not answer. */
  #discover(network: Network, issuer: string, name: EndpointName): Promise<string> {
    const now = this.#clock.monotonic();
    const before = this.#discovered;
    if (before !== undefined && before.untilMs > now) return before.endpoint;
    const fresh = discoverIssuer(network, issuer, this.#rules).then((metadata) =>
      endpointOf(metadata, name, issuer),
    );
    const endpoint = before === undefined ? fresh : fresh.catch(() => before.endpoint);
    const discovered = { endpoint, untilMs: now + METADATA_MS };
    this.#discovered = discovered;
    endpoint.catch(() => {
      if (this.#discovered === discovered) this.#discovered = undefined;
    });
    return endpoint;
  }

  async #sound<T>(library: Library, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof NetworkError) throw cause;
      // Never the cause: the library keeps whole answers in it.
      throw this.#malformed(wordsOf(library, cause));
    }
  }

  #malformed(problem: string): NetworkError {
    const { endpoint } = this.#rules;
    return new NetworkError(
      'malformed',
      `${new URL('url' in endpoint ? endpoint.url : endpoint.issuer).host}: ${problem}`,
    );
  }
}

function authentication(library: Library, client: ClientCredential): ClientAuth {
  if (client.method === 'bearer')
    return (_server, _client, _body, headers) => headers.set('authorization', `Bearer ${client.token}`);
  const { method, secret } = client;
  return method === 'client_secret_post'
    ? library.ClientSecretPost(secret)
    : library.ClientSecretBasic(secret);
}

/** Errors that say something of the token and nothing of the gateway (RFC 7009 §2.2.1, RFC 6750 §3.1). */
const OF_THE_TOKEN: readonly string[] = ['unsupported_token_type', 'invalid_token'];

/** `error` of RFC 6749 §5.2, where it is one: the rest of an answer is for nobody's log. */
const ERROR_CODE = /^[a-z_]{1,40}$/;

function wordsOf(library: Library, cause: unknown): string {
  if (cause instanceof library.ResponseBodyError && ERROR_CODE.test(cause.error))
    return `it refuses this gateway (${cause.status} ${cause.error})`;
  if (cause instanceof library.WWWAuthenticateChallengeError)
    return `it refuses the credentials of this gateway (${cause.status})`;
  if (cause instanceof library.OperationProcessingError && cause.cause instanceof Response)
    return `its answer has the status ${cause.cause.status}`;
  return 'its answer is not what was asked for';
}
