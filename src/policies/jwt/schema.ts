import type { PolicyOutline } from '../../contract/index.ts';
import { claimMappingSchema, PUBLIC_ALGORITHMS } from '../../identity/index.ts';
import { BYTE_SIZE_FORM, BYTE_SIZE_PATTERN } from '../../lib/byte-size.ts';
import { DURATION_MESSAGE, DURATION_PATTERN } from '../../lib/duration.ts';
import { type Static, type TSchema, Type } from '../../lib/schema.ts';

const optional = Type.Optional;

const duration = (description: string, fallback?: string) =>
  optional(
    Type.String({
      description,
      ...(fallback === undefined ? {} : { default: fallback }),
      pattern: DURATION_PATTERN,
      patternErrorMessage: DURATION_MESSAGE,
    }),
  );

const fieldName = (description: string) =>
  optional(
    Type.String({
      description,
      pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$",
      patternErrorMessage: 'must be a name of at most 64 characters, like x-token',
    }),
  );

const text = (description: string) =>
  Type.String({
    description,
    pattern: '^[^\\u0000-\\u0020]{1,2048}$',
    patternErrorMessage: 'must be a name without white space',
  });

const literals = <const L extends readonly string[]>(values: L): TSchema<L[number]> =>
  Type.Union(values.map((value) => Type.Literal(value)));

const algorithms = optional(
  Type.Array(literals([...PUBLIC_ALGORITHMS, 'HS256', 'HS384', 'HS512']), {
    description:
      'Algorithms a token may be signed with. Default is every one of a public key, or HS256 for a secret. `HS…` is never taken together with a public key.',
    minItems: 1,
    uniqueItems: true,
  }),
);

const kid = optional(
  Type.String({
    description: 'Id that tokens name it by. Without one it serves every token.',
    minLength: 1,
    maxLength: 256,
  }),
);

const keys = optional(
  Type.Array(
    Type.Union([
      Type.Object(
        {
          file: Type.String({
            description: 'A public key or certificate in PEM, a JWK or a JWK set; relative to the document.',
            minLength: 1,
          }),
          kid,
        },
        { additionalProperties: false },
      ),
      Type.Object(
        {
          secret: Type.String({
            description: 'A secret shared with the issuer: env:NAME or file:PATH.',
            pattern: '^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$',
            patternErrorMessage:
              'must be a reference, env:NAME or file:PATH; a secret is never written in a document',
          }),
          encoding: optional(
            Type.Union([Type.Literal('text'), Type.Literal('base64'), Type.Literal('base64url')], {
              description: 'How the bytes of the secret are written.',
              default: 'text',
            }),
          ),
          kid,
        },
        { additionalProperties: false },
      ),
    ]),
    { description: 'Keys of the issuer that are given by hand; nothing is fetched then.', minItems: 1 },
  ),
);

const jwks = optional(
  Type.String({
    description:
      'Where the keys of the issuer are: `auto` (where its metadata says), a URL, or file:PATH of a JWK set.',
    default: 'auto',
    pattern: '^(auto|https?://.+|file:.+)$',
    patternErrorMessage: 'must be auto, a URL or file:PATH',
  }),
);

/** What is trusted of one issuer. */
const issuerSchema = Type.Object(
  { issuer: text('Exactly what `iss` says.'), jwks, keys, algorithms },
  { additionalProperties: false },
);

const proofSchema = Type.Object(
  {
    mode: optional(
      Type.Union([Type.Literal('optional'), Type.Literal('required')], {
        description: 'Whether tokens that are bound to no key are taken too.',
        default: 'required',
      }),
    ),
    maxAge: duration(
      'How old a proof may be. It is remembered for so long, and refused a second time.',
      '60s',
    ),
    algorithms: optional(
      Type.Array(literals(PUBLIC_ALGORITHMS), {
        description: 'Algorithms a proof may be signed with.',
        default: ['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'PS256', 'RS256'],
        minItems: 1,
        uniqueItems: true,
      }),
    ),
    nonceSecret: optional(
      Type.String({
        description:
          'A secret of at least 32 characters, env:NAME or file:PATH, that nonces are made with. With it a proof must have the nonce of the hour.',
        pattern: '^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$',
        patternErrorMessage:
          'must be a reference, env:NAME or file:PATH; a secret is never written in a document',
      }),
    ),
    nonceLifetime: duration('A nonce is taken for one to two times so long.', '5m'),
    publicUrl: optional(
      Type.String({
        description:
          'What callers call this gateway, where a proxy before it ends TLS or changes Host: what `htu` begins with.',
        pattern: '^https?://[^/?#@]+(/[^?#]*[^/?#])?$',
        patternErrorMessage: 'must be a URL without a slash at its end, like https://api.example.com',
      }),
    ),
  },
  { additionalProperties: false },
);

const cacheSchema = Type.Object(
  {
    refresh: duration('The keys are fetched again so long after they were, or a little before.', '15m'),
    staleFor: duration('So long they still serve when newer ones cannot be had.', '24h'),
    cooldown: duration('Between two fetches because of tokens that name an unknown key.', '30s'),
    timeout: duration('For each exchange with the issuer.', '5s'),
  },
  { additionalProperties: false, description: 'How the keys of an issuer are kept.' },
);

export const jwtSchema = Type.Object(
  {
    issuer: optional(
      text(
        'Exactly what `iss` says; with `jwks: auto` the URL whose metadata is read. `any`, only with keys given by hand, for tokens of whatever issuer.',
      ),
    ),
    issuers: optional(
      Type.Array(issuerSchema, { description: 'Several issuers, in place of `issuer`.', minItems: 1 }),
    ),
    audience: Type.Union([text('One name.'), Type.Array(text('One of several names.'), { minItems: 1 })], {
      description:
        'Whom a token must be for (`aud`): one name, or several of which one is enough. `any`: whoever it is for, which takes tokens that were given to others.',
    }),
    jwks,
    keys,
    algorithms,
    types: optional(
      Type.Array(
        Type.String({ pattern: '^[!-~]{1,100}$', patternErrorMessage: 'must be a type, like at+jwt' }),
        {
          description:
            'Types of tokens (`typ`), without case and `application/`; `none` for a token that names none.',
          default: ['at+jwt', 'JWT', 'none'],
          minItems: 1,
        },
      ),
    ),
    clockTolerance: duration('How far the clocks of issuer and gateway may differ, at most 10m.', '30s'),
    expiry: optional(
      Type.Union([Type.Literal('required'), Type.Literal('optional')], {
        description: 'Whether a token must expire.',
        default: 'required',
      }),
    ),
    maxAge: duration('How old a token may be, by `iat`, however late it expires.'),
    requiredClaims: optional(
      Type.Array(Type.String({ minLength: 1 }), { description: 'Claims that must be there.' }),
    ),
    scopes: optional(
      Type.Array(
        Type.String({
          pattern: '^[!#-\\[\\]-~]{1,256}$',
          patternErrorMessage: 'must be a scope: printable ASCII without spaces, quotes and backslashes',
        }),
        {
          description: 'Scopes that a token must have, all of them.',
        },
      ),
    ),
    claims: optional(claimMappingSchema),
    header: fieldName('Request header that may carry the token instead of `Authorization`.'),
    cookie: fieldName('Cookie that may carry the token instead.'),
    query: fieldName('Query parameter that may carry the token instead.'),
    hide: optional(
      Type.Boolean({ description: 'Whether the token is kept from the upstream.', default: false }),
    ),
    maxLength: optional(
      Type.String({
        description: 'Longer tokens are refused unread; at most 16kB.',
        default: '8kB',
        pattern: BYTE_SIZE_PATTERN,
        patternErrorMessage: `must be a size, ${BYTE_SIZE_FORM}`,
      }),
    ),
    remember: optional(
      Type.Integer({
        description:
          'How many verified tokens each worker remembers by their hash, so that they are not verified again. 0 for none.',
        default: 10_000,
        minimum: 0,
        maximum: 1_000_000,
      }),
    ),
    dpop: optional(
      Type.Union([Type.Literal('off'), Type.Literal('optional'), Type.Literal('required'), proofSchema], {
        description:
          'Tokens that are bound to a key of the caller (DPoP, RFC 9449). `off`: refused. `optional`: taken with a proof, beside tokens bound to nothing. `required`: only those.',
        default: 'off',
      }),
    ),
    mtls: optional(
      Type.Union([Type.Literal('optional'), Type.Literal('required')], {
        description:
          'Whether a token must be bound to the certificate of the connection (RFC 8705). Where it is, another certificate is refused in any case.',
        default: 'optional',
      }),
    ),
    realm: optional(
      Type.String({
        description: 'Realm named in `WWW-Authenticate`.',
        default: 'api',
        pattern: '^[ !#-\\[\\]-~]{1,64}$',
        patternErrorMessage: 'must be at most 64 printable ASCII characters, without quotes and backslashes',
      }),
    ),
    resourceMetadata: optional(
      Type.String({
        description: 'URL of the metadata of this resource, named in `WWW-Authenticate` (RFC 9728).',
        pattern: '^https?://[!#-\\[\\]-~]{1,2000}$',
        patternErrorMessage: 'must be a URL',
      }),
    ),
    cache: optional(cacheSchema),
    ca: optional(
      Type.String({
        description:
          'CAs that may sign the certificate of the issuer, in PEM, in place of the system’s: file:PATH.',
        pattern: '^file:.+$',
        patternErrorMessage: 'must be a file reference, file:PATH (relative to the document)',
      }),
    ),
  },
  { additionalProperties: false },
);

export type JwtConfig = Static<typeof jwtSchema>;
export type IssuerConfig = Static<typeof issuerSchema>;
export type KeyConfig = NonNullable<IssuerConfig['keys']>[number];
export type ProofConfig = Static<typeof proofSchema>;

/** What is known of it before a document names it. */
export const jwtOutline: PolicyOutline<typeof jwtSchema> = {
  name: 'jwt',
  summary: 'Identifies callers by signed tokens (JWT) of an issuer and refuses everybody else.',
  schema: jwtSchema,
  body: 'none',
  provides: ['identity'],
};
