import type { AuthorizationServer, Client, ClientAuth, TokenEndpointResponse } from 'oauth4webapi';
import type { Clock, Network } from '../../contract/index.ts';
import { NetworkError } from '../../errors.ts';
import { type Claims, PUBLIC_ALGORITHMS } from '../../identity/index.ts';
import { type LibraryRequest, MAX_TOKEN_LENGTH, sendForLibrary } from '../../tokens/index.ts';
import { clientAuthentication } from './client-auth.ts';
import { ID_TOKEN, idTokenFault } from './id-token.ts';
import type { Provider } from './provider.ts';
import type { Settings } from './settings.ts';
import type { SignedTokens } from './signed-tokens.ts';
import type { Transaction } from './transaction.ts';

type Library = typeof import('oauth4webapi');

/** What the provider gave. */
export interface Tokens {
  readonly kind: 'tokens';
  readonly accessToken: string;
  /** Undefined where the provider does not say. */
  readonly lifetimeMs: number | undefined;
  readonly refreshToken: string | undefined;
  /** Verified. Undefined only where tokens were renewed without one. */
  readonly idToken: string | undefined;
  readonly claims: Claims | undefined;
}

/** Why there are no tokens. `reason` is for the record. */
export interface NoTokens {
  /**
   * `refused`: this sign-in, or what stood on it, is over. `denied`: the provider signed nobody in.
   * `unavailable`: it does not answer, or not as a provider does; later it may.
   */
  readonly kind: 'refused' | 'denied' | 'unavailable';
  readonly reason: string;
}

/** What the provider knows of a user. */
export interface UserClaims {
  readonly claims: Claims;
}

/** What the tokens of a sign-in are asked with. */
export interface Asked {
  readonly provider: Provider;
  readonly network: Network;
  readonly clock: Pick<Clock, 'now'>;
}

/** What fits a header. */
const TOKEN = /^[!-~]+$/;
/** `error` of RFC 6749 §4.1.2.1 and §5.2: the rest of what a provider writes is for nobody's record. */
const ERROR_CODE = /^[a-z_]{1,40}$/;

/** Loads the library: only documents that sign in pay for it. Throws ConfigError. */
export async function loadProviderClient(settings: Settings, signed: SignedTokens): Promise<ProviderClient> {
  const library = await import('oauth4webapi');
  return new ProviderClient(library, clientAuthentication(library, settings.client), settings, signed);
}

/**
 * The gateway as a provider's client, by oauth4webapi over our own network: no redirects, bounded answers, strict
 * JSON. Nothing of an answer but an OAuth error code gets into a reason.
 */
export class ProviderClient {
  readonly #library: Library;
  readonly #auth: ClientAuth;
  readonly #settings: Settings;
  readonly #signed: SignedTokens;

  constructor(library: Library, auth: ClientAuth, settings: Settings, signed: SignedTokens) {
    this.#library = library;
    this.#auth = auth;
    this.#settings = settings;
    this.#signed = signed;
  }

  /** Redeems the code in the parameters of an authorization response, whose `state` is that of the transaction. */
  async redeem(
    asked: Asked,
    parameters: URLSearchParams,
    transaction: Transaction,
  ): Promise<Tokens | NoTokens> {
    const { state, nonce, verifier } = transaction;
    const library = this.#library;
    const { as, client, options } = this.#around(asked);
    return await this.#tried(async () => {
      // Also of an error: whose it is comes first (RFC 9207 §2.4).
      const sound = library.validateAuthResponse(as, client, parameters, state);
      const redirect = this.redirectUri;
      const response = await library.authorizationCodeGrantRequest(
        as,
        client,
        this.#auth,
        sound,
        redirect,
        verifier,
        options,
      );
      const expected = { expectedNonce: nonce, requireIdToken: true };
      const answer = await library.processAuthorizationCodeResponse(as, client, response, expected);
      return await this.#tokens(asked, answer, nonce);
    });
  }

  /** New tokens for a refresh token (OpenID Connect Core §12). */
  async refresh(asked: Asked, refreshToken: string): Promise<Tokens | NoTokens> {
    const library = this.#library;
    const { as, client, options } = this.#around(asked);
    return await this.#tried(async () => {
      const response = await library.refreshTokenGrantRequest(as, client, this.#auth, refreshToken, options);
      return await this.#tokens(
        asked,
        await library.processRefreshTokenResponse(as, client, response),
        undefined,
      );
    });
  }

  /** What the userinfo endpoint knows of the subject (OpenID Connect Core §5.3). */
  async userinfo(asked: Asked, accessToken: string, subject: string): Promise<UserClaims | NoTokens> {
    const library = this.#library;
    const { as, client, options } = this.#around(asked);
    return await this.#tried(async () => {
      const response = await library.userInfoRequest(as, client, accessToken, options);
      return { claims: await library.processUserInfoResponse(as, client, subject, response) };
    });
  }

  /** Exactly what is registered, and what both requests say (RFC 6749 §4.1.3). */
  get redirectUri(): string {
    return this.#settings.origin + this.#settings.paths.callback;
  }

  async #tokens(
    asked: Asked,
    answer: TokenEndpointResponse,
    nonce: string | undefined,
  ): Promise<Tokens | NoTokens> {
    const { access_token: accessToken, id_token: idToken, expires_in: seconds } = answer;
    if (answer.token_type !== 'bearer' || accessToken.length > MAX_TOKEN_LENGTH || !TOKEN.test(accessToken))
      return { kind: 'unavailable', reason: 'its access token is none that could be sent on' };
    const lifetimeMs = seconds === undefined ? undefined : seconds * 1000;
    const tokens = { kind: 'tokens', accessToken, lifetimeMs, refreshToken: answer.refresh_token } as const;
    if (idToken === undefined) return { ...tokens, idToken: undefined, claims: undefined };
    const verified = await this.#signed.verify(idToken, ID_TOKEN, asked.clock.now());
    if (verified.kind === 'unavailable') return verified;
    if (verified.kind === 'wrong') return { kind: 'refused', reason: verified.reason };
    const { claims, jws } = verified;
    const { clientId } = this.#settings;
    const fault = idTokenFault(claims, { clientId, nonce, accessToken, alg: jws.alg });
    return fault === undefined ? { ...tokens, idToken, claims } : { kind: 'refused', reason: fault };
  }

  #around({ provider, network, clock }: Asked) {
    const { clientId, issuer, toleranceMs, ca, timeoutMs } = this.#settings;
    const library = this.#library;
    const as: AuthorizationServer = {
      issuer,
      token_endpoint: provider.token,
      ...(provider.userinfo === undefined ? {} : { userinfo_endpoint: provider.userinfo }),
      authorization_response_iss_parameter_supported: provider.namesItself,
      id_token_signing_alg_values_supported: [...PUBLIC_ALGORITHMS],
    };
    const client: Client = {
      client_id: clientId,
      // The library reads the machine's clock; requests are judged by theirs.
      [library.clockSkew]: Math.round((clock.now() - Date.now()) / 1000),
      [library.clockTolerance]: Math.floor(toleranceMs / 1000),
    };
    const options = {
      [library.customFetch]: (url: string, sent: LibraryRequest) =>
        sendForLibrary(network, url, sent, { ca, timeoutMs }),
      [library.allowInsecureRequests]: issuer.startsWith('http:'),
    };
    return { as, client, options };
  }

  async #tried<T>(work: () => Promise<T>): Promise<T | NoTokens> {
    try {
      return await work();
    } catch (cause) {
      return this.#explained(cause);
    }
  }

  /** Never the cause itself: the library keeps whole answers in it. */
  #explained(cause: unknown): NoTokens {
    const library = this.#library;
    if (cause instanceof NetworkError) return { kind: 'unavailable', reason: cause.message };
    if (cause instanceof library.AuthorizationResponseError) return denial(codeIn(cause.error));
    if (cause instanceof library.ResponseBodyError) {
      const code = codeIn(cause.error);
      const kind = code === 'invalid_grant' ? 'refused' : 'unavailable';
      return { kind, reason: `the provider answers ${cause.status} ${code}` };
    }
    if (cause instanceof library.WWWAuthenticateChallengeError)
      return { kind: 'unavailable', reason: `the provider refuses this client (${cause.status})` };
    if (cause instanceof library.OperationProcessingError && isAboutAnswer(cause.cause))
      return { kind: 'unavailable', reason: 'the provider answers without what was asked' };
    // What is left is about the way back or an ID token: it is not the one that was waited for.
    return {
      kind: 'refused',
      reason: cause instanceof Error ? bounded(cause.message) : 'the answer cannot be read',
    };
  }
}

/** The library says what it is unhappy with: a whole answer, or its body. */
const isAboutAnswer = (subject: unknown): boolean =>
  subject instanceof Response || (typeof subject === 'object' && subject !== null && 'body' in subject);

/** What says that the provider is in trouble, rather than the user (RFC 6749 §4.1.2.1). */
const TROUBLES: readonly string[] = ['server_error', 'temporarily_unavailable'];

function denial(code: string): NoTokens {
  return { kind: TROUBLES.includes(code) ? 'unavailable' : 'denied', reason: `the provider says ${code}` };
}

const codeIn = (error: string): string => (ERROR_CODE.test(error) ? error : 'an error that is no code');
const bounded = (text: string): string => text.replace(/[^ -~]/g, '?').slice(0, 200);
