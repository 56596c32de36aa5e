import { Type } from '../../lib/schema.ts';
import { durationText, fileReference, nameText, patterned } from './text.ts';

/** Defaults as a user would write them; `compile/upstream.ts` reads them from here. */
export const DEFAULT_UPSTREAM = Object.freeze({
  balance: 'round-robin',
  hostHeader: 'preserve',
  connectAttempts: 2,
  maxIdleConnections: 64,
  connect: '2s',
  response: '15s',
  idle: '60s',
  failures: 3,
  rest: '10s',
} as const);

const targetUrl = () =>
  patterned('^https?://[^\\s?#@]+$', 'must be an http:// or https:// URL without user, query or fragment', {
    description: 'Where a backend answers; a path is put before every request’s path.',
    examples: ['http://10.0.1.10:9000'],
  });

const TargetSchema = Type.Union([
  targetUrl(),
  Type.Object(
    {
      url: targetUrl(),
      weight: Type.Optional(
        Type.Integer({
          description: 'Share of requests against the other targets.',
          default: 1,
          minimum: 1,
          maximum: 1000,
        }),
      ),
    },
    { additionalProperties: false },
  ),
]);

const TimeoutsSchema = Type.Object(
  {
    connect: Type.Optional(durationText('To make a connection (and TLS).', DEFAULT_UPSTREAM.connect)),
    response: Type.Optional(
      durationText('From the request sent to the head of the answer.', DEFAULT_UPSTREAM.response),
    ),
    idle: Type.Optional(durationText('Longest silence inside an answer’s body.', DEFAULT_UPSTREAM.idle)),
  },
  { additionalProperties: false, description: 'How long to wait for a backend.' },
);

const PassiveSchema = Type.Object(
  {
    failures: Type.Optional(
      Type.Integer({
        description: 'Failures in a row before a target rests.',
        default: DEFAULT_UPSTREAM.failures,
        minimum: 1,
        maximum: 1000,
      }),
    ),
    rest: Type.Optional(durationText('How long it rests.', DEFAULT_UPSTREAM.rest)),
  },
  { additionalProperties: false, description: 'Failure detection from the traffic itself.' },
);

export const UpstreamSchema = Type.Object(
  {
    targets: Type.Array(TargetSchema, { description: 'The backends.', minItems: 1, maxItems: 1000 }),
    balance: Type.Optional(
      Type.Union([Type.Literal('round-robin'), Type.Literal('least-requests')], {
        description: 'How a target is chosen.',
        default: DEFAULT_UPSTREAM.balance,
      }),
    ),
    ca: Type.Optional(
      fileReference('PEM of the authorities that may sign https:// targets; the system’s by default.'),
    ),
    serverName: Type.Optional(
      nameText(
        'Name to verify in the target’s certificate and to send as SNI; the target’s host by default.',
      ),
    ),
    hostHeader: Type.Optional(
      Type.Union([Type.Literal('preserve'), Type.Literal('target')], {
        description: 'Host header sent: the client’s, or the target’s.',
        default: DEFAULT_UPSTREAM.hostHeader,
      }),
    ),
    timeouts: Type.Optional(TimeoutsSchema),
    passive: Type.Optional(PassiveSchema),
    connectAttempts: Type.Optional(
      Type.Integer({
        description: 'Tries of a connection that could not be made (nothing was sent yet).',
        default: DEFAULT_UPSTREAM.connectAttempts,
        minimum: 1,
        maximum: 10,
      }),
    ),
    maxIdleConnections: Type.Optional(
      Type.Integer({
        description: 'Idle kept connections per target and worker.',
        default: DEFAULT_UPSTREAM.maxIdleConnections,
        minimum: 0,
        maximum: 10_000,
      }),
    ),
  },
  { additionalProperties: false },
);
