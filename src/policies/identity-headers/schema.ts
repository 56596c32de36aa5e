import { CLAIM_PATTERN } from '../../identity/index.ts';
import { type Static, Type } from '../../lib/schema.ts';

/** What a header can say of a caller, beside its claims. */
export const SOURCES = [
  'consumer',
  'consumerId',
  'groups',
  'scopes',
  'credential',
  'credentialKind',
  'anonymous',
] as const;

/** `^(…)$` becomes what may follow `claim:`. */
const CLAIM = CLAIM_PATTERN.slice(1, -1);

const source = Type.String({
  pattern: `^(${SOURCES.join('|')}|claim:${CLAIM})$`,
  patternErrorMessage: `must be ${SOURCES.join(', ')}, or claim: and the name of a claim or the way to a nested one`,
});

export const identityHeadersSchema = Type.Object(
  {
    preset: Type.Optional(
      Type.Union([Type.Literal('kong'), Type.Literal('none')], {
        description:
          '`kong`: `X-Consumer-Username`, `X-Consumer-ID`, `X-Consumer-Groups`, `X-Authenticated-Scope`, `X-Credential-Identifier` and `X-Anonymous-Consumer`, as where this policy is not attached. `none`: only `headers`.',
        default: 'kong',
      }),
    ),
    headers: Type.Optional(
      Type.Record(Type.String({ pattern: '^[A-Za-z][A-Za-z0-9-]{0,63}$' }), source, {
        description:
          'Headers by name, and what each says: `consumer`, `consumerId`, `groups`, `scopes`, `credential`, `credentialKind`, `anonymous`, or `claim:` and a claim, like `claim:email` or `claim:realm_access.roles`.',
        additionalProperties: false,
        minProperties: 1,
        maxProperties: 32,
      }),
    ),
  },
  { additionalProperties: false, minProperties: 1 },
);

export type IdentityHeadersConfig = Static<typeof identityHeadersSchema>;
