import type { PolicyOutline } from '../../contract/index.ts';
import { DURATION_MESSAGE, DURATION_PATTERN } from '../../lib/duration.ts';
import { type Static, Type } from '../../lib/schema.ts';

export const basicAuthSchema = Type.Object(
  {
    realm: Type.Optional(
      Type.String({
        description: 'Realm named in `WWW-Authenticate`; browsers show it.',
        default: 'api',
        pattern: '^[ !#-\\[\\]-~]{1,64}$',
        patternErrorMessage: 'must be at most 64 printable ASCII characters, without quotes and backslashes',
      }),
    ),
    hide: Type.Optional(
      Type.Boolean({ description: 'Whether the password is kept from the upstream.', default: true }),
    ),
    remember: Type.Optional(
      Type.String({
        description:
          'How long a worker remembers that a password was right, at most 24h; `0s` for not at all, at about 50 ms a request. What is revoked, expired or changed is never remembered.',
        default: '10m',
        pattern: DURATION_PATTERN,
        patternErrorMessage: DURATION_MESSAGE,
      }),
    ),
  },
  { additionalProperties: false },
);

export type BasicAuthConfig = Static<typeof basicAuthSchema>;

/** What is known of it before a document names it. */
export const basicAuthOutline: PolicyOutline<typeof basicAuthSchema> = {
  name: 'basic-auth',
  summary: 'Identifies consumers by a user name and a password and refuses everybody else.',
  schema: basicAuthSchema,
  body: 'none',
  provides: ['identity'],
};
