import { type Static, Type } from '../../lib/schema.ts';

const list = (description: string, form: object = {}) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1, ...form }), { description, minItems: 1 }));

const METHOD = {
  pattern: '^[A-Z][A-Z-]*$',
  patternErrorMessage: 'must be an HTTP method in capitals, like GET',
};
const PATH = { pattern: '^/', patternErrorMessage: 'must start with "/"' };

const block = Type.Object(
  {
    consumers: list('Names of consumers.'),
    groups: list('Groups the consumer is in.'),
    scopes: list('Scopes the credential carries.'),
    methods: list('Request methods, in upper case.', METHOD),
    paths: list(
      'Path patterns as in routes: literal segments, `*` for one, `**` at the end for the rest.',
      PATH,
    ),
    addresses: list('Client addresses or CIDR networks.'),
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
