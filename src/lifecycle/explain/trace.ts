import { holdsRandomRun, holdsSecretShape, SECRET_NAME } from '../../lib/secret-shapes.ts';
import type { ExplainedCounter, ExplainedInput } from './explanation.ts';

/** In place of what is not to be shown. */
const HIDDEN = '[redacted]';
const MAX_INPUTS = 100;
const MAX_TEXT = 200;

/** What the attachments of a plan did while they judged, by their id. */
export class Trace {
  readonly #parts = new Map<string, TracedPart>();

  of(attachment: string): TracedPart {
    let part = this.#parts.get(attachment);
    if (part === undefined) {
      part = new TracedPart();
      this.#parts.set(attachment, part);
    }
    return part;
  }

  find(attachment: string): TracedPart | undefined {
    return this.#parts.get(attachment);
  }
}

/** What one attachment looked at, asked and took. */
export class TracedPart {
  readonly #inputs = new Map<string, string>();
  readonly counters: ExplainedCounter[] = [];
  spentMs = 0;
  /** Who calls was taken as proved to it. */
  isProved = false;

  get inputs(): readonly ExplainedInput[] {
    return [...this.#inputs].map(([name, value]) => ({ name, value }));
  }

  /** The first value of a name stays. */
  looked(name: string, value: unknown): void {
    if (this.#inputs.has(name) || this.#inputs.size >= MAX_INPUTS) return;
    this.#inputs.set(name, shownValue(name, value));
  }

  counted(counter: ExplainedCounter): void {
    this.counters.push({ ...counter, key: shownValue('', counter.key) });
  }
}

/** A value as people may see it: nothing that is, or could be, a credential. */
export function shownValue(name: string, value: unknown): string {
  if (value === undefined) return 'none';
  if (SECRET_NAME.test(name)) return HIDDEN;
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
  if (holdsSecretShape(text) || holdsRandomRun(text)) return HIDDEN;
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}
