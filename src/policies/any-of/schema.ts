import type { PolicyOutline } from '../../contract/index.ts';
import { MEMBER, type Static, Type } from '../../lib/schema.ts';

export const anyOfSchema = Type.Array(MEMBER, {
  description:
    'Ways to prove who calls, in the order in which they are asked. Each may have a `when` and a `name`.',
  minItems: 1,
  maxItems: 16,
});

export type AnyOfConfig = Static<typeof anyOfSchema>;

/** What is known of it before a document names it. */
export const anyOfOutline: PolicyOutline<typeof anyOfSchema> = {
  name: 'any-of',
  summary: 'Identifies the caller in one of several ways, with one answer where none succeeds.',
  schema: anyOfSchema,
  body: 'none',
  provides: ['identity'],
};
