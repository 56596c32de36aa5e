import { type Static, Type } from '../../lib/schema.ts';

const TOKEN = "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$";

export const apiKeySchema = Type.Object(
  {
    header: Type.Optional(
      Type.Union(
        [
          Type.String({
            pattern: TOKEN,
            patternErrorMessage: 'must be a header name of at most 64 characters, like x-api-key',
          }),
          Type.Literal(false),
        ],
        { description: 'Request header that carries the key; `false` for none.', default: 'x-api-key' },
      ),
    ),
    scheme: Type.Optional(
      Type.String({
        description:
          'Scheme before the key in the header, as in `Authorization: ApiKey KEY`. Another scheme there is no key.',
        pattern: TOKEN,
        patternErrorMessage: 'must be the name of a scheme of at most 64 characters, like ApiKey',
      }),
    ),
    query: Type.Optional(
      Type.String({
        description: 'Query parameter that may carry the key instead.',
        pattern: '^[A-Za-z0-9._~-]{1,64}$',
        patternErrorMessage: 'must be at most 64 letters, digits, ".", "_", "~" and "-"',
      }),
    ),
    cookie: Type.Optional(
      Type.String({
        description: 'Cookie that may carry the key instead.',
        pattern: TOKEN,
        patternErrorMessage: 'must be the name of a cookie of at most 64 characters',
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
