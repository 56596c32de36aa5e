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

/** A sum of this many is still far from where counting becomes inexact. */
const MAX_LIMIT = 1_000_000_000_000;

export const PERIODS = ['day', 'week', 'month', 'year'] as const;
export const WEEKDAYS = [
  'monday',
  'tuesday',
  'wednesday',
  'thursday',
  'friday',
  'saturday',
  'sunday',
] as const;

const limit = Type.Integer({
  description: 'Requests, or what they cost, per window.',
  minimum: 1,
  maximum: MAX_LIMIT,
  examples: [10_000],
});

const name = (description: string) =>
  Type.Optional(
    Type.String({
      description,
      pattern: '^[A-Za-z0-9._-]{1,64}$',
      patternErrorMessage: 'must be at most 64 letters, digits, ".", "_" and "-"',
      examples: ['monthly'],
    }),
  );

const Renews = Type.Object(
  {
    day: Type.Optional(
      Type.Union(
        [
          Type.Integer({ minimum: 1, maximum: 31 }),
          Type.Literal('last'),
          ...WEEKDAYS.map((day) => Type.Literal(day)),
        ],
        {
          description:
            'Of a month or a year: 1 to 28, or `last`; default is 1. Of a week: `monday` (default) to `sunday`.',
        },
      ),
    ),
    month: Type.Optional(
      Type.Integer({ description: 'Of a year: 1 to 12; default is 1.', minimum: 1, maximum: 12 }),
    ),
    at: Type.Optional(
      Type.String({
        description: 'Time of the day, on the clocks of `timeZone`.',
        pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$',
        patternErrorMessage: 'must be a time of the day, like 06:30',
        default: '00:00',
      }),
    ),
  },
  { additionalProperties: false, description: 'When a window of `per` ends and the next begins.' },
);

/** How long a window is. */
const period = {
  per: Type.Optional(
    Type.Union(
      PERIODS.map((one) => Type.Literal(one)),
      { description: 'The window is one of the calendar. Either this or `window`.' },
    ),
  ),
  window: Type.Optional(
    Type.String({
      description:
        'The window is so long, from 1m to 366d, whatever the calendar says: one ends and the next begins each time since 1970-01-01T00:00:00Z.',
      pattern: DURATION_PATTERN,
      patternErrorMessage: DURATION_MESSAGE,
      examples: ['30d'],
    }),
  ),
  renews: Type.Optional(Renews),
  carryOver: Type.Optional(
    Type.Union(
      [
        Type.Integer({ minimum: 0 }),
        Type.String({
          pattern: '^(100|[1-9]?[0-9])%$',
          patternErrorMessage: 'must be a whole number, or a share of the limit like 20%',
        }),
      ],
      {
        description:
          'Of what the window before left, at most so much is added: a number or a share like `20%`.',
        default: 0,
      },
    ),
  ),
};

const Within = Type.Object(
  {
    limit,
    by: bySchema('Whose requests count together here.'),
    name: name('Default: from the quota’s own and `by`.'),
    ...period,
  },
  { additionalProperties: false },
);
export type WithinConfig = Static<typeof Within>;

const SpillOver = Type.Object(
  {
    limit,
    by: bySchema('Who shares it.'),
    name: name('Default: the quota’s own and `-reserve`.'),
  },
  {
    additionalProperties: false,
    description:
      'A reserve for the same window: who has used up the own quota goes on with this one, until it is used up too.',
  },
);

export const quotaSchema = Type.Object(
  {
    limit,
    ...period,
    timeZone: Type.Optional(
      Type.String({
        description: 'Time zone of the calendar, by its IANA name.',
        pattern: '^[A-Za-z][A-Za-z0-9_+/-]{0,63}$',
        patternErrorMessage: 'must be the IANA name of a time zone, like Europe/Berlin',
        default: 'UTC',
        examples: ['Europe/Berlin'],
      }),
    ),
    by: Type.Optional(
      bySchema(
        'Whose requests are counted together. Left out: the consumer, where one is known, else the client address (IPv6 by /64).',
      ),
    ),
    cost: Type.Optional(costSchema),
    count: Type.Optional(countSchema),
    within: Type.Optional(
      Type.Array(Within, {
        description:
          'Wider quotas that this one is part of: a request counts against all of them, or none. The window is that of the quota itself where an entry names none.',
        minItems: 1,
        maxItems: 4,
      }),
    ),
    spillOver: Type.Optional(SpillOver),
    name: name('Name of this quota in answers, records and lists. Default: from the attachment.'),
    headers: Type.Optional(headersSchema),
    ...SHARING_FIELDS,
  },
  {
    additionalProperties: false,
    description: 'Limits how much a caller may have in a day, a month or a year.',
  },
);

export type QuotaConfig = Static<typeof quotaSchema>;

/** What is known of it before a document names it. */
export const quotaOutline: PolicyOutline<typeof quotaSchema> = {
  name: 'quota',
  summary:
    'Limits how much a caller may have in a day, a month or a year, and keeps the count across restarts.',
  schema: quotaSchema,
  body: 'none',
  needs: ({ by, within = [], spillOver }) =>
    [by, spillOver?.by, ...within.map((one) => one.by)].some(needsIdentity) ? ['identity'] : [],
};
