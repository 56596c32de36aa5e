import type { PolicyOutline } from '../../contract/index.ts';
import { headerOption, realmOption } from '../../lib/option-forms.ts';
import { type Static, Type } from '../../lib/schema.ts';

const text = (maxLength: number, examples: readonly string[] = []) =>
  Type.String({ minLength: 1, maxLength, ...(examples.length === 0 ? {} : { examples: [...examples] }) });

/** One text, or several of which one must match. */
const oneOf = (description: string, example: string, maxLength = 2000) =>
  Type.Optional(
    Type.Union([text(maxLength, [example]), Type.Array(text(maxLength), { minItems: 1, maxItems: 1000 })], {
      description,
    }),
  );

const name = (description: string) =>
  Type.String({
    description,
    pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$',
    patternErrorMessage: 'must be a name of letters, digits, ".", "_" and "-", at most 100',
  });

const RuleSchema = Type.Object(
  {
    subject: oneOf(
      'Distinguished name as RFC 4514 writes it. Every value but those with `*` must be equal.',
      'CN=orders,O=Example',
    ),
    issuer: oneOf('Distinguished name of the authority that signed it.', 'CN=Partners CA,O=Example'),
    commonName: oneOf('The common name of the subject; none where it has several.', 'orders-*', 300),
    dns: oneOf('A DNS name; `*` stands for a label or a part of one.', '*.partners.example', 300),
    uri: oneOf('A URI; `*` stands for a segment of its path or a part of one.', 'spiffe://example.org/sa/*'),
    email: oneOf('An e-mail address; `*` stands for what is before or behind the `@`.', '*@example.org', 320),
    thumbprint: oneOf(
      'SHA-256 of the certificate, in base64url or in hex as `openssl x509 -fingerprint -sha256` prints it.',
      '5C:F0:…',
      95,
    ),
    consumer: Type.Optional(name('The consumer whose certificate it is.')),
    from: Type.Optional(
      Type.Union(
        [
          Type.Literal('commonName'),
          Type.Literal('dns'),
          Type.Literal('uri'),
          Type.Literal('email'),
          Type.Literal('*'),
        ],
        {
          description:
            'What names the consumer: a name of the certificate, or what the one `*` of the rule stands for.',
        },
      ),
    ),
    prefix: Type.Optional(
      Type.String({
        description:
          'Put before a name that the certificate gives, so that nobody can be called like a consumer who is another.',
        pattern: '^[ -~]{1,64}$',
        patternErrorMessage: 'must be at most 64 printable ASCII characters',
      }),
    ),
    declared: Type.Optional(
      Type.Boolean({
        description:
          'Whether a name that the certificate gives must be that of a consumer, declared or kept live.',
        default: true,
      }),
    ),
    groups: Type.Optional(
      Type.Array(name('A group.'), {
        description: 'Groups of whoever the rule lets on, beside those of the consumer.',
        uniqueItems: true,
        maxItems: 100,
      }),
    ),
  },
  { additionalProperties: false },
);

export const mtlsSchema = Type.Object(
  {
    match: Type.Optional(
      Type.Array(RuleSchema, {
        description:
          'Whose certificates are whose; the first rule that matches decides, and all its conditions must hold. Without it a certificate is that of the consumer who has it as a credential.',
        minItems: 1,
        maxItems: 1000,
      }),
    ),
    forward: Type.Optional(
      Type.Object(
        {
          subject: Type.Optional(headerOption('Header that tells the upstream the distinguished name.')),
          issuer: Type.Optional(headerOption('Header that tells that of the authority.')),
          serial: Type.Optional(headerOption('Header that tells the serial number, in hex.')),
          thumbprint: Type.Optional(headerOption('Header that tells the SHA-256 thumbprint, in base64url.')),
        },
        {
          additionalProperties: false,
          minProperties: 1,
          description:
            'What the upstream is told of the certificate. Copies that a client sends never go on.',
        },
      ),
    ),
    realm: Type.Optional(realmOption()),
  },
  { additionalProperties: false },
);

export type MtlsConfig = Static<typeof mtlsSchema>;
export type RuleConfig = Static<typeof RuleSchema>;

/** What is known of it before a document names it. */
export const mtlsOutline: PolicyOutline<typeof mtlsSchema> = {
  name: 'mtls',
  summary: 'Identifies consumers by their TLS client certificates and refuses everybody else.',
  schema: mtlsSchema,
  body: 'none',
  provides: ['identity'],
};
