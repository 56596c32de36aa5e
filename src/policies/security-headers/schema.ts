import { DURATION_MESSAGE, DURATION_PATTERN } from '../../lib/duration.ts';
import { type Static, Type } from '../../lib/schema.ts';

const hsts = Type.Object(
  {
    maxAge: Type.Optional(
      Type.String({
        description: 'How long browsers insist on HTTPS.',
        default: '365d',
        pattern: DURATION_PATTERN,
        patternErrorMessage: DURATION_MESSAGE,
      }),
    ),
    includeSubDomains: Type.Optional(
      Type.Boolean({ description: 'Whether names below insist too.', default: false }),
    ),
    preload: Type.Optional(
      Type.Boolean({
        description: 'Whether browsers may ship with this name. Hard to take back.',
        default: false,
      }),
    ),
  },
  { additionalProperties: false },
);

const headerName = Type.String({
  pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
  patternErrorMessage: 'must be a header name, like server',
});

export const securityHeadersSchema = Type.Object(
  {
    preset: Type.Optional(
      Type.Union([Type.Literal('api'), Type.Literal('web')], {
        description: '`api`: nothing may be framed or loaded. `web`: pages of one site.',
        default: 'api',
      }),
    ),
    hsts: Type.Optional(
      Type.Union([Type.Literal(false), hsts], {
        description: '`Strict-Transport-Security`, sent on HTTPS only. Both presets: 365 days.',
      }),
    ),
    contentTypeOptions: Type.Optional(
      Type.Boolean({ description: '`X-Content-Type-Options: nosniff`.', default: true }),
    ),
    frameOptions: Type.Optional(
      Type.Union([Type.Literal(false), Type.Literal('DENY'), Type.Literal('SAMEORIGIN')], {
        description: '`X-Frame-Options`. Presets: `DENY` (api), `SAMEORIGIN` (web).',
      }),
    ),
    contentSecurityPolicy: Type.Optional(
      Type.Union([Type.Literal(false), Type.String({ minLength: 1 })], {
        description:
          "`Content-Security-Policy`, added to the upstream's own. Presets: `default-src 'none'; frame-ancestors 'none'` (api), `frame-ancestors 'self'` (web).",
      }),
    ),
    referrerPolicy: Type.Optional(
      Type.Union(
        [
          Type.Literal(false),
          Type.Literal('no-referrer'),
          Type.Literal('same-origin'),
          Type.Literal('strict-origin'),
          Type.Literal('strict-origin-when-cross-origin'),
        ],
        {
          description:
            '`Referrer-Policy`. Presets: `no-referrer` (api), `strict-origin-when-cross-origin` (web).',
        },
      ),
    ),
    remove: Type.Optional(
      Type.Array(headerName, {
        description: 'Response headers that tell about the software behind.',
        default: ['server', 'x-powered-by'],
      }),
    ),
  },
  { additionalProperties: false },
);

export type SecurityHeadersConfig = Static<typeof securityHeadersSchema>;
