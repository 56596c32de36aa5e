import type { DocumentPath } from '../../config/index.ts';
import type { LintContext } from './context.ts';

/** `error`: it is wrong or unsafe; `warning`: most probably not what was meant; `note`: worth knowing. */
export type Severity = 'error' | 'warning' | 'note';

/** Something a rule found, before it is told. Never holds a secret. */
export interface Found {
  readonly path: DocumentPath;
  readonly message: string;
  /** What to do about it. */
  readonly fix: string;
  /** In place of the rule's own. */
  readonly severity?: Severity;
}

/** One thing the lint looks for. */
export interface LintRule {
  /** Stable, kebab-case: what `--ignore` and SARIF name. */
  readonly id: string;
  readonly severity: Severity;
  /** What is found, in one sentence without a full stop. */
  readonly summary: string;
  /** Gives `undefined` now and then where it works for long without finding anything. */
  check(c: LintContext): Iterable<Found | undefined>;
}

/** A finding as it is told. The shape is that of a ConfigIssue, with the rule that found it. */
export interface Finding {
  readonly rule: string;
  readonly severity: Severity;
  /** Path in the document, e.g. `routes[0].policies[1]`. */
  readonly path: string;
  readonly message: string;
  readonly fix: string;
  /** Page and section that say more. */
  readonly docs: string;
  readonly file?: string;
  /** 1-based. */
  readonly line?: number;
  readonly column?: number;
}
