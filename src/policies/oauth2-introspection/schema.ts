import type { PolicyOutline } from '../../contract/index.ts';
import { claimMappingSchema, oauthClientOptions } from '../../identity/index.ts';
import {
  durationOption,
  headerOption,
  realmOption,
  secretOption,
  urlOption,
} from '../../lib/option-forms.ts';
import { type Static, Type } from '../../lib/schema.ts';

const optional = Type.Optional;

const text = (description: string) =>
  Type.String({
    description,
    pattern: '^[!-~]{1,512}$',
    patternErrorMessage: 'must be at most 512 visible ASCII characters',
  });

const name = (description: string) =>
  Type.String({
    description,
    pattern: '^[A-Za-z0-9._~-]{1,64}$',
    patternErrorMessage: 'must be at most 64 letters, digits, ".", "_", "~" and "-"',
  });

export const introspectionSchema = Type.Object(
  {
    issuer: optional(
      urlOption(
        'Authorization server. Its metadata names the introspection endpoint, unless `endpoint` does. An answer of another issuer is refused.',
      ),
    ),
    endpoint: optional(urlOption('The introspection endpoint itself.')),
    clientId: optional(text('Client id of the gateway.')),
    clientSecret: optional(secretOption('Its secret.')),
    bearerToken: optional(
      secretOption(
        'An access token that the gateway proves itself with, instead of `clientId` and `clientSecret`.',
      ),
    ),
    ...oauthClientOptions,
    audience: Type.Union([text('One name.'), Type.Array(text('One of several names.'), { minItems: 1 })], {
      description:
        'Whom a token must be for (`aud`): one name, or several of which one is enough. `any`: whoever it is for, which takes tokens that were given to others.',
    }),
    types: optional(
      Type.Array(text('A type.'), {
        description:
          'Types of tokens that are taken (`token_type`), without case; `none` for an answer that names none.',
        default: ['Bearer'],
        minItems: 1,
      }),
    ),
    clockTolerance: optional(
      durationOption('How far the clocks of server and gateway may differ, at most 10m.', '30s'),
    ),
    scopes: optional(
      Type.Array(
        Type.String({
          pattern: '^[!#-\\[\\]-~]{1,256}$',
          patternErrorMessage: 'must be a scope: printable ASCII without spaces, quotes and backslashes',
        }),
        { description: 'Scopes that a token must have, all of them.' },
      ),
    ),
    claims: optional(claimMappingSchema),
    header: optional(headerOption('Request header that may carry the token instead of `Authorization`.')),
    cookie: optional(name('Cookie that may carry the token instead.')),
    query: optional(name('Query parameter that may carry the token instead.')),
    hide: optional(
      Type.Boolean({ description: 'Whether the token is kept from the upstream.', default: false }),
    ),
    cache: optional(
      Type.Object(
        {
          ttl: optional(
            durationOption(
              'How long an answer is good for, at most 1h and never beyond `exp`; so long a token is taken after it was revoked. `0s` asks each time.',
              '30s',
            ),
          ),
          maxEntries: optional(
            Type.Integer({
              description: 'Answers kept per worker, by the hash of the token.',
              default: 10_000,
              minimum: 2,
              maximum: 1_000_000,
            }),
          ),
        },
        { additionalProperties: false, description: 'How answers are kept.' },
      ),
    ),
    stale: optional(
      durationOption(
        'So long after its end an answer is still good while the server does not answer, at most 24h.',
        '0s',
      ),
    ),
    mtls: optional(
      Type.Union([Type.Literal('optional'), Type.Literal('required')], {
        description:
          'Whether a token must be bound to the certificate of the connection (RFC 8705). Where it is, another certificate is refused in any case.',
        default: 'optional',
      }),
    ),
    realm: optional(realmOption()),
    resourceMetadata: optional(
      urlOption('URL of the metadata of this resource, named in `WWW-Authenticate` (RFC 9728).'),
    ),
  },
  { additionalProperties: false },
);

export type IntrospectionConfig = Static<typeof introspectionSchema>;

/** What is known of it before a document names it. */
export const oauth2IntrospectionOutline: PolicyOutline<typeof introspectionSchema> = {
  name: 'oauth2-introspection',
  summary: 'Identifies callers by tokens that the authorization server is asked about.',
  schema: introspectionSchema,
  body: 'none',
  provides: ['identity'],
};
