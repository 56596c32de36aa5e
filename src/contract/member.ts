import type { BodyNeed, Policy, PolicyContext } from './policy.ts';

/** An attachment inside another's config: one of several ways in which a caller is identified. */
export interface Member {
  /** Its own name, or its policy's, with `#2`… for repeats. Unique in its list. */
  readonly name: string;
  readonly policy: string;
  /** Compiled `when`; throws when it cannot be decided. */
  readonly when: ((c: PolicyContext) => boolean) | undefined;
  readonly body: BodyNeed;
  readonly instance: Policy;
}
