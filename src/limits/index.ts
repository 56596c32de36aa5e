export {
  type By,
  bySchema,
  type CallerKey,
  type CallerKeys,
  callerKeys,
  needsIdentity,
} from './caller-key.ts';
export { SHARING_FIELDS, sharingOf } from './sharing.ts';
