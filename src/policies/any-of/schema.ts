import { MEMBER, type Static, Type } from '../../lib/schema.ts';

export const anyOfSchema = Type.Array(MEMBER, {
  description:
    'Ways to prove who calls, in the order in which they are asked. Each may have a `when` and a `name`.',
  minItems: 1,
  maxItems: 16,
});

export type AnyOfConfig = Static<typeof anyOfSchema>;
