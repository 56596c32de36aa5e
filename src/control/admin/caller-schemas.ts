import { DURATION_PATTERN } from '../../lib/duration.ts';
import { orNull, type Static, Type } from '../../lib/schema.ts';
import { strict, Time } from './schemas.ts';

const Reason = Type.String({ maxLength: 500, default: '', description: 'Why, for the audit.' });

const NAME = '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$';
const NAME_FORM = Object.freeze({
  pattern: NAME,
  patternErrorMessage: 'must be a name of letters, digits, ".", "_" and "-", at most 100',
});
const Name = Type.String({ ...NAME_FORM });
const Groups = Type.Array(Name, { maxItems: 100, uniqueItems: true });
/** Ids of the document's credentials may be a consumer's name and a number. */
const CredentialId = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$' });

const Kind = Type.Union([
  Type.Literal('api-key'),
  Type.Literal('basic-auth'),
  Type.Literal('hmac-signature'),
  Type.Literal('mtls'),
]);
const Origin = Type.Union([Type.Literal('document'), Type.Literal('live')], {
  description: 'Whether it stands in the document or is kept live.',
});

export const NameParams = strict({ name: Name });
export type NameParams = Static<typeof NameParams>;

export const CredentialParams = strict({ id: CredentialId });
export type CredentialParams = Static<typeof CredentialParams>;

export const NamePageQuery = strict({
  limit: Type.Integer({ minimum: 1, maximum: 1000, default: 50 }),
  after: Type.String({ maxLength: 100, default: '', description: 'The `next` of the page before.' }),
});
export type NamePageQuery = Static<typeof NamePageQuery>;

export const CredentialQuery = strict({
  consumer: Type.Optional(Type.String({ ...NAME_FORM, description: 'Only those of one consumer.' })),
  limit: Type.Integer({ minimum: 1, maximum: 1000, default: 50 }),
  before: Type.Optional(Type.Integer({ minimum: 1, description: 'The `next` of the page before.' })),
});
export type CredentialQuery = Static<typeof CredentialQuery>;

export const WithReason = strict({ reason: Reason });
export type WithReason = Static<typeof WithReason>;

export const NewConsumer = strict({
  name: Name,
  id: Type.Optional(Type.String({ ...NAME_FORM, description: 'Its id in another system, for upstreams.' })),
  groups: Type.Optional(Groups),
});
export type NewConsumer = Static<typeof NewConsumer>;

export const ConsumerUpdate = strict({
  id: Type.Optional(Type.Union([Name, Type.Null()], { description: 'null takes it away.' })),
  groups: Type.Optional(Groups),
});
export type ConsumerUpdate = Static<typeof ConsumerUpdate>;

export const Consumer = strict({
  name: Type.String(),
  id: orNull(Type.String()),
  groups: Type.Array(Type.String()),
  origin: Origin,
  disabled: Type.Boolean(),
  createdAt: orNull(Time),
  createdBy: orNull(Type.String()),
});

export const ConsumerPage = strict({ consumers: Type.Array(Consumer), next: orNull(Type.String()) });

export const NewCredential = strict({
  consumer: Name,
  kind: Kind,
  username: Type.Optional(
    Type.String({
      pattern: '^[^\\p{Cc}\\p{Cs}:]{1,128}$',
      description: 'basic-auth: default the consumer’s name.',
    }),
  ),
  keyId: Type.Optional(
    Type.String({
      pattern: '^[ !#-\\[\\]-~]{1,256}$',
      description: 'hmac-signature: default the credential’s id.',
    }),
  ),
  publicKey: Type.Optional(
    Type.String({
      maxLength: 16_000,
      description: 'hmac-signature: public key in PEM, in place of a shared secret.',
    }),
  ),
  certificate: Type.Optional(
    Type.String({ maxLength: 32_000, description: 'mtls: the certificate in PEM.' }),
  ),
  notBefore: Type.Optional(Time),
  expiresAt: Type.Optional(Time),
});
export type NewCredential = Static<typeof NewCredential>;

export const Rotation = strict({
  overlap: Type.String({
    pattern: DURATION_PATTERN,
    default: '24h',
    description: 'How long the one before is still accepted; 0s for not at all.',
  }),
  expiresAt: Type.Optional(
    Type.String({
      format: 'date-time',
      description: 'Of the new one. Default: as long after its making as the one before.',
    }),
  ),
});
export type Rotation = Static<typeof Rotation>;

export const Credential = strict({
  id: Type.String(),
  consumer: Type.String(),
  kind: Kind,
  origin: Origin,
  shown: orNull(
    Type.String({
      description: 'What may be shown: the first characters of a key, a user name, a key id, a thumbprint.',
    }),
  ),
  state: Type.Union(
    [Type.Literal('active'), Type.Literal('early'), Type.Literal('expired'), Type.Literal('revoked')],
    { description: 'Of the credential alone; its consumer may be disabled all the same.' },
  ),
  createdAt: orNull(Time),
  createdBy: orNull(Type.String()),
  notBefore: orNull(Time),
  expiresAt: orNull(Time),
  revokedAt: orNull(Time),
  lastUsedAt: orNull(Time),
  successor: orNull(Type.String({ description: 'Id of the credential that took its place.' })),
});

export const CredentialPage = strict({
  credentials: Type.Array(Credential),
  next: orNull(Type.Integer()),
});

export const IssuedCredential = strict({
  credential: Credential,
  secret: orNull(
    Type.String({ description: 'Shown here and never again; null where the caller has it already.' }),
  ),
});

export const TokenRevocation = strict({
  issuer: Type.String({ minLength: 1, maxLength: 1000, description: 'The `iss` of the token.' }),
  id: Type.String({ minLength: 1, maxLength: 1000, description: 'The `jti` of the token.' }),
  until: Type.String({ format: 'date-time', description: 'When the token expires by itself, or later.' }),
  reason: Reason,
});
export type TokenRevocation = Static<typeof TokenRevocation>;

export const Revocation = strict({
  kind: Type.Union([Type.Literal('credential'), Type.Literal('consumer'), Type.Literal('token')]),
  issuer: orNull(Type.String()),
  subject: Type.String({ description: 'Id of the credential, name of the consumer, id of the token.' }),
  at: Time,
  by: Type.String(),
  reason: Type.String(),
  until: orNull(Time),
});

export const Revocations = strict({ revocations: Type.Array(Revocation) });
