import { Type } from '../../lib/schema.ts';
import { CredentialSchema } from './credential.ts';
import { nameText } from './text.ts';

export const ConsumerSchema = Type.Object(
  {
    name: nameText('Unique name of the consumer.'),
    id: Type.Optional(nameText('Its id in another system, for upstreams.')),
    groups: Type.Optional(
      Type.Array(nameText('A group that rules can name.'), {
        description: 'Groups it belongs to.',
        uniqueItems: true,
      }),
    ),
    credentials: Type.Optional(Type.Array(CredentialSchema, { description: 'What it proves itself with.' })),
  },
  { additionalProperties: false },
);
