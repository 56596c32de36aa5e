import { type Static, Type } from '../../lib/schema.ts';

export const apiKeySchema = Type.Object(
  {
    header: Type.Optional(
      Type.String({
        description: 'Request header that carries the key.',
        default: 'x-api-key',
        pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$",
        patternErrorMessage: 'must be a header name of at most 64 characters, like x-api-key',
      }),
    ),
    query: Type.Optional(
      Type.String({
        description:
          'Query parameter that may carry the key instead. It stays in the query that the upstream receives, so it needs `hide: false`.',
        pattern: '^[A-Za-z0-9._~-]{1,64}$',
        patternErrorMessage: 'must be at most 64 letters, digits, ".", "_", "~" and "-"',
      }),
    ),
    hide: Type.Optional(
      Type.Boolean({ description: 'Whether the key is kept from the upstream.', default: true }),
    ),
    realm: Type.Optional(
      Type.String({
        description: 'Realm named in `WWW-Authenticate`.',
        default: 'api',
        pattern: '^[ !#-\\[\\]-~]{1,64}$',
        patternErrorMessage: 'must be at most 64 printable ASCII characters, without quotes and backslashes',
      }),
    ),
  },
  { additionalProperties: false },
);

export type ApiKeyConfig = Static<typeof apiKeySchema>;
