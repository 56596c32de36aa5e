import { DURATION_MESSAGE, DURATION_PATTERN } from '../../lib/duration.ts';
import { type Static, Type } from '../../lib/schema.ts';
import { bySchema } from '../../limits/index.ts';

export const rateLimitSchema = Type.Object(
  {
    limit: Type.Integer({ description: 'Requests per window.', minimum: 1, examples: [100] }),
    window: Type.String({
      description: 'Length of the window: 500ms, 30s, 5m, 24h or 30d.',
      pattern: DURATION_PATTERN,
      patternErrorMessage: DURATION_MESSAGE,
      examples: ['1m'],
    }),
    burst: Type.Optional(
      Type.Integer({
        description: 'Requests at once by a caller that has been idle. Only for gcra; default is `limit`.',
        minimum: 1,
      }),
    ),
    algorithm: Type.Optional(
      Type.Union([Type.Literal('gcra'), Type.Literal('sliding-window')], {
        description:
          '`gcra` gives requests back evenly, one each window/limit; `sliding-window` counts the current window and a share of the one before.',
        default: 'gcra',
      }),
    ),
    by: Type.Optional(
      bySchema(
        'Whose requests are counted together. Left out: the consumer, where one is known, else the client address (IPv6 by /64).',
      ),
    ),
    cost: Type.Optional(Type.Integer({ description: 'What one request counts.', minimum: 1, default: 1 })),
    headers: Type.Optional(
      Type.Union([Type.Literal('draft'), Type.Literal('none')], {
        description:
          '`draft`: answers carry RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers). `none`: only Retry-After on a 429.',
        default: 'draft',
      }),
    ),
    name: Type.Optional(
      Type.String({
        description: 'Name of this limit in the answer headers and records. Default: from the attachment.',
        pattern: '^[A-Za-z0-9._-]{1,64}$',
        patternErrorMessage: 'must be at most 64 letters, digits, ".", "_" and "-"',
        examples: ['per-minute'],
      }),
    ),
  },
  { additionalProperties: false, description: 'Limits how often a caller may come.' },
);

export type RateLimitConfig = Static<typeof rateLimitSchema>;
