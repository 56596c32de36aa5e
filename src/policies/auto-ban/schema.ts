import type { PolicyOutline } from '../../contract/index.ts';
import { DURATION_MESSAGE, DURATION_PATTERN } from '../../lib/duration.ts';
import { type Static, Type } from '../../lib/schema.ts';
import { bySchema, MISDEEDS, needsIdentity } from '../../limits/index.ts';

const duration = (description: string, more: { default?: string; examples?: string[] } = {}) =>
  Type.String({
    description,
    pattern: DURATION_PATTERN,
    patternErrorMessage: DURATION_MESSAGE,
    ...more,
  });

/** Defaults as a user would write them. */
export const DEFAULTS = Object.freeze({ growth: 2, maxBan: '24h', forget: '7d' });

export const autoBanSchema = Type.Object(
  {
    after: Type.Integer({
      description: 'Rejections per window that end in a ban.',
      minimum: 1,
      maximum: 1_000_000,
      examples: [20],
    }),
    window: duration('Time in which they are counted: from 1s to 1d.', { examples: ['5m'] }),
    for: Type.Array(Type.Union(MISDEEDS.map((kind) => Type.Literal(kind))), {
      description:
        'What is counted: requests that ended so. `failed-authentication`: a credential was wrong; `unauthenticated`: there was none; `forbidden`; `waf`; `validation`: against a schema, too large, malformed; `not-found`: no such route or method, or the upstream’s 404; `rate`: over a limit; `error`: any other 4xx, and a 5xx of the upstream.',
      minItems: 1,
      uniqueItems: true,
      examples: [['failed-authentication', 'waf']],
    }),
    ban: duration('How long the first ban lasts.', { examples: ['10m'] }),
    growth: Type.Optional(
      Type.Number({
        description: 'How many times as long as the one before each further ban lasts; 1 for always as long.',
        minimum: 1,
        maximum: 100,
        default: DEFAULTS.growth,
      }),
    ),
    maxBan: Type.Optional(
      duration('The longest that a ban becomes; left out, never less than `ban`.', {
        default: DEFAULTS.maxBan,
      }),
    ),
    forget: Type.Optional(
      duration('Time after the end of a ban after which the next one is a first one again.', {
        default: DEFAULTS.forget,
      }),
    ),
    by: Type.Optional(
      bySchema(
        'Who is banned, and whose rejections are counted together. Left out: the client address (IPv6: its /64). Not by `route`, which would ban everybody.',
      ),
    ),
    onStateLoss: Type.Optional(
      Type.Union([Type.Literal('local'), Type.Literal('open')], {
        description:
          'When the shared store does not answer: `local` counts on this node, to the whole of `after`; `open` counts nothing, so that nobody is banned meanwhile. Bans that stand go on.',
        default: 'local',
      }),
    ),
  },
  { additionalProperties: false, description: 'Bans who is rejected too often, for a growing time.' },
);

export type AutoBanConfig = Static<typeof autoBanSchema>;

export const autoBanOutline: PolicyOutline<typeof autoBanSchema> = {
  name: 'auto-ban',
  summary:
    'Bans an address, consumer or credential whose requests are rejected too often, for a growing time.',
  schema: autoBanSchema,
  body: 'none',
  needs: ({ by }) => (by !== undefined && needsIdentity(by) ? ['identity'] : []),
};
