import type { PolicyOutline } from '../../contract/index.ts';
import { DURATION_MESSAGE, DURATION_PATTERN } from '../../lib/duration.ts';
import { type Static, Type } from '../../lib/schema.ts';
import { bySchema, needsIdentity, prioritySchema, STATE_LOSS_FIELD } from '../../limits/index.ts';

const duration = (description: string, more: object = {}) =>
  Type.String({
    description,
    pattern: DURATION_PATTERN,
    patternErrorMessage: DURATION_MESSAGE,
    ...more,
  });

export const concurrencySchema = Type.Object(
  {
    limit: Type.Integer({
      description: 'Requests under way at the same time.',
      minimum: 1,
      maximum: 1_000_000,
      examples: [40],
    }),
    by: Type.Optional(
      bySchema(
        'Whose requests are counted together. Left out: the consumer, where one is known, else the client address (IPv6 by /64).',
      ),
    ),
    queue: Type.Optional(
      Type.Integer({
        description: 'How many requests of one caller may wait for a place; 0 for none.',
        minimum: 0,
        maximum: 4096,
        default: 0,
      }),
    ),
    wait: Type.Optional(
      duration('How long a request waits at most, up to 10m. Only with `queue`.', { default: '1s' }),
    ),
    deadline: Type.Optional(
      duration(
        'How long after it came a request is still worth forwarding; one that waits is refused when it is over. Only with `queue`.',
        { examples: ['5s'] },
      ),
    ),
    deadlineHeader: Type.Optional(
      Type.String({
        description:
          'Request header in which the client says for how many milliseconds it waits for the answer; it can only shorten the wait. Only with `queue`.',
        pattern: "^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$",
        patternErrorMessage: 'must be a header name of at most 64 characters, like x-timeout-ms',
        examples: ['x-timeout-ms'],
      }),
    ),
    priority: Type.Optional(
      prioritySchema(
        'Who goes first of those that wait: `critical`, `high`, `normal` or `low`, or a CEL expression that gives one. Left out, undecidable or another text: the route’s.',
      ),
    ),
    headers: Type.Optional(
      Type.Union([Type.Literal('draft'), Type.Literal('none')], {
        description:
          '`draft`: answers carry RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers), in concurrent requests. `none`: only Retry-After on a 429.',
        default: 'draft',
      }),
    ),
    name: Type.Optional(
      Type.String({
        description: 'Name of this limit in the answer headers and records. Default: from the attachment.',
        pattern: '^[A-Za-z0-9._-]{1,64}$',
        patternErrorMessage: 'must be at most 64 letters, digits, ".", "_" and "-"',
        examples: ['at-once'],
      }),
    ),
    ...STATE_LOSS_FIELD,
  },
  {
    additionalProperties: false,
    description: 'Limits how many requests of a caller are under way at the same time.',
  },
);

export type ConcurrencyConfig = Static<typeof concurrencySchema>;

/** What is known of it before a document names it. */
export const concurrencyOutline: PolicyOutline<typeof concurrencySchema> = {
  name: 'concurrency',
  summary:
    'Limits how many requests of a consumer, credential, group, address, route, header value or claim are under way at the same time.',
  schema: concurrencySchema,
  body: 'none',
  refuses: false,
  needs: ({ by }) => (needsIdentity(by) ? ['identity'] : []),
};
