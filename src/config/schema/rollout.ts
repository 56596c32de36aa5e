import { Type } from '../../lib/schema.ts';
import { durationText, nameText, patterned } from './text.ts';

/** At most three decimals, from 0 to 100. */
const SHARE_PATTERN = '^(0|[1-9][0-9]?)(\\.[0-9]{1,3})?%$|^100%$';
const INCREASE_PATTERN = '^\\+(0|[1-9][0-9]{0,3})(\\.[0-9]{1,3})?%$';

const shareText = (description: string, fallback?: string) =>
  patterned(SHARE_PATTERN, 'must be a share from 0% to 100%, like 5% or 0.1%', {
    description,
    ...(fallback === undefined ? {} : { default: fallback }),
  });

const increaseText = (description: string) =>
  patterned(INCREASE_PATTERN, 'must be an increase, like +20%', { description });

/** Defaults as a user would write them. */
export const DEFAULT_ROLLOUT = Object.freeze({
  records: '24h',
  maxFlips: '0%',
  shadowShare: '10%',
  shadowBudget: '10%',
  cohortShare: '100%',
});

const ReplaySchema = Type.Object(
  {
    records: Type.Optional(
      durationText('How far back recorded requests are judged again.', DEFAULT_ROLLOUT.records),
    ),
    maxFlips: Type.Optional(
      shareText(
        'The share of recorded requests that may be judged otherwise than now; for more, somebody has to approve.',
        DEFAULT_ROLLOUT.maxFlips,
      ),
    ),
  },
  {
    additionalProperties: false,
    description: 'Judges what was recorded by the new revision, before it meets a live request.',
  },
);

const ShadowSchema = Type.Object(
  {
    for: durationText('How long at least.'),
    share: Type.Optional(
      shareText('The share of live requests that are judged a second time.', DEFAULT_ROLLOUT.shadowShare),
    ),
    budget: Type.Optional(
      shareText(
        'At most so much of each worker’s time, as a share of one core; requests that would cost more are left out.',
        DEFAULT_ROLLOUT.shadowBudget,
      ),
    ),
  },
  {
    additionalProperties: false,
    description: 'Judges live requests by the new revision beside the one in service, without acting on it.',
  },
);

const CohortSchema = Type.Object(
  {
    share: Type.Optional(
      shareText('The share of callers: the same ones while it only grows.', DEFAULT_ROLLOUT.cohortShare),
    ),
    consumers: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 200 }), {
        description: 'Names of consumers.',
        minItems: 1,
        maxItems: 1000,
        uniqueItems: true,
      }),
    ),
    routes: Type.Optional(
      Type.Array(nameText('A route.'), {
        description: 'Names of routes, as the revision in service has them.',
        minItems: 1,
        maxItems: 1000,
        uniqueItems: true,
      }),
    ),
    addresses: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 100 }), {
        description: 'Addresses and CIDR networks of clients.',
        minItems: 1,
        maxItems: 1000,
        uniqueItems: true,
      }),
    ),
  },
  {
    additionalProperties: false,
    minProperties: 1,
    description: 'Whose requests: all that is given must hold.',
  },
);

const StepSchema = Type.Object(
  {
    canary: Type.Union([shareText('Decides the requests of this share of callers.'), CohortSchema], {
      description: 'Whose requests the new revision decides: a share of callers, or who they are.',
    }),
    for: durationText('How long at least; longer where too little was seen to judge by the gates.'),
  },
  { additionalProperties: false, description: 'One step on the way to all requests.' },
);

const GatesSchema = Type.Object(
  {
    denyRate: Type.Optional(
      increaseText(
        'How many more requests it may deny, relative to the revision in service: +20% of 2 % is 2.4 %.',
      ),
    ),
    errorRate: Type.Optional(
      increaseText('How many more of all requests may end in an error: +1% of 2 % is 3 %.'),
    ),
    p99: Type.Optional(
      increaseText('How much slower the slowest hundredth may begin, relative to the revision in service.'),
    ),
    flips: Type.Optional(
      shareText('The share of requests judged twice in shadow that may be judged otherwise.'),
    ),
  },
  {
    additionalProperties: false,
    description:
      'What must hold while it is tried, measured against the revision in service at the same time. One that is broken rolls back.',
  },
);

export const RolloutSchema = Type.Object(
  {
    replay: Type.Optional(ReplaySchema),
    approvals: Type.Optional(
      Type.Integer({
        description: 'How many others than its author have to agree.',
        minimum: 0,
        maximum: 10,
        default: 0,
      }),
    ),
    shadow: Type.Optional(ShadowSchema),
    steps: Type.Optional(
      Type.Array(StepSchema, { description: 'In order; without any it is active at once.', maxItems: 50 }),
    ),
    gates: Type.Optional(GatesSchema),
  },
  { additionalProperties: false, description: 'How a revision of this document goes live.' },
);
