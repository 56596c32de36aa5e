import { isAbsolute, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ConfigIssue } from '../errors.ts';
import type { Finding, LintRule, Severity } from '../lifecycle/index.ts';

/** Rule id of what a document is refused for, beside the ids of the lint. */
export const INVALID_DOCUMENT = 'invalid-document';

/** A result as SARIF and people are told it: a fault that refuses the document, or a finding of the lint. */
export interface CheckResult extends Omit<Finding, 'rule' | 'fix' | 'docs'> {
  readonly rule: string;
  readonly fix?: string;
}

/** Faults as results. */
export const resultsOf = (issues: readonly ConfigIssue[]): readonly CheckResult[] =>
  issues.map(({ suggestion, ...issue }) => ({
    ...issue,
    rule: INVALID_DOCUMENT,
    severity: 'error',
    ...(suggestion === undefined ? {} : { fix: suggestion }),
  }));

const SCHEMA = 'https://json.schemastore.org/sarif-2.1.0.json';

interface Described {
  readonly id: string;
  readonly severity: Severity;
  readonly summary: string;
}

const INVALID: Described = {
  id: INVALID_DOCUMENT,
  severity: 'error',
  summary: 'A fault for which the document is not served',
};

export interface SarifContext {
  readonly rules: readonly LintRule[];
  readonly docsOf: (rule: string) => string;
  /** Of this program. */
  readonly version: string;
  readonly name: string;
  readonly base: string;
}

/**
 * A log of one run in SARIF 2.1.0 (OASIS Standard). `name` stands where a result has no file; files below the folder
 * `base` are named relative to it, as code scanning wants it.
 */
export function sarifOf(results: readonly CheckResult[], context: SarifContext): object {
  const rules = [INVALID, ...context.rules];
  return {
    $schema: SCHEMA,
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'sallyport',
            version: context.version,
            rules: rules.map((rule) => ruleOf(rule, context.docsOf(rule.id))),
          },
        },
        columnKind: 'utf16CodeUnits',
        results: results.map((result) => resultOf(result, rules, context)),
      },
    ],
  };
}

const ruleOf = ({ id, severity, summary }: Described, docs: string): object => ({
  id,
  shortDescription: { text: summary },
  help: { text: `See ${docs}.`, markdown: `See \`${docs}\`.` },
  defaultConfiguration: { level: severity },
});

function resultOf(result: CheckResult, rules: readonly Described[], { name, base }: SarifContext): object {
  const { rule, severity, path, message, fix, file = name, line, column = 1 } = result;
  const where = path === '' ? '' : `${path}: `;
  return {
    ruleId: rule,
    ruleIndex: rules.findIndex(({ id }) => id === rule),
    level: severity,
    message: { text: `${where}${message}${fix === undefined ? '' : ` (${fix})`}` },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: uriOf(file, base) },
          ...(line === undefined ? {} : { region: { startLine: line, startColumn: column } }),
        },
        ...(path === '' ? {} : { logicalLocations: [{ fullyQualifiedName: path }] }),
      },
    ],
  };
}

/** Relative references are read against the root of the checkout; what lies outside is named in full. */
function uriOf(file: string, base: string): string {
  const short = relative(base, file);
  if (short.startsWith('..') || isAbsolute(short)) return pathToFileURL(file).href;
  return short.split(/[\\/]/).map(encodeURIComponent).join('/');
}
