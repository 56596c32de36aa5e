import { type Static, Type } from '../../lib/schema.ts';

const NAME = {
  pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$',
  patternErrorMessage: 'must be a name of letters, digits, ".", "_" and "-", at most 100',
};

export const anonymousSchema = Type.Object(
  {
    consumer: Type.String({
      ...NAME,
      description:
        'Name of the consumer as whom the caller goes on. A declared one brings its groups and its id.',
    }),
    groups: Type.Optional(
      Type.Array(Type.String(NAME), {
        description: 'Groups the caller is in, beside those of the consumer.',
        uniqueItems: true,
        maxItems: 100,
      }),
    ),
  },
  { additionalProperties: false },
);

export type AnonymousConfig = Static<typeof anonymousSchema>;
