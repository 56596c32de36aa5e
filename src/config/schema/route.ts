import { PRIORITIES } from '../../contract/index.ts';
import { type TSchema, Type } from '../../lib/schema.ts';
import { policiesOf } from './attachment.ts';
import { nameText, patterned, sizeText } from './text.ts';

const pathPattern = () =>
  patterned('^/', 'must start with "/"', {
    description: 'Literal segments, `{name}` or `*` for one segment, `**` at the end for the rest.',
    examples: ['/orders/**', '/orders/{id}'],
    maxLength: 2000,
  });

const MatchSchema = Type.Object(
  {
    hosts: Type.Optional(
      Type.Array(
        patterned(
          '^(\\*\\.)?([A-Za-z0-9_-]+\\.)*[A-Za-z0-9_-]+$|^\\[[0-9A-Fa-f:.]+\\]$',
          'must be a host name without port, like api.example.com or *.example.com',
          { maxLength: 255 },
        ),
        { description: 'Host names; `*.example.com` is any name below. Any host by default.', minItems: 1 },
      ),
    ),
    path: Type.Optional(pathPattern()),
    paths: Type.Optional(
      Type.Array(pathPattern(), { description: 'Several paths in place of `path`.', minItems: 1 }),
    ),
    methods: Type.Optional(
      Type.Array(patterned('^[A-Z][A-Z0-9-]{0,31}$', 'must be an HTTP method in capitals, like GET'), {
        description: 'HTTP methods; GET includes HEAD. Any method by default.',
        minItems: 1,
        uniqueItems: true,
      }),
    ),
    headers: Type.Optional(
      Type.Record(
        Type.String({ pattern: "^[A-Za-z0-9!#$%&'*+.^`|~-]+$" }),
        Type.String({ maxLength: 2000 }),
        {
          description: 'Headers whose values must be equal.',
          additionalProperties: false,
        },
      ),
    ),
  },
  { additionalProperties: false, description: 'Which requests the route takes.' },
);

export const routeSchema = <A extends TSchema>(attachment: A) =>
  Type.Object(
    {
      name: nameText('Unique name of this route.'),
      match: MatchSchema,
      upstream: Type.String({ description: 'Name of the upstream that answers.' }),
      listeners: Type.Optional(
        Type.Array(Type.String(), {
          description: 'Names of the listeners that serve it. All by default.',
          minItems: 1,
          uniqueItems: true,
        }),
      ),
      priority: Type.Optional(
        Type.Union(
          PRIORITIES.map((name) => Type.Literal(name)),
          {
            description: 'Who goes first when there is not room for all; `low` is refused first.',
            default: 'normal',
          },
        ),
      ),
      maxBody: Type.Optional(sizeText('Overrides the listener’s limit of the request body.')),
      upgrade: Type.Optional(
        Type.Boolean({ description: 'Whether upgrades (WebSocket) are tunnelled.', default: true }),
      ),
      policies: policiesOf(attachment, 'Rules of this route, in the order in which they are asked.'),
    },
    { additionalProperties: false },
  );
