import type { PolicyOutline } from '../../contract/index.ts';
import { DURATION_MESSAGE, DURATION_PATTERN } from '../../lib/duration.ts';
import { type Static, Type } from '../../lib/schema.ts';
import { headersSchema, needsIdentity, SHARING_FIELDS } from '../../limits/index.ts';

const duration = (description: string, more: Readonly<Record<string, unknown>> = {}) =>
  Type.String({
    description,
    pattern: DURATION_PATTERN,
    patternErrorMessage: DURATION_MESSAGE,
    ...more,
  });

const weight = (description: string, value: number) =>
  Type.Optional(Type.Number({ description, minimum: 0, maximum: 1000, default: value }));

const Weights = Type.Object(
  {
    'failed-authentication': weight('A wrong credential, or a 401 of the upstream’s own.', 2),
    unauthenticated: weight('No credential where one is asked for.', 0.1),
    forbidden: weight('Known, and not allowed.', 1),
    waf: weight('Refused by the policy `waf`.', 5),
    validation: weight('Malformed, too large, or against a schema.', 1),
    'not-found': weight('Asked for what is not there: 404 and 405, whoever answers.', 1),
    rate: weight('Told by another limiter, or by the upstream, that it comes too often.', 0.25),
    error: weight('Any other 4xx, and 5xx of the upstream’s own.', 0.5),
  },
  { additionalProperties: false, description: 'Points of one such request; 0 for none.' },
);

const Baseline = Type.Object(
  {
    factor: Type.Optional(
      Type.Number({
        description: 'So many times its usual requests a minute are still usual.',
        minimum: 1.5,
        maximum: 1000,
        default: 5,
      }),
    ),
    minimum: Type.Optional(
      Type.Integer({ description: 'So many a minute are never unusual.', minimum: 1, default: 60 }),
    ),
    learn: Type.Optional(duration('What is usual is learned from so long.', { default: '1h' })),
  },
  { additionalProperties: false, description: 'A caller’s rate against what it usually is.' },
);

const Behaviour = Type.Object(
  {
    window: Type.Optional(duration('Points count for so long.', { default: '5m' })),
    threshold: Type.Optional(
      Type.Number({
        description: 'Up to so many points nothing happens; at 2.5 times as many the floor is reached.',
        exclusiveMinimum: 0,
        maximum: 1_000_000,
        default: 20,
      }),
    ),
    weights: Type.Optional(Weights),
    baseline: Type.Optional(
      Type.Union([Type.Literal(false), Baseline], { description: '`false`: no rate is unusual.' }),
    ),
  },
  { additionalProperties: false, description: 'What tightens a caller’s limit.' },
);

const share = (value: number) =>
  Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: value, description: 'In percent.' }));

const Health = Type.Object(
  {
    latency: Type.Optional(
      Type.Number({
        description: 'So many times the latency without a queue are borne.',
        minimum: 1.1,
        maximum: 100,
        default: 1.5,
      }),
    ),
    minConcurrency: Type.Optional(
      Type.Integer({ description: 'At least so many under way, per worker.', minimum: 1, default: 4 }),
    ),
    maxConcurrency: Type.Optional(
      Type.Integer({ description: 'At most so many under way, per worker.', minimum: 1, default: 1000 }),
    ),
    lag: Type.Optional(
      duration('From so late an event loop on the gateway itself is busy.', { default: '50ms' }),
    ),
    classes: Type.Optional(
      Type.Object(
        { critical: share(100), high: share(95), normal: share(85), low: share(60) },
        {
          additionalProperties: false,
          description: 'The part of the concurrency that requests of a priority may fill.',
        },
      ),
    ),
  },
  { additionalProperties: false, description: 'What lowers the concurrency.' },
);

export const adaptiveLimitSchema = Type.Object(
  {
    limit: Type.Integer({
      description: 'Requests per window of a caller that behaves.',
      minimum: 1,
      examples: [100],
    }),
    window: duration('Length of the window: 500ms, 30s, 5m, 24h or 30d.', { examples: ['1m'] }),
    burst: Type.Optional(
      Type.Integer({
        description: 'Requests at once by a caller that has been idle; default is `limit`.',
        minimum: 1,
      }),
    ),
    by: Type.Optional(
      Type.Union(
        [
          Type.Literal('consumer'),
          Type.Literal('credential'),
          Type.Literal('address'),
          Type.Object(
            {
              address: Type.Object(
                {
                  ipv4: Type.Optional(
                    Type.Integer({
                      description: 'Bits of an IPv4 address.',
                      minimum: 8,
                      maximum: 32,
                      default: 32,
                    }),
                  ),
                  ipv6: Type.Optional(
                    Type.Integer({
                      description: 'Bits of an IPv6 address.',
                      minimum: 16,
                      maximum: 128,
                      default: 64,
                    }),
                  ),
                },
                {
                  additionalProperties: false,
                  minProperties: 1,
                  description: 'By wider or narrower networks.',
                },
              ),
            },
            { additionalProperties: false },
          ),
        ],
        {
          description:
            'Whose requests are judged together: only what a caller cannot choose freely. Left out: the consumer, where one is known, else the client address (IPv6 by /64).',
        },
      ),
    ),
    floor: Type.Optional(
      Type.Union(
        [
          Type.Integer({ minimum: 1 }),
          Type.String({
            pattern: '^([1-9]|[1-9][0-9]|100)%$',
            patternErrorMessage: 'must be a percentage from 1% to 100%',
          }),
        ],
        {
          description: 'The limit is never tighter: requests per window, or a part of `limit`.',
          default: '5%',
          examples: ['10%', 10],
        },
      ),
    ),
    behaviour: Type.Optional(
      Type.Union([Type.Literal(false), Behaviour], {
        description: 'What tightens a caller’s limit; `false`: nothing does.',
      }),
    ),
    health: Type.Optional(
      Type.Union([Type.Literal(false), Health], {
        description: 'What lowers the concurrency; `false`: nothing does.',
      }),
    ),
    name: Type.Optional(
      Type.String({
        description: 'Name of this limit in the answer headers and records. Default: from the attachment.',
        pattern: '^[A-Za-z0-9._-]{1,64}$',
        patternErrorMessage: 'must be at most 64 letters, digits, ".", "_" and "-"',
        examples: ['fair-use'],
      }),
    ),
    headers: Type.Optional(headersSchema),
    ...SHARING_FIELDS,
  },
  {
    additionalProperties: false,
    description: 'Limits how often a caller may come by its behaviour, and how many at once by the health.',
  },
);

export type AdaptiveLimitConfig = Static<typeof adaptiveLimitSchema>;

/** What is known of it before a document names it. */
export const adaptiveLimitOutline: PolicyOutline<typeof adaptiveLimitSchema> = {
  name: 'adaptive-limit',
  summary:
    'A limit that tightens for callers that misbehave, and a concurrency that follows the service’s health.',
  schema: adaptiveLimitSchema,
  body: 'none',
  needs: ({ by }) => (needsIdentity(by) ? ['identity'] : []),
};
