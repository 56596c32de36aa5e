import { ConfigError, type ConfigIssue } from '../errors.ts';
import { type DocumentPath, formatPath, joinPath } from './document-path.ts';

/** More issues than a person reads; a hostile document could make millions. */
const MAX_ISSUES = 1000;

/** Gathers every fault of a document, so that all are told at once. */
export class IssueList {
  readonly #issues: ConfigIssue[] = [];

  get isEmpty(): boolean {
    return this.#issues.length === 0;
  }

  add(path: DocumentPath, message: string, suggestion?: string): void {
    this.#push({ path: formatPath(path), message, ...(suggestion === undefined ? {} : { suggestion }) });
  }

  /** Takes a ConfigError's issues over, whose paths are relative to `base`; rethrows any other error. */
  addError(base: DocumentPath, error: unknown): void {
    if (!(error instanceof ConfigError)) throw error;
    for (const issue of error.issues) this.#push({ ...issue, path: joinPath(base, issue.path) });
  }

  /** Runs a step that may throw ConfigError; undefined when it did. */
  collect<T>(base: DocumentPath, step: () => T): T | undefined {
    try {
      return step();
    } catch (error) {
      this.addError(base, error);
      return undefined;
    }
  }

  /** Throws ConfigError with all issues, in the order found and each once. */
  throwIfAny(): void {
    if (this.#issues.length > 0) throw new ConfigError(this.#issues);
  }

  #push(issue: ConfigIssue): void {
    if (this.#issues.length >= MAX_ISSUES) return;
    const known = this.#issues.some((i) => i.path === issue.path && i.message === issue.message);
    if (!known) this.#issues.push(issue);
  }
}
