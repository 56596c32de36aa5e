import { type Static, Type } from '../../lib/schema.ts';
import { strict, Time } from './schemas.ts';

const Id = Type.String({
  pattern: '^[0-9a-f]{24}$',
  patternErrorMessage: 'must be 24 hexadecimal digits, as in the list of quotas',
  description: 'Of a quota and a caller.',
});
/** Nothing that could write into a terminal or a log. */
const Reason = Type.String({
  maxLength: 500,
  default: '',
  pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$',
  description: 'Why, for the audit.',
});

export const QuotaParams = strict({ id: Id });
export type QuotaParams = Static<typeof QuotaParams>;

export const QuotaQuery = strict({
  attachment: Type.Optional(
    Type.String({ maxLength: 300, description: 'Only of one attachment, e.g. route:orders/quota.' }),
  ),
  by: Type.Optional(Type.String({ maxLength: 300, description: 'Only of one kind of key, e.g. consumer.' })),
  key: Type.Optional(
    Type.String({
      maxLength: 300,
      description:
        'Only of one caller: the name of a consumer, an address, or the value that is shown as a digest.',
    }),
  ),
  limit: Type.Integer({ minimum: 1, maximum: 1000, default: 50 }),
  after: Type.String({
    pattern: '^([0-9a-f]{24})?$',
    default: '',
    description: 'The `next` of the page before.',
  }),
});
export type QuotaQuery = Static<typeof QuotaQuery>;

export const QuotaUsage = strict({
  id: Id,
  attachment: Type.String(),
  quota: Type.String({ description: 'Name of the quota.' }),
  by: Type.String({ description: 'What the key is: consumer, header x-tenant…' }),
  key: Type.String({ description: 'Values of headers, claims and expressions by their digest.' }),
  shadow: Type.Boolean({ description: 'Counted in shadow: nobody is refused by it.' }),
  limit: Type.Integer({ description: 'As it was when it was last used.' }),
  extra: Type.Integer({ description: 'On top of the limit: carried over, or granted.' }),
  used: Type.Integer(),
  remaining: Type.Integer(),
  startedAt: Time,
  renewsAt: Time,
});

export const QuotaPage = strict({
  quotas: Type.Array(QuotaUsage),
  next: Type.Union([Id, Type.Null()]),
  shared: Type.Boolean({
    description:
      'Usage is that of all nodes that share a store (--state), of those callers that this node has seen in their window.',
  }),
});

export const QuotaReset = strict({ reason: Reason });
export type QuotaReset = Static<typeof QuotaReset>;

export const QuotaGrant = strict({
  amount: Type.Integer({ minimum: 1, maximum: 1_000_000_000_000, description: 'Until the window ends.' }),
  reason: Reason,
});
export type QuotaGrant = Static<typeof QuotaGrant>;
