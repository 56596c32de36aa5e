import { orNull, type Static, Type } from '../../lib/schema.ts';
import { RevisionId, strict, Time } from './schemas.ts';

const NAMED = '^[^\\u0000-\\u001f\\u007f]{1,200}$';
const Name = Type.String({
  pattern: NAMED,
  patternErrorMessage: 'must be a name of at most 200 characters',
  description:
    'Who asks, as they name themselves: whoever holds the token is believed. Noted beside the token’s own name.',
});
export const As = Type.Optional(Name);
const Reason = Type.String({ maxLength: 500, default: '', description: 'Why, for the audit.' });

export const OfferQuery = strict({ reason: Reason, as: As });
export type OfferQuery = Static<typeof OfferQuery>;

export const RolloutParams = strict({ id: Type.String({ pattern: '^[0-9a-z]{1,64}$' }) });
export type RolloutParams = Static<typeof RolloutParams>;

export const Asked = strict({ reason: Reason, as: As });
export type Asked = Static<typeof Asked>;

/** Without a name it could be anybody's, the author's as well. */
export const ApprovalRequest = strict({
  reason: Reason,
  as: Name,
  evidence: Type.String({
    pattern: '^[0-9a-f]{64}$',
    description: 'The `evidence` of the rollout, as it was looked at.',
  }),
});
export type ApprovalRequest = Static<typeof ApprovalRequest>;

export const PromoteRequest = strict({
  reason: Reason,
  as: As,
  to: Type.Unsafe<'next' | 'active'>({
    enum: ['next', 'active'],
    default: 'next',
    description: '`active`: past all steps that are left.',
  }),
});
export type PromoteRequest = Static<typeof PromoteRequest>;

export const RollbackRequest = strict({
  reason: Reason,
  as: As,
  revision: Type.Optional(
    Type.String({
      pattern: '^[0-9a-f]{64}$',
      description: 'By default the one before, or the end of the rollout under way.',
    }),
  ),
});
export type RollbackRequest = Static<typeof RollbackRequest>;

export const RolledBack = strict({
  outcome: Type.Union([Type.Literal('aborted'), Type.Literal('activated'), Type.Literal('unchanged')]),
  revision: orNull(RevisionId),
  aborted: orNull(Type.String({ description: 'The rollout that was ended.' })),
});

const summary = {
  id: Type.String(),
  number: orNull(Type.Integer({ description: 'Its place in the list; null for one that is shown alone.' })),
  revision: Type.String(),
  base: Type.String({ description: 'What was live when it began.' }),
  phase: Type.String(),
  step: Type.Integer({ description: 'Of the canary, from 0.' }),
  steps: Type.Integer(),
  origin: Type.String(),
  actor: Type.String(),
  reason: Type.String(),
  startedAt: Time,
  since: Time,
  deadline: orNull(Time),
  pausedBy: orNull(Type.String()),
  approvalsNeeded: Type.Integer(),
  approvals: Type.Array(strict({ actor: Type.String(), at: Time })),
  endedAt: orNull(Time),
};

export const Rollout = strict({
  ...summary,
  evidence: orNull(
    Type.String({ description: 'What an approval has to name; null where none is asked for.' }),
  ),
  waitsFor: orNull(Type.String()),
  plan: Type.Unknown({ description: 'Shares from 0 to 1, times in milliseconds.' }),
  replay: Type.Unknown({ description: 'What replay has shown; null before.' }),
  replaying: orNull(strict({ records: Type.Integer(), at: Time })),
  live: Type.Unknown({ description: 'What live requests have shown in this step; null before.' }),
  history: Type.Array(
    strict({
      at: Time,
      act: Type.String(),
      phase: Type.String(),
      step: Type.Integer(),
      actor: Type.String(),
      reason: Type.String(),
      evidence: Type.Unknown(),
    }),
  ),
});

export const RolloutPage = strict({
  rollouts: Type.Array(strict(summary)),
  next: orNull(Type.Integer()),
});

const Finding = strict({
  rule: Type.String(),
  severity: Type.Union([Type.Literal('error'), Type.Literal('warning'), Type.Literal('note')]),
  path: Type.String(),
  message: Type.String(),
  fix: Type.String(),
  docs: Type.String(),
  file: Type.Optional(Type.String()),
  line: Type.Optional(Type.Integer()),
  column: Type.Optional(Type.Integer()),
});

export const Started = strict({
  outcome: Type.Union([Type.Literal('rollout'), Type.Literal('activated'), Type.Literal('unchanged')]),
  revision: RevisionId,
  rollout: orNull(Type.String({ description: 'Its id; null where it is live already.' })),
  findings: Type.Array(Finding, {
    description: 'What is sound and most probably not meant so, the gravest first; at most 50.',
  }),
});
