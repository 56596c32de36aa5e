import type { FastifyInstance } from 'fastify';
import { TestRequestSchema } from '../../../config/index.ts';
import type { DecisionEntry, JudgedOutcome } from '../../../contract/index.ts';
import type { ExplainedDecision, Explanation, TriedRequest } from '../../../lifecycle/index.ts';
import type { Unexplained } from '../../explain/index.ts';
import type { AdminDeps } from '../deps.ts';
import { ExplanationView, RequestParams } from '../explain-schemas.ts';
import { jsonRoute } from '../json-body.ts';
import { ProblemError } from '../problem.ts';
import { NoQuery } from '../schemas.ts';
import { isoTime } from './answers.ts';

const schema = { tags: ['explanations'], querystring: NoQuery, response: { 200: ExplanationView } };

/** Why requests are decided as they are. */
export function addExplanationRoutes(app: FastifyInstance, { explain }: AdminDeps): void {
  app.get<{ Params: RequestParams }>(
    '/api/requests/:id/explanation',
    {
      schema: {
        ...schema,
        summary: 'Why a request that was recorded is decided as it is by the revision that is served',
        params: RequestParams,
      },
    },
    async ({ params }) => viewOf(await explain.recorded(params.id)),
  );
  app.post<{ Body: TriedRequest }>(
    '/api/explanations',
    {
      ...jsonRoute,
      schema: {
        ...schema,
        summary: 'What would become of a request that has not happened, and why',
        body: TestRequestSchema,
      },
    },
    async ({ body }) => viewOf(await explain.tried(body)),
  );
}

const WHY: Readonly<Record<Unexplained, string>> = {
  'not-recorded':
    'No record of that request is kept: it is too old, was not among the sample, or recording is off.',
  'nothing-served': 'No revision is served.',
  'no-such-listener': 'The revision that is served has no such listener.',
};

function viewOf(told: Explanation | Unexplained): ExplanationView {
  if (typeof told === 'string') throw new ProblemError('not-found', WHY[told]);
  const { atMs, consumer, outcome, undecided, recorded, attachments, changes, ...rest } = told;
  return {
    ...rest,
    at: isoTime(atMs),
    consumer: consumer ?? null,
    outcome: outcomeView(outcome),
    undecided: undecided ?? null,
    recorded:
      recorded === undefined
        ? null
        : {
            revision: recorded.revision,
            outcome: outcomeView(recorded.outcome),
            durationMs: recorded.durationMs,
            decisions: recorded.decisions.map(entryView),
          },
    attachments: attachments.map(({ decisions, inputs, counters, costUs, ...part }) => ({
      ...part,
      decisions: decisions.map(decisionView),
      inputs: [...inputs],
      counters: counters.map(({ limit, ...counter }) => ({ ...counter, limit: limit ?? null })),
      costUs: costUs ?? null,
    })),
    changes: changes.map((change) => ({ ...change, outcome: outcomeView(change.outcome) })),
  };
}

const outcomeView = ({ by, policy, code, rule, ...outcome }: JudgedOutcome) => ({
  ...outcome,
  by: by ?? null,
  policy: policy ?? null,
  code: code ?? null,
  rule: rule ?? null,
});

const decisionView = ({
  phase,
  outcome,
  code,
  rule,
  reason,
}: Pick<ExplainedDecision, 'phase' | 'outcome'> & {
  code?: string | undefined;
  rule?: string | undefined;
  reason?: string | undefined;
}) => ({
  phase,
  outcome,
  code: code ?? null,
  rule: rule ?? null,
  reason: reason ?? null,
});

const entryView = ({ attachment, policy, mode, ...entry }: DecisionEntry) => ({
  attachment,
  policy,
  mode,
  ...decisionView(entry),
});
