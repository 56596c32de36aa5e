import { PolicyFailure } from '../errors.ts';

/** What a policy that is made of members throws for one that could not decide: the same, and which one it was. */
export function memberFailure(member: string, cause: unknown): Error {
  const reason = `${member}: ${cause instanceof Error ? cause.message : String(cause)}`;
  if (!(cause instanceof PolicyFailure)) return new Error(reason, { cause });
  const { code, detail } = cause.rejection;
  return new PolicyFailure(code, detail, reason, { cause });
}
