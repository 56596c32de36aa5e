import { PolicyFailure } from '../errors.ts';

/** What a policy throws for a part of it (a member, a block) that could not decide: the same, and which part it was. */
export function partFailure(part: string, cause: unknown): Error {
  const reason = `${part}: ${cause instanceof Error ? cause.message : String(cause)}`;
  if (!(cause instanceof PolicyFailure)) return new Error(reason, { cause });
  const { code, detail } = cause.rejection;
  return new PolicyFailure(code, detail, reason, { cause });
}
