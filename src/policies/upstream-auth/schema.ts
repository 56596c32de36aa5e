import type { PolicyOutline } from '../../contract/index.ts';
import { CLAIM_PATTERN, oauthClientOptions, PUBLIC_ALGORITHMS } from '../../identity/index.ts';
import { durationOption, headerOption, secretOption, urlOption } from '../../lib/option-forms.ts';
import { type Static, Type } from '../../lib/schema.ts';

/** What a signed token can say of a caller, beside its claims. */
const SOURCES = ['consumer', 'consumerId', 'groups', 'scopes', 'credential', 'credentialKind'] as const;

const text = (description: string, more: object = {}) =>
  Type.String({
    description,
    pattern: '^[ -~]{1,512}$',
    patternErrorMessage: 'must be at most 512 printable ASCII characters',
    ...more,
  });

const source = Type.String({
  pattern: `^(${SOURCES.join('|')}|text:[^\\u0000-\\u001f]{1,512}|claim:${CLAIM_PATTERN.slice(1, -1)})$`,
  patternErrorMessage: `must be ${SOURCES.join(', ')}, claim: and a claim of the caller, or text: and a text`,
});

const strict = (description: string) => ({ additionalProperties: false, description });

const apiKey = Type.Object(
  {
    header: Type.Optional(headerOption('Header that carries the key.', 'X-Api-Key')),
    secret: secretOption('The key.'),
  },
  strict('A key of the upstream’s.'),
);

const basic = Type.Object(
  {
    username: Type.String({
      description: 'User name.',
      pattern: '^[^:\\u0000-\\u001f\\u007f]{1,256}$',
      patternErrorMessage: 'must be at most 256 characters, without a colon',
    }),
    password: secretOption('Password.'),
  },
  strict('User and password (RFC 7617).'),
);

const bearer = Type.Object(
  { token: secretOption('The token.') },
  strict('A token that somebody else keeps fresh: a file is read anew when it changes.'),
);

const oauth2 = Type.Object(
  {
    issuer: Type.Optional(urlOption('Authorization server whose metadata names the token endpoint.')),
    tokenUrl: Type.Optional(urlOption('The token endpoint itself, instead of `issuer`.')),
    clientId: text('Client id of the gateway.'),
    clientSecret: secretOption('Its secret.'),
    scopes: Type.Optional(
      Type.Array(
        Type.String({
          pattern: '^[!#-\\[\\]-~]{1,256}$',
          patternErrorMessage: 'must be a scope: visible ASCII without quotes and backslashes',
        }),
        { description: 'Scopes asked for.', minItems: 1, uniqueItems: true },
      ),
    ),
    audience: Type.Optional(text('Asked for as `audience`, as Auth0 and others have it.')),
    resource: Type.Optional(urlOption('Asked for as `resource` (RFC 8707).')),
    ...oauthClientOptions,
  },
  strict('A token of the gateway’s own, by client credentials (RFC 6749 §4.4), kept fresh ahead of its end.'),
);

const jwt = Type.Object(
  {
    key: secretOption('Private key that signs, as PEM.'),
    algorithm: Type.Union(
      PUBLIC_ALGORITHMS.map((name) => Type.Literal(name)),
      { description: 'Algorithm of the signature; the key must be for it.' },
    ),
    keyId: Type.Optional(text('`kid` in the token’s header.')),
    issuer: text('`iss`: who vouches, as the upstream knows it.'),
    audience: text('`aud`: for whom the token is.'),
    lifetime: Type.Optional(durationOption('From `iat` to `exp`.', '5m')),
    claims: Type.Optional(
      Type.Record(Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_.:/-]{0,127}$' }), source, {
        description: `Claims by name, and what each says: ${SOURCES.map((name) => `\`${name}\``).join(', ')}, \`claim:\` and a claim of the caller, or \`text:\` and a text. Lists stay lists. \`sub\` is the consumer unless it is named here.`,
        default: { sub: 'consumer' },
        additionalProperties: false,
        maxProperties: 32,
      }),
    ),
    header: Type.Optional(
      headerOption('Header that carries the token; in `Authorization` behind `Bearer`.', 'Authorization'),
    ),
  },
  strict('A token that says who calls, signed by the gateway.'),
);

export const upstreamAuthSchema = Type.Object(
  {
    apiKey: Type.Optional(apiKey),
    basic: Type.Optional(basic),
    bearer: Type.Optional(bearer),
    oauth2: Type.Optional(oauth2),
    jwt: Type.Optional(jwt),
    strip: Type.Optional(
      Type.Array(headerOption('A header.'), {
        description: 'Headers of the client that the upstream does not get, beside the one that is set.',
        default: ['Authorization'],
        uniqueItems: true,
        maxItems: 50,
      }),
    ),
  },
  { additionalProperties: false },
);

export type UpstreamAuthConfig = Static<typeof upstreamAuthSchema>;
export type OAuthConfig = Static<typeof oauth2>;
export type SignedTokenConfig = Static<typeof jwt>;

/** What is known of it before a document names it. */
export const upstreamAuthOutline: PolicyOutline<typeof upstreamAuthSchema> = {
  name: 'upstream-auth',
  summary: 'Takes the client’s credentials out of the request and puts the gateway’s own in.',
  schema: upstreamAuthSchema,
  body: 'none',
  refuses: false,
  needs: ({ jwt }) => (jwt !== undefined && needsCaller(jwt) ? ['identity'] : []),
};

/** Whether a token can only be made for a known caller. */
function needsCaller({ claims = {} }: SignedTokenConfig): boolean {
  return Object.values({ sub: 'consumer', ...claims }).some((source) => !source.startsWith('text:'));
}
