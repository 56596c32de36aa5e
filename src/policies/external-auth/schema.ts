import type { PolicyOutline } from '../../contract/index.ts';
import { BYTE_SIZE_FORM, BYTE_SIZE_PATTERN } from '../../lib/byte-size.ts';
import { durationOption, fileOption, headerOption, urlOption } from '../../lib/option-forms.ts';
import { type Static, Type } from '../../lib/schema.ts';

const headerNames = (description: string, fallback?: readonly string[]) =>
  Type.Optional(
    Type.Array(headerOption('A header.'), {
      description,
      uniqueItems: true,
      maxItems: 50,
      ...(fallback === undefined ? {} : { default: fallback }),
    }),
  );

export const externalAuthSchema = Type.Object(
  {
    url: urlOption(
      'Where the service is asked. With `mode: envoy` the path and query of the request are put behind it.',
    ),
    mode: Type.Optional(
      Type.Union([Type.Literal('nginx'), Type.Literal('envoy')], {
        description:
          '`nginx`: the service is asked as by `auth_request`: 2xx lets on, 401 and 403 refuse. `envoy`: as by `ext_authz` over HTTP: 200 lets on, 3xx and 4xx become the answer.',
        default: 'nginx',
      }),
    ),
    method: Type.Optional(
      Type.Union([Type.Literal('GET'), Type.Literal('HEAD'), Type.Literal('POST')], {
        description:
          'Method the service is asked with in mode nginx: GET, or POST with a body. In mode envoy it is the method of the request.',
      }),
    ),
    requestHeaders: headerNames('Request headers that the service is sent.', ['authorization', 'cookie']),
    body: Type.Optional(
      Type.String({
        description:
          'Sends the request body too, up to this size; a larger one is refused. Left out: no body.',
        pattern: BYTE_SIZE_PATTERN,
        patternErrorMessage: `must be a size, ${BYTE_SIZE_FORM}`,
        examples: ['64kB'],
      }),
    ),
    upstreamHeaders: headerNames(
      'Headers of the answer that the upstream is sent. The client’s own are always removed, also where the answer has none.',
    ),
    clientHeaders: headerNames('Headers of the answer that the client is sent, whatever was decided.'),
    identity: Type.Optional(
      Type.Object(
        {
          consumer: headerOption('Header of the answer that names the consumer.'),
          groups: Type.Optional(headerOption('Header of the answer that lists groups, between commas.')),
          scopes: Type.Optional(headerOption('Header of the answer that lists scopes, between spaces.')),
          prefix: Type.Optional(
            Type.String({
              description:
                'Put before the name, so that nobody can be called like a declared consumer who is another.',
              pattern: '^[ -~]{1,64}$',
              patternErrorMessage: 'must be at most 64 printable ASCII characters',
            }),
          ),
          declared: Type.Optional(
            Type.Boolean({
              description: 'Whether only consumers that are declared or kept live are let on.',
              default: false,
            }),
          ),
        },
        {
          additionalProperties: false,
          description: 'How the answer names the caller. Left out: it says nothing of who calls.',
        },
      ),
    ),
    timeout: Type.Optional(durationOption('How long an answer is waited for, all of it.', '2s')),
    cache: Type.Optional(
      Type.Object(
        {
          ttl: durationOption('How long an answer is good for.'),
          by: headerNames(
            'Request headers that tell requests apart, beside method, URL and client address. Left out: all that are sent.',
          ),
          maxEntries: Type.Optional(
            Type.Integer({
              description: 'Answers kept per worker.',
              minimum: 2,
              maximum: 1_000_000,
              default: 10_000,
            }),
          ),
        },
        { additionalProperties: false, description: 'Keeps decisions for a time. Left out: none is kept.' },
      ),
    ),
    ca: Type.Optional(
      fileOption('PEM of the CAs that may sign the service’s certificate, instead of the system’s.'),
    ),
  },
  { additionalProperties: false },
);

export type ExternalAuthConfig = Static<typeof externalAuthSchema>;

/** What is known of it before a document names it. */
export const externalAuthOutline: PolicyOutline<typeof externalAuthSchema> = {
  name: 'external-auth',
  summary: 'Asks a service of yours whether a request may go on, as nginx and Envoy do.',
  schema: externalAuthSchema,
  body: (config) => (config.body === undefined ? 'none' : 'buffer'),
  provides: (config) => (config.identity === undefined ? [] : ['identity']),
};
