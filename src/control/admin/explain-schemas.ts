import { orNull, type Static, Type } from '../../lib/schema.ts';
import { strict, Time } from './schemas.ts';

export const RequestParams = strict({
  id: Type.String({
    minLength: 1,
    maxLength: 200,
    description: 'Id of a request, as its record and its answer say.',
  }),
});
export type RequestParams = Static<typeof RequestParams>;

const Outcome = strict({
  kind: Type.String({ description: 'forward, reject, respond, or refused before any policy was asked.' }),
  status: Type.Integer({ description: 'Of the gateway’s own answer; 0 for a request that goes on.' }),
  route: Type.String(),
  by: orNull(Type.String({ description: 'Id of the attachment that decided.' })),
  policy: orNull(Type.String()),
  code: orNull(Type.String()),
  rule: orNull(Type.String()),
});

const decision = {
  phase: Type.String(),
  outcome: Type.String(),
  code: orNull(Type.String()),
  rule: orNull(Type.String()),
  reason: orNull(Type.String()),
};
const Decision = strict(decision);

const Part = strict({
  attachment: Type.String(),
  policy: Type.String(),
  mode: Type.String(),
  decisions: Type.Array(Decision, { description: 'Empty for one that was not asked.' }),
  inputs: Type.Array(strict({ name: Type.String(), value: Type.String() }), {
    description: 'What it looked at. Secrets are not shown.',
  }),
  counters: Type.Array(
    strict({
      kind: Type.String(),
      key: Type.String(),
      limit: orNull(Type.Number()),
      allowed: Type.Boolean(),
      remaining: Type.Number(),
      retryAfterMs: Type.Number(),
    }),
  ),
  costUs: orNull(Type.Number({ description: 'In microseconds; null for one that judged nothing.' })),
  takenAsProved: Type.Boolean({
    description: 'Who calls was taken as proved to it: no credential is kept, or none was given.',
  }),
});

export const ExplanationView = strict({
  requestId: Type.String(),
  at: Time,
  method: Type.String(),
  target: Type.String(),
  listener: Type.String(),
  revision: Type.String({ description: 'The revision that explains: the one that is served.' }),
  consumer: orNull(Type.String()),
  outcome: Outcome,
  undecided: orNull(Type.String({ description: 'Why the outcome would be a guess.' })),
  recorded: orNull(
    strict({
      revision: Type.String(),
      outcome: Outcome,
      durationMs: Type.Number(),
      decisions: Type.Array(
        strict({
          attachment: Type.String(),
          policy: Type.String(),
          mode: Type.String(),
          ...decision,
        }),
      ),
    }),
  ),
  attachments: Type.Array(Part),
  changes: Type.Array(
    strict({
      kind: Type.String({ description: 'without the attachment, or enforced where it is in shadow.' }),
      attachment: Type.String(),
      outcome: Outcome,
    }),
  ),
});
export type ExplanationView = Static<typeof ExplanationView>;
