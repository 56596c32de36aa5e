import type { PolicyOutline } from '../../contract/index.ts';
import { DURATION_MESSAGE, DURATION_PATTERN } from '../../lib/duration.ts';
import { type Static, Type } from '../../lib/schema.ts';
import {
  bySchema,
  costSchema,
  countSchema,
  headersSchema,
  needsIdentity,
  SHARING_FIELDS,
} from '../../limits/index.ts';

const limit = Type.Integer({
  description: 'Requests per window.',
  minimum: 1,
  maximum: 1_000_000_000,
  examples: [100],
});

const window = Type.String({
  description: 'Length of the window: 500ms, 30s, 5m, 24h or 30d; at most 366d.',
  pattern: DURATION_PATTERN,
  patternErrorMessage: DURATION_MESSAGE,
  examples: ['1m'],
});

const burst = Type.Optional(
  Type.Integer({
    description:
      'Requests at once by a caller that has been idle. Default for gcra is `limit`; a token bucket has to say it.',
    minimum: 1,
    maximum: 1_000_000_000,
  }),
);

const algorithm = Type.Optional(
  Type.Union(
    [
      Type.Literal('gcra'),
      Type.Literal('token-bucket'),
      Type.Literal('fixed-window'),
      Type.Literal('sliding-window'),
    ],
    {
      description:
        '`gcra` gives requests back evenly, one each window/limit; `token-bucket` is the same in other words; `fixed-window` counts by the clock (UTC); `sliding-window` counts the current window and a share of the one before.',
      default: 'gcra',
    },
  ),
);

const limitName = (description: string) =>
  Type.Optional(
    Type.String({
      description,
      pattern: '^[A-Za-z0-9._-]{1,64}$',
      patternErrorMessage: 'must be at most 64 letters, digits, ".", "_" and "-"',
      examples: ['per-minute'],
    }),
  );

const limitSchema = Type.Object(
  {
    limit,
    window,
    burst,
    algorithm,
    name: limitName(
      'Name of this limit in the answer headers and records. Default: the attachment’s and the window.',
    ),
  },
  { additionalProperties: false },
);

export const rateLimitSchema = Type.Object(
  {
    limit: Type.Optional(limit),
    window: Type.Optional(window),
    burst,
    algorithm,
    limits: Type.Optional(
      Type.Array(limitSchema, {
        description:
          'Several limits at once, in place of `limit` and `window`: a request needs room in all of them, and one that any refuses costs the others nothing.',
        minItems: 1,
        maxItems: 16,
      }),
    ),
    by: Type.Optional(
      bySchema(
        'Whose requests are counted together. Left out: the consumer, where one is known, else the client address (IPv6 by /64).',
      ),
    ),
    cost: Type.Optional(costSchema),
    count: Type.Optional(countSchema),
    headers: Type.Optional(headersSchema),
    name: limitName('Name of this limit in the answer headers and records. Default: from the attachment.'),
    ...SHARING_FIELDS,
  },
  { additionalProperties: false, description: 'Limits how often a caller may come.' },
);

export type LimitOption = Static<typeof limitSchema>;
export type RateLimitConfig = Static<typeof rateLimitSchema>;

/** What is known of it before a document names it. */
export const rateLimitOutline: PolicyOutline<typeof rateLimitSchema> = {
  name: 'rate-limit',
  summary: 'Limits how often a consumer, credential, group, address, route, header value or claim may come.',
  schema: rateLimitSchema,
  body: 'none',
  needs: ({ by }) => (needsIdentity(by) ? ['identity'] : []),
};
