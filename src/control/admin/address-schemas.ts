import { DURATION_PATTERN } from '../../lib/duration.ts';
import { orNull, type Static, Type } from '../../lib/schema.ts';
import { As } from './rollout-schemas.ts';
import { strict, Time } from './schemas.ts';

const Version = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Hash of the content.' });
/** Nothing that could write into a terminal or a log. */
const Reason = Type.String({
  maxLength: 500,
  default: '',
  pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]*$',
  description: 'Why, for the audit.',
});

const ban = {
  id: Type.String(),
  network: orNull(Type.String({ description: 'CIDR; null where a caller is banned.' })),
  caller: orNull(Type.String({ description: 'As a policy names it; null where a network is banned.' })),
  since: Time,
  until: Time,
  reason: Type.String(),
  by: Type.String({ description: 'Who asked for it, or the attachment that imposed it.' }),
  strike: orNull(Type.Integer({ description: 'Which in a row a policy imposed; null for one asked for.' })),
  shadow: Type.Boolean({ description: 'Imposed in shadow: nobody is banned.' }),
};
export const Ban = strict(ban);
export const Bans = strict({ bans: Type.Array(Ban) });
export const BanMade = strict({
  ...ban,
  stored: Type.Boolean({ description: 'False: it is enforced, and ends with the process.' }),
});

export const BanParams = strict({
  ban: Type.String({
    minLength: 1,
    maxLength: 500,
    description: 'Id, network, address or caller (encoded).',
  }),
});
export type BanParams = Static<typeof BanParams>;

export const UnbanQuery = strict({ as: As });
export type UnbanQuery = Static<typeof UnbanQuery>;

export const BanRequest = strict({
  address: Type.String({ minLength: 1, maxLength: 64, description: 'Address or CIDR network.' }),
  for: Type.String({ pattern: DURATION_PATTERN, default: '1h', description: 'How long, like 30m or 7d.' }),
  reason: Reason,
  force: Type.Boolean({ default: false, description: 'Also what is your own, or very wide.' }),
  as: As,
});
export type BanRequest = Static<typeof BanRequest>;

export const ListParams = strict({ name: Type.String({ minLength: 1, maxLength: 100 }) });
export type ListParams = Static<typeof ListParams>;

const Outcome = Type.Union(
  (['applied', 'unchanged', 'held', 'rejected', 'failed', 'pinned'] as const).map((word) =>
    Type.Literal(word),
  ),
);

export const AddressList = strict({
  name: Type.String(),
  source: orNull(Type.String({ description: 'Without its query; null for a list kept by hand alone.' })),
  entries: orNull(Type.Integer({ description: 'Of the source; null while nothing was ever loaded.' })),
  inline: Type.Integer({ description: 'Entries that stand in the document.' }),
  version: orNull(Version),
  pinned: Type.Boolean({ description: 'A person chose the version; the source is not asked.' }),
  stale: Type.Boolean(),
  dropped: Type.Boolean({ description: 'The entries of the source were dropped for being stale.' }),
  refreshedAt: orNull(Time),
  nextRefreshAt: orNull(Time),
  held: orNull(strict({ version: Version, at: Time, reasons: Type.Array(Type.String()) })),
  lastAttempt: orNull(strict({ at: Time, outcome: Outcome, detail: Type.String() })),
});
export const AddressLists = strict({ lists: Type.Array(AddressList) });
export const ListRefresh = strict({ outcome: Outcome, detail: Type.String(), list: AddressList });

export const ListVersions = strict({
  versions: Type.Array(
    strict({ id: Version, entries: Type.Integer(), source: Type.String(), createdAt: Time }),
  ),
});

export const ListDiffQuery = strict({
  from: Type.Optional(Version),
  to: Type.Optional(Version),
  limit: Type.Integer({ minimum: 0, maximum: 10_000, default: 100 }),
});
export type ListDiffQuery = Static<typeof ListDiffQuery>;

const Side = strict({
  count: Type.Integer(),
  networks: Type.Array(Type.String(), { description: 'The first of them.' }),
});
export const ListDiff = strict({ from: Version, to: Version, added: Side, removed: Side });

export const ListDecision = strict({ version: Version });
export type ListDecision = Static<typeof ListDecision>;

export const ListRollback = strict({ version: Version, reason: Reason });
export type ListRollback = Static<typeof ListRollback>;
