import { ConfigError } from '../../errors.ts';
import { ActivationError, type Evidence } from '../../lifecycle/index.ts';

const MAX_MESSAGE = 2000;

/** What went wrong, as it stays with a rollout: a worker's refusal is the document's faults again. */
export function failureOf(error: unknown): Evidence {
  const cause = error instanceof ActivationError ? error.cause : error;
  if (cause instanceof ConfigError) return { kind: 'issues', issues: cause.issues };
  const message = cause instanceof Error ? cause.message : String(cause);
  return { kind: 'failure', message: message.slice(0, MAX_MESSAGE) };
}
