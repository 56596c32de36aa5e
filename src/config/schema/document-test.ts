import { EXPIRY_MESSAGE, EXPIRY_PATTERN } from '../../lib/expiry.ts';
import { Type } from '../../lib/schema.ts';
import { patterned } from './text.ts';

const stringMap = (description: string) =>
  Type.Optional(
    Type.Record(Type.String({ pattern: '^\\S+$' }), Type.String(), {
      description,
      additionalProperties: false,
    }),
  );

const names = (description: string) =>
  Type.Optional(Type.Array(Type.String({ minLength: 1 }), { description }));

const IdentitySchema = Type.Object(
  {
    consumer: Type.String({ description: 'Name of the consumer.', minLength: 1 }),
    groups: names('Groups it is in.'),
    scopes: names('Scopes its credential carries.'),
    claims: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'Claims of its token.' }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'Who calls, taken as proved: policies that authenticate are not asked. For tests of what comes behind them.',
  },
);

/** A request as tests write it, and as who asks what would become of one. */
export const TestRequestSchema = Type.Object(
  {
    method: Type.Optional(
      patterned('^[A-Z][A-Z0-9-]{0,31}$', 'must be an HTTP method in capitals, like GET', {
        description: 'HTTP method.',
        default: 'GET',
      }),
    ),
    path: patterned('^/', 'must start with "/"', { description: 'Path and query.' }),
    headers: stringMap('Header values; `env:NAME` and `file:PATH` stand for a secret.'),
    body: Type.Optional(
      Type.Unknown({
        description: 'Text is sent as it is; any other value is sent as JSON with its content type.',
      }),
    ),
    client: Type.Optional(Type.String({ description: 'Address of the client.', default: '192.0.2.1' })),
    identity: Type.Optional(IdentitySchema),
    listener: Type.Optional(
      Type.String({ description: 'Name of the listener asked; the first by default.' }),
    ),
    repeat: Type.Optional(
      Type.Integer({
        description: 'Sends the same request so many times; the last is judged.',
        minimum: 1,
        maximum: 10_000,
        default: 1,
      }),
    ),
  },
  { additionalProperties: false, description: 'The request to judge.' },
);

const AnswerSchema = Type.Object(
  {
    status: Type.Integer({ description: 'Its status.', minimum: 200, maximum: 599 }),
  },
  {
    additionalProperties: false,
    description:
      'What the upstream answers, should the request be forwarded: for rules that go by the answer. Without it nobody knows.',
  },
);

const ExpectSchema = Type.Object(
  {
    forwarded: Type.Optional(
      Type.Boolean({
        description: 'true: the request goes on to the upstream; false: the gateway answers by itself.',
      }),
    ),
    status: Type.Optional(
      Type.Integer({
        description:
          'Status of the gateway’s own answer. A forwarded request has none: expect `forwarded: true`.',
        minimum: 100,
        maximum: 599,
      }),
    ),
    policy: Type.Optional(Type.String({ description: 'The policy that decided.' })),
    rule: Type.Optional(Type.String({ description: 'Its rule that decided.' })),
    code: Type.Optional(Type.String({ description: 'Error code, e.g. `rate-limited`.' })),
    route: Type.Optional(Type.String({ description: 'Name of the route that took the request.' })),
    headers: stringMap('Headers of the gateway’s own answer, with their values.'),
  },
  { additionalProperties: false, minProperties: 1, description: 'What must become of it; at least one key.' },
);

const name = Type.String({ description: 'What the test shows.', minLength: 1, maxLength: 200 });
const at = Type.Optional(
  patterned(EXPIRY_PATTERN, EXPIRY_MESSAGE, {
    description:
      'When it happens: a time with its zone, or a day for its first moment (UTC). The beginning of the day on which it is run by default.',
    examples: ['2026-12-24T18:00:00Z'],
  }),
);
const step = {
  request: TestRequestSchema,
  answer: Type.Optional(AnswerSchema),
  expect: ExpectSchema,
};

/** One request and what becomes of it, or several in a row that share their counters. */
export const DocumentTestSchema = Type.Union([
  Type.Object({ name, at, ...step }, { additionalProperties: false }),
  Type.Object(
    {
      name,
      at,
      steps: Type.Array(
        Type.Object(
          {
            ...step,
            expect: Type.Optional(ExpectSchema),
            after: Type.Optional(
              patterned('^(0|[1-9][0-9]{0,8})(ms|s|m|h|d)$', 'must be a duration, like 30s', {
                description: 'Time that passes before this step.',
              }),
            ),
          },
          { additionalProperties: false },
        ),
        { description: 'Requests in order; counters go on from step to step.', minItems: 1, maxItems: 1000 },
      ),
    },
    { additionalProperties: false },
  ),
]);
