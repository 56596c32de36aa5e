export { makeAttachment, makePipeline } from './attachment.ts';
export { BufferedBody } from './body.ts';
export { type CallerProof, PROVED, vouchFor } from './caller-proof.ts';
export {
  compileCondition,
  compileTextExpression,
  compileWholeExpression,
  constantOf,
  isConstantExpression,
} from './condition.ts';
export { endOf, evaluate, type Judgement, judge, type WholeRequest } from './evaluate.ts';
export { Evaluation, type Verdict } from './evaluation.ts';
export { type HostParts, parseHost } from './host.ts';
export { addedLines, applyEdits, isAddition, Journal, numberedField } from './journal.ts';
export { LaterPhases, type Participant } from './later-phases.ts';
export { comparable, flipOf, outcomeOf, refusedOutcome } from './outcome.ts';
export { partFailure } from './part-failure.ts';
export { normalisePath, type PathRefusal, type PathRules } from './path.ts';
export { RecordedHead, recordedView } from './recorded-view.ts';
export { type RequestSource, viewOf } from './request-view.ts';
export { buildRouter, type RouteEntry } from './router.ts';
export { Trial } from './trial.ts';
export { Unanswered } from './unanswered.ts';
export { refusalUnasked } from './unasked.ts';
