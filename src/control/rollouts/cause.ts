import type { Evidence, GateFinding } from '../../lifecycle/index.ts';

/** Why something happened to a rollout, in a line for the audit and the log; undefined where nothing went wrong. */
export function causeOf(evidence: Evidence | undefined): string | undefined {
  switch (evidence?.kind) {
    case 'failure':
      return evidence.message;
    case 'issues':
      return joined(
        evidence.issues.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)),
      );
    case 'trial':
      return joined(evidence.trial.findings.filter(({ state }) => state === 'broken').map(gateText));
    default:
      return undefined;
  }
}

const joined = (causes: readonly string[]): string | undefined =>
  causes.length === 0 ? undefined : causes.join('; ');

function gateText({ gate, canary, baseline, allowed }: GateFinding): string {
  const unit = (n: number): string => (gate === 'p99' ? `${rounded(n)} ms` : `${rounded(n * 100)}%`);
  return `gate ${gate}: ${unit(canary)}, at most ${unit(allowed)} (in service ${unit(baseline)})`;
}

const rounded = (n: number): number => Math.round(n * 100) / 100;
