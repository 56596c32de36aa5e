import { readFileSync } from 'node:fs';
import { replaceFile } from './replace-file.ts';
import { StoreError } from './store.ts';

/** The document on disk when it was last decided of: taken into service, or on its way. */
export interface DiskDecision {
  /** Names what was written in it. */
  readonly document: string;
  /** The revision it was, with its files. */
  readonly revision: string;
}

const FORMAT = 1;

/**
 * Remembers which document on disk this node has decided of, in a plain file beside the store: a start takes one that has
 * changed since, and leaves one alone that was replaced by the API, rolled back or refused on its way.
 */
export class DiskMark {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws StoreError `unavailable` */
  save({ document, revision }: DiskDecision): void {
    const known = this.load();
    // Every start says the same again.
    if (known?.document === document && known.revision === revision) return;
    try {
      replaceFile(this.#path, `${JSON.stringify({ format: FORMAT, document, revision })}\n`);
    } catch (cause) {
      throw new StoreError('unavailable', 'what was decided of the document on disk cannot be saved', {
        cause,
      });
    }
  }

  /** Undefined where nothing is known: none was saved, or what lies there is something else. */
  load(): DiskDecision | undefined {
    try {
      const { format, document, revision } = JSON.parse(readFileSync(this.#path, 'utf8'));
      const isSound = format === FORMAT && typeof document === 'string' && typeof revision === 'string';
      return isSound ? { document, revision } : undefined;
    } catch {
      return undefined;
    }
  }
}
