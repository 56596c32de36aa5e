import { Type } from '../../lib/schema.ts';
import { nameText, patterned, secretReference } from './text.ts';

/** A shorter key can be guessed. */
export const MIN_SECRET_LENGTH = 16;

const ApiKeySchema = Type.Object(
  {
    secret: secretReference(`The key, at least ${MIN_SECRET_LENGTH} characters.`),
    id: Type.Optional(
      nameText('Public name of the credential in records. By default the consumer’s name and a number.'),
    ),
    expires: Type.Optional(
      patterned(
        '^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2}))?$',
        'must be a day, YYYY-MM-DD, or a time with its zone, YYYY-MM-DDTHH:MM:SSZ',
        { description: 'Last day (UTC), or exact time, at which it is accepted.' },
      ),
    ),
  },
  { additionalProperties: false, description: 'A key sent with each request.' },
);

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
    credentials: Type.Optional(
      Type.Array(Type.Object({ 'api-key': ApiKeySchema }, { additionalProperties: false }), {
        description: 'What it proves itself with.',
      }),
    ),
  },
  { additionalProperties: false },
);
