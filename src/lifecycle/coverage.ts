import type { DocumentAttachment, DocumentPlaces } from '../config/index.ts';
import type { DecisionEntry } from '../contract/index.ts';

/** What the tests of a document saw an attachment do. */
export interface AttachmentCoverage {
  readonly id: string;
  readonly policy: string;
  readonly mode: 'enforce' | 'shadow';
  /** Whether it let some request on. */
  readonly continued: boolean;
  /** Whether it refused some request, or answered it. */
  readonly refused: boolean;
  /** Whether a test can see it refuse at all. */
  readonly canRefuse: boolean;
  /** Whether it was seen to do all that it can do. */
  readonly covered: boolean;
}

export interface RouteCoverage {
  readonly name: string;
  /** Whether some request of a test came to it. */
  readonly covered: boolean;
}

export interface CoverageShare {
  readonly covered: number;
  readonly total: number;
  /** 0 to 100, rounded down: 100 is all of them. 100 where there are none. */
  readonly percent: number;
}

export interface CoverageReport {
  readonly policies: CoverageShare;
  readonly routes: CoverageShare;
  /** Listeners' before routes', in the order of the document, without those that are off. */
  readonly attachments: readonly AttachmentCoverage[];
  readonly routeList: readonly RouteCoverage[];
}

/** One judged request of a test. */
export interface SeenRequest {
  /** Name of the route that took it; '' for none. */
  readonly route: string;
  readonly entries: readonly DecisionEntry[];
}

/**
 * Which attachments and routes of a document its tests have seen at work. An attachment counts when it let a request
 * on and, if it can, refused or answered one: a rule of which only one side was seen may be wrong on the other. Where
 * a test says who calls, whoever would prove it counts as having let it on.
 */
export class Coverage {
  readonly #attachments: readonly DocumentAttachment[];
  readonly #routes: readonly string[];
  readonly #continued = new Set<string>();
  readonly #refused = new Set<string>();
  readonly #taken = new Set<string>();

  constructor({ listeners, routes }: DocumentPlaces) {
    const all = [...listeners, ...routes].flatMap(({ attachments }) => attachments);
    this.#attachments = all.filter(({ mode }) => mode !== 'off');
    this.#routes = routes.map(({ name }) => name);
  }

  /** What could not decide, or did not apply, was not seen to decide. */
  note({ route, entries }: SeenRequest): void {
    this.#taken.add(route);
    for (const { attachment, outcome } of entries) {
      if (outcome === 'continue') this.#continued.add(attachment);
      else if (outcome === 'reject' || outcome === 'respond') this.#refused.add(attachment);
    }
  }

  report(): CoverageReport {
    const attachments = this.#attachments.map((attachment) => this.#attachment(attachment));
    const routeList = this.#routes.map((name) => ({ name, covered: this.#taken.has(name) }));
    return { policies: shareOf(attachments), routes: shareOf(routeList), attachments, routeList };
  }

  #attachment({ id, definition, config, mode }: DocumentAttachment): AttachmentCoverage {
    const { name: policy, refuses = true } = definition;
    const canRefuse = typeof refuses === 'function' ? refuses(config) : refuses;
    const [continued, refused] = [this.#continued.has(id), this.#refused.has(id)];
    const covered = continued && (refused || !canRefuse);
    return {
      id,
      policy,
      mode: mode === 'shadow' ? 'shadow' : 'enforce',
      continued,
      refused,
      canRefuse,
      covered,
    };
  }
}

function shareOf(items: readonly { readonly covered: boolean }[]): CoverageShare {
  const total = items.length;
  const covered = items.filter((item) => item.covered).length;
  return { covered, total, percent: total === 0 ? 100 : Math.floor((100 * covered) / total) };
}
