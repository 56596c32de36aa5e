import { type Static, Type } from '../../lib/schema.ts';

/** Variables a value may name as `${name}`. */
export const VARIABLES = [
  'request.id',
  'request.method',
  'request.host',
  'request.path',
  'client',
  'consumer',
  'route',
  'listener',
] as const;

const edits = (whose: string) =>
  Type.Optional(
    Type.Object(
      {
        set: Type.Optional(
          Type.Record(Type.String(), Type.String(), {
            description: `Headers of the ${whose} and their values, in place of any there are. A value may name ${VARIABLES.map((name) => `\`\${${name}}\``).join(', ')}.`,
          }),
        ),
        remove: Type.Optional(
          Type.Array(Type.String(), { description: `Headers of the ${whose} that go no further.` }),
        ),
        rename: Type.Optional(
          Type.Record(Type.String(), Type.String(), {
            description: `Headers of the ${whose} by old name, with the new name of each.`,
          }),
        ),
      },
      { additionalProperties: false, minProperties: 1 },
    ),
  );

export const headersSchema = Type.Object(
  { request: edits('request'), response: edits('response') },
  { additionalProperties: false, minProperties: 1 },
);

type HeadersConfig = Static<typeof headersSchema>;
export type HeaderEdits = NonNullable<HeadersConfig['request']>;
