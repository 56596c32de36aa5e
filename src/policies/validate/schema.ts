import type { PolicyOutline } from '../../contract/index.ts';
import { type Static, Type } from '../../lib/schema.ts';

const schemaFile = Type.String({
  pattern: '^file:.+',
  patternErrorMessage: 'must be a JSON Schema, or file:PATH of one (relative to the document)',
});

const jsonSchema = (description: string) =>
  Type.Optional(Type.Union([Type.Record(Type.String(), Type.Unknown()), schemaFile], { description }));

const mediaType = Type.String({
  pattern: '^[a-z0-9!#$&^_.+-]+/(?:\\*\\+)?[a-z0-9!#$&^_.+-]+$',
  patternErrorMessage:
    'must be a media type in small letters and without parameters, like application/json or application/*+json',
});

export const validateSchema = Type.Object(
  {
    body: jsonSchema('JSON Schema (2020-12) of the JSON body, or `file:` with the path of one.'),
    query: jsonSchema('JSON Schema of the query: an object of parameters; one that repeats is an array.'),
    headers: jsonSchema('JSON Schema of the request headers: an object with lower-case names.'),
    params: jsonSchema('JSON Schema of the path parameters: an object of `{name}` segments.'),
    contentTypes: Type.Optional(
      Type.Array(mediaType, {
        description: 'Media types a body may have. `application/*+json` stands for every type that ends so.',
        default: ['application/json'],
        minItems: 1,
      }),
    ),
    maxDepth: Type.Optional(
      Type.Integer({
        description: 'How deep arrays and objects of a body may be nested.',
        default: 64,
        minimum: 1,
        maximum: 256,
      }),
    ),
  },
  { additionalProperties: false, minProperties: 1 },
);

export type ValidateConfig = Static<typeof validateSchema>;

/** What is known of it before a document names it. */
export const validateOutline: PolicyOutline<typeof validateSchema> = {
  name: 'validate',
  summary: 'Refuses requests whose body, query, headers or path parameters do not fit a JSON Schema.',
  schema: validateSchema,
  body: (config) => (config.body === undefined ? 'none' : 'buffer'),
};
