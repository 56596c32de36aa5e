import {
  type Attachment,
  type Awaitable,
  CONTINUE,
  type Decision,
  type Identity,
  type PolicyContext,
} from '../contract/index.ts';

/** Who calls is known: what `CallerProof.ask` gives then, once it has provided the identity. No other object is it. */
export const PROVED: Decision = Object.freeze({ ...CONTINUE });

/** Answers in place of policies that prove who calls, where what they would ask for is not at hand. */
export interface CallerProof {
  /**
   * Asked in the request phase in place of an attachment that authenticates. Gives `PROVED`, or what the attachment is
   * to have decided; it may have asked it.
   */
  ask(a: Attachment, context: PolicyContext): Awaitable<Decision | undefined>;
}

/** Whoever would be asked for proof, it is this caller. */
export const vouchFor = (identity: Identity): CallerProof => ({
  ask(_a, context) {
    context.provide('identity', identity);
    return PROVED;
  },
});
