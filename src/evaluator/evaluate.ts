import type { EvaluationDeps, ListenerPlan, RequestView } from '../contract/index.ts';
import { BufferedBody } from './body.ts';
import { Evaluation, type Verdict } from './evaluation.ts';

/** What a snapshot says of a whole request that is at hand: for tests, replay and explain. */
export interface Judgement {
  readonly verdict: Verdict;
  readonly evaluation: Evaluation;
}

/** Runs the request phases over a request and its body, as live traffic does. */
export async function evaluate(
  listener: ListenerPlan,
  request: RequestView,
  body: Uint8Array,
  deps: EvaluationDeps,
): Promise<Judgement> {
  const evaluation = new Evaluation(listener, request, deps);
  let verdict = await evaluation.runRequest();
  if (verdict.kind === 'forward' && evaluation.pipeline.buffersBody) {
    verdict = await evaluation.runRequestBody(new BufferedBody(body));
  }
  return { verdict, evaluation };
}
