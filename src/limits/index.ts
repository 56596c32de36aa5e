export {
  type By,
  bySchema,
  type CallerKey,
  type CallerKeys,
  callerKeys,
  needsIdentity,
} from './caller-key.ts';
export { MISDEEDS, type Misdeed, misdeedOf, refusalIn } from './misdeeds.ts';
export { SHARING_FIELDS, sharingOf } from './sharing.ts';
