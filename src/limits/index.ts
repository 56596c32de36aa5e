export {
  type By,
  bySchema,
  type CallerKey,
  type CallerKeys,
  callerKeys,
  isUnproven,
  needsIdentity,
} from './caller-key.ts';
export { type CountedAnswers, type CountOption, countedAnswers, countSchema } from './counted-answers.ts';
export {
  type HeadersPreset,
  headersSchema,
  type KongWindow,
  kongWindowOf,
  type LimitHeaders,
  limitHeaders,
  limitName,
  type ToldLimit,
  wholeSeconds,
} from './limit-headers.ts';
export { MISDEEDS, type Misdeed, misdeedOf, refusalIn } from './misdeeds.ts';
export { limitsUnavailable, noteLoss } from './refusals.ts';
export { type CostOption, costIssue, costSchema, type RequestCost, requestCost } from './request-cost.ts';
export { prioritySchema, type RequestPriority, requestPriority } from './request-priority.ts';
export { SHARING_FIELDS, STATE_LOSS_FIELD, sharingOf } from './sharing.ts';
