import type { PolicyOutline } from '../../contract/index.ts';
import { CLAIM_PATTERN } from '../../identity/index.ts';
import { type Static, Type } from '../../lib/schema.ts';

const list = (description: string, form: object = {}) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1, ...form }), { description, minItems: 1 }));

const METHOD = {
  pattern: '^[A-Z][A-Z-]*$',
  patternErrorMessage: 'must be an HTTP method in capitals, like GET',
};
const PATH = { pattern: '^/', patternErrorMessage: 'must start with "/"' };
const DAY = '(mon|tue|wed|thu|fri|sat|sun)';
const DAYS = {
  pattern: `^${DAY}(-${DAY})?$`,
  patternErrorMessage: 'must be a day, like mon, or days, like mon-fri',
};

const clock = (description: string, fallback: string) =>
  Type.Optional(
    Type.String({
      description,
      default: fallback,
      pattern: '^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$',
      patternErrorMessage: 'must be a time of day, HH:MM, from 00:00 to 24:00',
    }),
  );

const time = Type.Object(
  {
    days: list(
      'Days of the week, one by one or from one to another: `[mon-fri, sun]`. Every day by default.',
      DAYS,
    ),
    from: clock('When it begins, on the clocks of the zone.', '00:00'),
    to: clock('When it is over. One that is not after `from` is of the next day.', '24:00'),
    zone: Type.Optional(
      Type.String({
        description: 'Time zone of the IANA database.',
        default: 'UTC',
        minLength: 1,
        maxLength: 64,
      }),
    ),
  },
  { additionalProperties: false, minProperties: 1 },
);

const block = Type.Object(
  {
    consumers: list('Names of consumers.'),
    groups: list('Groups of which the caller is in one.'),
    allGroups: list('Groups all of which the caller is in.'),
    scopes: list('Scopes of which the credential carries one.'),
    allScopes: list('Scopes all of which the credential carries.'),
    claims: Type.Optional(
      Type.Record(
        Type.String({ pattern: CLAIM_PATTERN }),
        Type.Array(Type.Union([Type.String(), Type.Number(), Type.Boolean()]), { minItems: 1 }),
        {
          description:
            'Claims by name, or by the way to a nested one (`realm_access.roles`, `/realm_access/roles`), and the values of which each has one. A claim that is a list has each of its items.',
          additionalProperties: false,
          minProperties: 1,
          maxProperties: 32,
        },
      ),
    ),
    methods: list('Request methods, in upper case.', METHOD),
    paths: list(
      'Path patterns as in routes: literal segments, `*` for one, `**` at the end for the rest.',
      PATH,
    ),
    addresses: list('Client addresses, CIDR networks, or lists of the document as `list:NAME`.'),
    times: Type.Optional(
      Type.Array(time, { description: 'Times of day of which it is one.', minItems: 1, maxItems: 32 }),
    ),
    when: Type.Optional(
      Type.String({
        description: 'CEL condition with the names that the `when` of an attachment has.',
        minLength: 1,
        maxLength: 2000,
      }),
    ),
  },
  { additionalProperties: false, minProperties: 1 },
);

export const aclSchema = Type.Object(
  {
    allow: Type.Optional(
      Type.Union([block, Type.Array(block, { minItems: 1 }), Type.Literal('everyone')], {
        description: 'Who is let on: a block, a list of blocks of which one must hold, or `everyone`.',
      }),
    ),
    deny: Type.Optional(
      Type.Union([block, Type.Array(block, { minItems: 1 })], {
        description: 'Who is refused, whatever `allow` says: a block or a list of blocks.',
      }),
    ),
  },
  { additionalProperties: false },
);

export type AclConfig = Static<typeof aclSchema>;
export type AclBlock = Static<typeof block>;
export type AclTime = Static<typeof time>;

/** Keys that only an identity can tell. */
export const IDENTITY_KEYS = ['consumers', 'groups', 'allGroups', 'scopes', 'allScopes', 'claims'] as const;

/** Whether a block names anything that only an identity can tell. */
export const needsIdentity = (config: AclBlock): boolean =>
  IDENTITY_KEYS.some((key) => config[key] !== undefined);

/** The blocks of `allow` or `deny`. */
export function blocksOf(part: AclConfig['allow']): readonly AclBlock[] {
  if (part === undefined || part === 'everyone') return [];
  return Array.isArray(part) ? part : [part];
}

/** What is known of it before a document names it. */
export const aclOutline: PolicyOutline<typeof aclSchema> = {
  name: 'acl',
  summary:
    'Lets on only the consumers, groups, scopes, claims, methods, paths, addresses and times that are allowed.',
  schema: aclSchema,
  body: 'none',
  refuses: ({ allow, deny }) => allow !== 'everyone' || deny !== undefined,
  needs: (config) =>
    [...blocksOf(config.allow), ...blocksOf(config.deny)].some(needsIdentity) ? ['identity'] : [],
};
