import { formatPath, Pacer, type ParsedDocument } from '../../config/index.ts';
import { certificateExpiry } from './certificate-expiry.ts';
import { LintContext, type LintInput } from './context.ts';
import { contradictoryList } from './contradictory-list.ts';
import { expiredEntry } from './expired-entry.ts';
import type { Finding, Found, LintRule } from './finding.ts';
import { inlineSecret } from './inline-secret.ts';
import { limitNeverTriggers } from './limit-never-triggers.ts';
import { refusesEverybody } from './refuses-everybody.ts';
import { reviewOverdue } from './review-overdue.ts';
import { shadowedRule } from './shadowed-rule.ts';
import { unaskedCertificate } from './unasked-certificate.ts';
import { unauthenticatedRoute } from './unauthenticated-route.ts';
import { unreachableRoute } from './unreachable-route.ts';

export type { LintInput } from './context.ts';
export type { Finding, LintRule, Severity } from './finding.ts';

/** Every rule there is. A new one adds its file, one line here and its section in docs/checks.md. */
export const LINT_RULES: readonly LintRule[] = Object.freeze([
  certificateExpiry,
  contradictoryList,
  expiredEntry,
  inlineSecret,
  limitNeverTriggers,
  refusesEverybody,
  reviewOverdue,
  shadowedRule,
  unaskedCertificate,
  unauthenticatedRoute,
  unreachableRoute,
]);

/** Page and section on a rule. */
export const docsOf = (rule: string): string => `docs/checks.md#${rule}`;

/** More than a person reads; a document could be made to have millions. */
const MAX_FINDINGS_PER_RULE = 1000;

const AND_MORE: Found = {
  path: [],
  message: `there are more than ${MAX_FINDINGS_PER_RULE} of these: the others are not told`,
  fix: 'mend those that are told, then look again',
};

export interface LintOptions {
  /** Ids of rules that are not asked. */
  readonly ignore?: readonly string[];
  /** Where a value of the document is written. Without it findings have no line. */
  readonly locate?: ParsedDocument['locate'];
  /** Gives the event loop its turns, where others need it. */
  readonly pacer?: Pacer;
}

/** What is sound and yet most probably wrong: findings in the order of the text. Reads nothing but its input. */
export async function lint(input: LintInput, options: LintOptions = {}): Promise<readonly Finding[]> {
  const { ignore = [], locate, pacer = new Pacer() } = options;
  const context = new LintContext(input);
  const findings: Finding[] = [];
  for (const rule of LINT_RULES) {
    if (ignore.includes(rule.id)) continue;
    let count = 0;
    for (const found of rule.check(context)) {
      if (pacer.isDue) await pacer.breathe();
      if (found === undefined) continue;
      if (++count > MAX_FINDINGS_PER_RULE) {
        findings.push(findingOf(rule, AND_MORE, locate));
        break;
      }
      findings.push(findingOf(rule, found, locate));
    }
  }
  return findings.sort(byPlace);
}

function findingOf(rule: LintRule, found: Found, locate: LintOptions['locate']): Finding {
  const { path, message, fix, severity = rule.severity } = found;
  const place = locate?.(path);
  return {
    rule: rule.id,
    severity,
    path: formatPath(path),
    message,
    fix,
    docs: docsOf(rule.id),
    ...place,
  };
}

function byPlace(one: Finding, other: Finding): number {
  const byFile = (one.file ?? '').localeCompare(other.file ?? '');
  if (byFile !== 0) return byFile;
  return (one.line ?? 0) - (other.line ?? 0) || (one.column ?? 0) - (other.column ?? 0);
}
