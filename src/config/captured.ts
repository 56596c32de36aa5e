import type { DocumentFiles, Secrets } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import { fileKey } from './document-files.ts';

/** What a document needs from outside itself, read once: every worker compiles from the same bytes. */
export interface Captured {
  /** Text of each file, by its name relative to the document. */
  readonly files: Readonly<Record<string, string>>;
  /** Value of each secret, by its reference. Never stored, logged or hashed into a revision. */
  readonly secrets: Readonly<Record<string, string>>;
}

/** Reads through, and keeps what was read. Each name is read once, so that one compile sees one content. */
export class Capture {
  readonly #files = new Map<string, string>();
  readonly #secrets = new Map<string, string>();
  readonly files: DocumentFiles;
  readonly secrets: Secrets;

  constructor(files: DocumentFiles, secrets: Secrets) {
    this.files = { read: (name) => remembered(this.#files, fileKey(name), (key) => files.read(key)) };
    this.secrets = { resolve: (ref) => remembered(this.#secrets, ref, (key) => secrets.resolve(key)) };
  }

  get captured(): Captured {
    return { files: Object.fromEntries(this.#files), secrets: Object.fromEntries(this.#secrets) };
  }
}

/** Files and secrets from what was captured; nothing else can be read. */
export function readersOf(captured: Captured): { files: DocumentFiles; secrets: Secrets } {
  const held = (from: Readonly<Record<string, string>>, key: string, what: string): string => {
    if (Object.hasOwn(from, key)) return from[key];
    throw ConfigError.at('', `${what} was not captured with the document`);
  };
  return {
    files: { read: (name) => held(captured.files, fileKey(name), fileKey(name)) },
    secrets: { resolve: (ref) => held(captured.secrets, ref, 'the secret') },
  };
}

function remembered(known: Map<string, string>, key: string, read: (key: string) => string): string {
  let text = known.get(key);
  if (text === undefined) {
    text = read(key);
    known.set(key, text);
  }
  return text;
}
