import type { AttachmentSpec } from '../attachment-spec.ts';
import type { IssueList } from '../issues.ts';

/** Ids by place and policy, numbered in the order written, or by their own name. */
export class AttachmentIds {
  readonly #place: string;
  readonly #issues: IssueList;
  readonly #counts = new Map<string, number>();
  readonly #names = new Set<string>();

  /** `place`: what all ids here begin with, e.g. `route:orders`. */
  constructor(place: string, issues: IssueList) {
    this.#place = place;
    this.#issues = issues;
  }

  next(spec: AttachmentSpec): string {
    const base = `${this.#place}/${spec.definition.name}`;
    if (spec.name !== undefined) {
      const id = `${base}@${spec.name}`;
      if (this.#names.has(id))
        this.#issues.add([...spec.path, 'name'], `the name "${spec.name}" is used twice here`);
      this.#names.add(id);
      return id;
    }
    const count = (this.#counts.get(base) ?? 0) + 1;
    this.#counts.set(base, count);
    return count === 1 ? base : `${base}#${count}`;
  }
}
