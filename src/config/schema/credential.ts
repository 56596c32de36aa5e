import { type Static, Type } from '../../lib/schema.ts';
import { fileReference, nameText, patterned, secretReference } from './text.ts';

/** A shorter key can be guessed. */
export const MIN_SECRET_LENGTH = 16;
/** NIST SP 800-63B §5.1.1.1. */
export const MIN_PASSWORD_LENGTH = 8;

const STRICT = { additionalProperties: false };

const time = (description: string) =>
  Type.Optional(
    patterned(
      '^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2}))?$',
      'must be a day, YYYY-MM-DD, or a time with its zone, YYYY-MM-DDTHH:MM:SSZ',
      { description },
    ),
  );

/** What every kind of credential may say. Several with times that overlap are how a secret is rotated. */
const COMMON = {
  id: Type.Optional(
    nameText('Public name of the credential in records. By default the consumer’s name and a number.'),
  ),
  notBefore: time('First day (UTC), or exact time, at which it is accepted.'),
  expires: time('Last day (UTC), or exact time, at which it is accepted.'),
};

export type CommonConfig = Static<typeof CommonSchema>;
const CommonSchema = Type.Object(COMMON, STRICT);

const ApiKeySchema = Type.Object(
  {
    secret: Type.Optional(secretReference(`The key, at least ${MIN_SECRET_LENGTH} characters.`)),
    hash: Type.Optional(
      patterned('^sha256:[0-9a-f]{64}$', 'must be sha256: and 64 hex digits in lower case', {
        description:
          'Hash of the key in place of the key, so that no secret is needed. Only for keys made by chance.',
      }),
    ),
    ...COMMON,
  },
  { ...STRICT, description: 'A key sent with each request: `secret` or `hash`.' },
);

const BasicAuthSchema = Type.Object(
  {
    username: patterned(
      '^[^\\p{Cc}\\p{Cs}:]{1,128}$',
      'must be at most 128 characters, without ":" and control characters',
      { description: 'User name, unique in the document. Case matters.' },
    ),
    password: Type.Optional(secretReference(`The password, at least ${MIN_PASSWORD_LENGTH} characters.`)),
    passwordHash: Type.Optional(
      secretReference('Its argon2id hash in PHC format, in place of the password.'),
    ),
    ...COMMON,
  },
  { ...STRICT, description: 'A user name with a password: `password` or `passwordHash`.' },
);

const HmacSignatureSchema = Type.Object(
  {
    keyId: patterned(
      '^[ !#-\\[\\]-~]{1,256}$',
      'must be at most 256 printable ASCII characters, without quotes and backslashes',
      { description: 'What signatures name as `keyid`, unique in the document.' },
    ),
    secret: Type.Optional(secretReference('Shared secret of at least 32 bytes, for hmac-sha256.')),
    encoding: Type.Optional(
      Type.Union([Type.Literal('text'), Type.Literal('base64')], {
        description: 'How the secret is written.',
        default: 'text',
      }),
    ),
    publicKey: Type.Optional(
      fileReference('Public key in PEM: Ed25519, EC P-256 or P-384, RSA (for rsa-pss-sha512).'),
    ),
    ...COMMON,
  },
  { ...STRICT, description: 'A key that requests are signed with (RFC 9421): `secret` or `publicKey`.' },
);

const MtlsSchema = Type.Object(
  {
    certificate: Type.Optional(fileReference('The certificate in PEM.')),
    thumbprint: Type.Optional(
      patterned(
        '^([A-Za-z0-9_-]{43}|[0-9A-Fa-f]{64}|([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2})$',
        'must be a SHA-256 in base64url, or in hex as `openssl x509 -fingerprint -sha256` prints it',
        { description: 'SHA-256 of the certificate in DER, in place of the certificate.' },
      ),
    ),
    ...COMMON,
  },
  { ...STRICT, description: 'A client certificate: `certificate` or `thumbprint`.' },
);

export type ApiKeyConfig = Static<typeof ApiKeySchema>;
export type BasicAuthConfig = Static<typeof BasicAuthSchema>;
export type HmacSignatureConfig = Static<typeof HmacSignatureSchema>;
export type MtlsConfig = Static<typeof MtlsSchema>;

/** One credential: one key that names its kind. One object and no union, so that faults are told of the kind written. */
export const CredentialSchema = Type.Object(
  {
    'api-key': Type.Optional(ApiKeySchema),
    'basic-auth': Type.Optional(BasicAuthSchema),
    'hmac-signature': Type.Optional(HmacSignatureSchema),
    mtls: Type.Optional(MtlsSchema),
  },
  { ...STRICT, minProperties: 1, maxProperties: 1 },
);

export type CredentialConfig = Static<typeof CredentialSchema>;
