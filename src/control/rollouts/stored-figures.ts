import {
  CALLER_GROUPS,
  type FlipCount,
  LATENCY_BUCKETS,
  MAX_FLIP_KINDS,
  type Trial,
  type TrialFigures,
} from '../../contract/index.ts';
import { Type } from '../../lib/schema.ts';
import { matches } from '../../lib/schema-check.ts';
import { trialKey } from '../nodes/index.ts';

/** What this node has seen of a trial, as it is kept for who drives the rollout. */
export const keptFigures = (trial: Trial, figures: TrialFigures): object => ({
  key: trialKey(trial),
  figures,
});

/** What another node has seen of a trial; undefined where that is another trial's, or unreadable. */
export function figuresIn(kept: object, key: string): TrialFigures | undefined {
  return matches(KeptSchema, kept) && kept.key === key ? kept.figures : undefined;
}

const Count = Type.Number({ minimum: 0 });
const counts = (length: number) => Type.Array(Count, { minItems: length, maxItems: length });
const Groups = counts(CALLER_GROUPS);
const Arm = Type.Object({
  requests: Groups,
  denied: Groups,
  gatewayErrors: Groups,
  upstreamErrors: Groups,
  latency: counts(LATENCY_BUCKETS),
});
const Outcome = Type.Object({ kind: Type.String() });

const KeptSchema = Type.Object({
  key: Type.String(),
  figures: Type.Object({
    rollout: Type.String(),
    revision: Type.String(),
    baseline: Arm,
    canary: Arm,
    shadow: Type.Object({
      judged: Count,
      same: Count,
      flips: Type.Array(
        Type.Unsafe<FlipCount>(
          Type.Object({
            flip: Type.String(),
            before: Outcome,
            after: Outcome,
            count: Count,
            examples: Type.Array(Type.String()),
          }),
        ),
        { maxItems: MAX_FLIP_KINDS },
      ),
      otherFlips: Count,
      undecided: Type.Object({}),
      leftOut: Count,
      costMs: Count,
    }),
  }),
});
