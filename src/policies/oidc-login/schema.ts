import type { PolicyOutline } from '../../contract/index.ts';
import { claimMappingSchema } from '../../identity/index.ts';
import { durationOption, fileOption, realmOption, secretOption, urlOption } from '../../lib/option-forms.ts';
import { type Static, type TString, Type } from '../../lib/schema.ts';

const ownPath = (description: string, fallback?: string): TString =>
  Type.String({
    description,
    pattern: '^(/[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,99}|/\\.[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,98}){1,10}$',
    patternErrorMessage:
      'must be a path of letters, digits, ".", "_", "~" and "-", like /.sallyport/callback',
    ...(fallback === undefined ? {} : { default: fallback }),
  });

const cookieSchema = Type.Object(
  {
    name: Type.Optional(
      Type.String({
        description:
          'Name of the session’s cookie; others begin with it and a dot. Default is `__Host-sallyport`, `__Secure-sallyport` with a `domain` or `path`, and `sallyport` without TLS.',
        pattern: "^[A-Za-z0-9!#$%&'*+^_`|~-]{1,64}$",
        patternErrorMessage: 'must be a cookie name of at most 64 characters, without dots',
      }),
    ),
    domain: Type.Optional(
      Type.String({
        description:
          'Domain whose hosts all get the cookie. Left out, only the host of `publicUrl` does: what a neighbour cannot read it cannot steal.',
        pattern: '^[a-z0-9-]{1,63}(\\.[a-z0-9-]{1,63}){1,10}$',
        patternErrorMessage: 'must be a domain name in lower case, like example.com',
      }),
    ),
    path: Type.Optional(ownPath('Path under which the cookie is sent. Default is every path.')),
    sameSite: Type.Optional(
      Type.Union([Type.Literal('lax'), Type.Literal('strict'), Type.Literal('none')], {
        description:
          'Whether the cookie goes with requests that other sites cause: `lax` with links only, `strict` never, `none` always, which leaves forged requests to the upstream to refuse.',
        default: 'lax',
      }),
    ),
    maxAge: Type.Optional(
      durationOption('How long browsers keep the cookie. Default is until they are closed.'),
    ),
  },
  {
    additionalProperties: false,
    description: 'The cookies. Always HttpOnly, and Secure but on loopback without TLS.',
  },
);

const sessionSchema = Type.Object(
  {
    secrets: Type.Array(
      secretOption(
        'Secret of at least 32 characters. The first encrypts sessions, all of them decrypt: put a new one in front, and take the old one away after `absolute`.',
      ),
      { minItems: 1, maxItems: 5, description: 'Secrets that the session’s cookies are encrypted with.' },
    ),
    idle: Type.Optional(durationOption('A session ends when it was not used for so long.', '30m')),
    absolute: Type.Optional(
      durationOption(
        'A session ends after so long, however much it is used. A change ends those there are.',
        '8h',
      ),
    ),
  },
  { additionalProperties: false, description: 'Sessions; they live in encrypted cookies, nowhere else.' },
);

export const oidcLoginSchema = Type.Object(
  {
    issuer: urlOption(
      'The OpenID provider’s issuer, as its metadata and tokens name it; what else is needed is found there (OpenID Connect Discovery).',
    ),
    publicUrl: Type.String({
      description:
        'Scheme and host under which browsers reach the protected routes. The redirect URI is made of it, never of a request’s `Host`. Needs https, but on loopback.',
      pattern: '^https?://[A-Za-z0-9.:\\[\\]-]{1,255}$',
      patternErrorMessage: 'must be a scheme and a host, like https://app.example.com',
    }),
    clientId: Type.String({
      description: 'The gateway’s client id at the provider.',
      pattern: '^[!-~]{1,256}$',
      patternErrorMessage: 'must be at most 256 visible ASCII characters',
    }),
    clientSecret: Type.Optional(secretOption('The client’s secret.')),
    clientKey: Type.Optional(
      secretOption(
        'The client’s private key (PKCS #8 in PEM: RSA, EC P-256, P-384 or Ed25519), for `private-key-jwt`.',
      ),
    ),
    clientKeyId: Type.Optional(
      Type.String({ description: 'Its `kid` at the provider.', minLength: 1, maxLength: 256 }),
    ),
    clientAuth: Type.Optional(
      Type.Union(
        [
          Type.Literal('client-secret-basic'),
          Type.Literal('client-secret-post'),
          Type.Literal('private-key-jwt'),
          Type.Literal('none'),
        ],
        {
          description:
            'How the gateway proves itself to the provider (OpenID Connect Core §9). Default: `private-key-jwt` with a `clientKey`, else `client-secret-basic`. `none` is a public client, which PKCE alone protects.',
        },
      ),
    ),
    scopes: Type.Optional(
      Type.Array(
        Type.String({
          pattern: '^[!#-\\[\\]-~]{1,100}$',
          patternErrorMessage: 'must be a scope: visible ASCII without quotes and backslashes',
        }),
        {
          description:
            'Scopes that are asked for, `openid` among them. A refresh token commonly needs `offline_access`.',
          default: ['openid'],
          minItems: 1,
          maxItems: 50,
        },
      ),
    ),
    parameters: Type.Optional(
      Type.Record(Type.String({ pattern: '^[a-z_]{1,64}$' }), Type.String({ maxLength: 500 }), {
        description: 'More parameters of the authorization request, like `prompt` or `acr_values`.',
        additionalProperties: false,
      }),
    ),
    userinfo: Type.Optional(
      Type.Boolean({
        description:
          'Whether claims are asked of the userinfo endpoint too, for providers whose ID tokens lack them.',
        default: false,
      }),
    ),
    claims: Type.Optional(claimMappingSchema),
    unauthenticated: Type.Optional(
      Type.Union([Type.Literal('login'), Type.Literal(401)], {
        description:
          'What becomes of somebody without a session who opens a page: `login` sends the browser to the provider; 401 refuses, and sign-in begins at `loginPath`. Scripts and programs are always refused.',
        default: 'login',
      }),
    ),
    upstream: Type.Optional(
      Type.Union([Type.Literal('none'), Type.Literal('access-token'), Type.Literal('id-token')], {
        description: 'The token that the upstream gets as `Authorization: Bearer`.',
        default: 'none',
      }),
    ),
    callbackPath: Type.Optional(
      ownPath(
        'Where the provider sends browsers back; the redirect URI is `publicUrl` and this.',
        '/.sallyport/callback',
      ),
    ),
    loginPath: Type.Optional(
      ownPath('Begins a sign-in; `?return_to=/path` says where to go on after it.', '/.sallyport/login'),
    ),
    logoutPath: Type.Optional(ownPath('Ends the session here and at the provider.', '/.sallyport/logout')),
    backchannelPath: Type.Optional(
      ownPath(
        'Where the provider tells that a user has signed out elsewhere (OpenID Connect Back-Channel Logout). Left out, it cannot.',
      ),
    ),
    postLogoutRedirect: Type.Optional(
      Type.String({
        description:
          'Where browsers go after signing out: a path, or a URL that is registered with the provider.',
        default: '/',
        pattern: '^(/([!#-\\[\\]-~][!-\\[\\]-~]*)?|https?://[^/?#@\\s\\\\]+(/[^\\s\\\\]*)?)$',
        patternErrorMessage: 'must be a path or a URL',
        maxLength: 1000,
      }),
    ),
    cookie: Type.Optional(cookieSchema),
    session: sessionSchema,
    clockTolerance: Type.Optional(durationOption('How far the provider’s clock may be off.', '60s')),
    timeout: Type.Optional(durationOption('Longest wait for one answer of the provider.', '5s')),
    ca: Type.Optional(fileOption('CA certificates (PEM) for the provider’s TLS, instead of the system’s.')),
    realm: Type.Optional(realmOption()),
  },
  { additionalProperties: false },
);

export type OidcLoginConfig = Static<typeof oidcLoginSchema>;

/** What is known of it before a document names it. */
export const oidcLoginOutline: PolicyOutline<typeof oidcLoginSchema> = {
  name: 'oidc-login',
  summary: 'Signs browsers in at an OpenID provider, with a session in an encrypted cookie.',
  schema: oidcLoginSchema,
  // Only what it takes for itself: nothing that goes on to an upstream.
  body: 'none',
  provides: ['identity'],
};
