import { readFileSync } from 'node:fs';
import { replaceFile } from './replace-file.ts';

const FORM = /^[0-9a-f]{16}\n$/;

/**
 * The id of a node: made once and kept in its data folder, so that it is the same node after a restart, under whatever
 * name or address. Where the folder cannot be written, it is that of this process.
 */
export class NodeIdentity {
  readonly #path: string;
  readonly #newId: () => string;
  #id: string | undefined;

  /** `newId`: 16 hex digits that nobody else has. */
  constructor(path: string, newId: () => string) {
    this.#path = path;
    this.#newId = newId;
  }

  get id(): string {
    return this.#id ?? this.#load() ?? this.renew();
  }

  /** Takes another: the folder is a copy, and the id is in use by its original, or the other way round. */
  renew(): string {
    this.#id = this.#newId();
    try {
      replaceFile(this.#path, `${this.#id}\n`);
    } catch {
      // It serves without, and is another node after a restart.
    }
    return this.#id;
  }

  /** What lies there and has another form is taken for nothing. */
  #load(): string | undefined {
    try {
      const text = readFileSync(this.#path, 'utf8');
      if (FORM.test(text)) this.#id = text.trimEnd();
    } catch {
      // There is none yet.
    }
    return this.#id;
  }
}
