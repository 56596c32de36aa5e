import type { PolicyOutline } from '../../contract/index.ts';
import { DURATION_MESSAGE, DURATION_PATTERN } from '../../lib/duration.ts';
import { type Static, Type } from '../../lib/schema.ts';

/** What has to be signed unless a document says otherwise: all that says what is asked of whom. */
export const DEFAULT_COMPONENTS: readonly string[] = Object.freeze([
  '@method',
  '@authority',
  '@path',
  '@query',
  'content-digest',
]);

const duration = (description: string, fallback: string) =>
  Type.Optional(
    Type.String({
      description,
      default: fallback,
      pattern: DURATION_PATTERN,
      patternErrorMessage: DURATION_MESSAGE,
    }),
  );

export const hmacSignatureSchema = Type.Object(
  {
    components: Type.Optional(
      Type.Array(
        Type.String({
          pattern:
            "^(@(method|authority|scheme|target-uri|request-target|path|query)|[a-z0-9!#$%&'*+.^_`|~-]{1,64})$",
          patternErrorMessage:
            'must be a header name in lower case, or @method, @authority, @scheme, @target-uri, @request-target, @path or @query',
        }),
        {
          description:
            'What a signature has to cover. `@query` only where there is a query, `content-digest` only where there is a body; `@target-uri` covers `@scheme`, `@authority`, `@path` and `@query`, `@request-target` the last two.',
          default: DEFAULT_COMPONENTS,
          minItems: 1,
          maxItems: 32,
          uniqueItems: true,
        },
      ),
    ),
    maxAge: duration('How old a signature may be by its `created`, at most 24h.', '5m'),
    clockTolerance: duration('How far the clocks of callers may be off, at most 10m.', '30s'),
    replay: Type.Optional(
      Type.Union([Type.Literal('refuse'), Type.Literal('allow')], {
        description:
          'Whether a signature is good once. Callers that send equal requests within a second tell them apart by a `nonce`.',
        default: 'refuse',
      }),
    ),
    nonce: Type.Optional(
      Type.Union([Type.Literal('optional'), Type.Literal('required')], {
        description: 'Whether a signature has to have a `nonce`.',
        default: 'optional',
      }),
    ),
    label: Type.Optional(
      Type.String({
        description: 'Label of the signature looked at. By default there has to be one only.',
        pattern: '^[a-z*][a-z0-9_.*-]{0,63}$',
        patternErrorMessage: 'must be the label of a signature, like sig1',
      }),
    ),
    tag: Type.Optional(
      Type.String({
        description: 'Only signatures with this `tag` are looked at: what they were made for.',
        pattern: '^[ !#-\\[\\]-~]{1,128}$',
        patternErrorMessage: 'must be at most 128 printable ASCII characters, without quotes and backslashes',
      }),
    ),
    scheme: Type.Optional(
      Type.Union([Type.Literal('http'), Type.Literal('https')], {
        description: 'The scheme that callers sign, where a proxy before the gateway ends TLS.',
      }),
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

export type HmacSignatureConfig = Static<typeof hmacSignatureSchema>;

/** What is known of it before a document names it. */
export const hmacSignatureOutline: PolicyOutline<typeof hmacSignatureSchema> = {
  name: 'hmac-signature',
  summary: 'Identifies consumers by a signature over the request, by shared secret or public key.',
  schema: hmacSignatureSchema,
  body: 'buffer',
  provides: ['identity'],
};
