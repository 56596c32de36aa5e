import { PUBLIC_ALGORITHMS } from '../../identity/index.ts';
import { DURATION_MESSAGE, DURATION_PATTERN } from '../../lib/duration.ts';
import { type Static, Type } from '../../lib/schema.ts';

const url = (description: string) =>
  Type.String({
    description,
    pattern: '^https?://[!-~]{1,2000}$',
    patternErrorMessage: 'must be a URL',
  });

const path = "(/[A-Za-z0-9._~!$&'()*+,=:@-]+)+";

export const resourceMetadataSchema = Type.Object(
  {
    resource: Type.String({
      description: 'The resource as its callers know it: what `aud` and the metadata name.',
      pattern: `^https?://[A-Za-z0-9.:[\\]-]{1,300}/?$|^https?://[A-Za-z0-9.:[\\]-]{1,300}${path}/?$`,
      patternErrorMessage: 'must be a URL without query and fragment, like https://api.example.com/orders',
    }),
    authorizationServers: Type.Array(url('Issuer of an authorization server.'), {
      description: 'Issuers whose tokens are taken.',
      minItems: 1,
      uniqueItems: true,
    }),
    path: Type.Optional(
      Type.String({
        description:
          'Where the metadata is, if a proxy before the gateway changes paths. Default is `/.well-known/oauth-protected-resource` and the path of the resource.',
        pattern: `^${path}$`,
        patternErrorMessage: 'must be a path, like /.well-known/oauth-protected-resource',
      }),
    ),
    scopes: Type.Optional(
      Type.Array(
        Type.String({
          pattern: '^[!#-\\[\\]-~]{1,256}$',
          patternErrorMessage: 'must be a scope: printable ASCII without spaces, quotes and backslashes',
        }),
        {
          description: 'Scopes that a client may ask for.',
          uniqueItems: true,
        },
      ),
    ),
    bearerMethods: Type.Optional(
      Type.Array(Type.Union([Type.Literal('header'), Type.Literal('query')]), {
        description: 'Where a token may be (RFC 6750 §2).',
        default: ['header'],
        uniqueItems: true,
      }),
    ),
    name: Type.Optional(
      Type.String({ description: 'Name of the resource, for people.', minLength: 1, maxLength: 200 }),
    ),
    documentation: Type.Optional(url('Page for developers.')),
    policy: Type.Optional(url('Page about how data may be used.')),
    termsOfService: Type.Optional(url('Page with the terms of service.')),
    dpop: Type.Optional(
      Type.Object(
        {
          required: Type.Optional(
            Type.Boolean({ description: 'Whether every token must be bound to a key.', default: false }),
          ),
          algorithms: Type.Optional(
            Type.Array(Type.Union(PUBLIC_ALGORITHMS.map((name) => Type.Literal(name))), {
              description: 'Algorithms a proof may be signed with.',
              minItems: 1,
              uniqueItems: true,
            }),
          ),
        },
        { additionalProperties: false, description: 'What is taken of DPoP (RFC 9449).' },
      ),
    ),
    mtls: Type.Optional(
      Type.Boolean({
        description: 'Whether tokens bound to a certificate are taken (RFC 8705).',
        default: false,
      }),
    ),
    cache: Type.Optional(
      Type.String({
        description: 'How long clients may keep the metadata.',
        default: '1h',
        pattern: DURATION_PATTERN,
        patternErrorMessage: DURATION_MESSAGE,
      }),
    ),
  },
  { additionalProperties: false },
);

export type ResourceMetadataConfig = Static<typeof resourceMetadataSchema>;
