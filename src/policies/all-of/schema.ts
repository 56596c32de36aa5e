import type { PolicyOutline } from '../../contract/index.ts';
import { MEMBER, type Static, Type } from '../../lib/schema.ts';

const members = Type.Array(MEMBER, {
  description: 'What has to be proved, in the order asked. Each may have a `when` and a `name`.',
  minItems: 1,
  maxItems: 16,
});

export const allOfSchema = Type.Union([
  members,
  Type.Object(
    {
      members,
      identity: Type.Optional(
        Type.String({
          description:
            'Name of the member whose identity counts. Without it the last one’s does, with groups, scopes and claims of all.',
          minLength: 1,
          maxLength: 200,
        }),
      ),
    },
    { additionalProperties: false },
  ),
]);

export type AllOfConfig = Static<typeof allOfSchema>;

/** What is known of it before a document names it. */
export const allOfOutline: PolicyOutline<typeof allOfSchema> = {
  name: 'all-of',
  summary: 'Asks for several proofs of who calls, and makes one identity of them.',
  schema: allOfSchema,
  body: 'none',
  provides: ['identity'],
};
