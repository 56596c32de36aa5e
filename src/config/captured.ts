import type { DocumentFiles, Secrets } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import type { BinaryFiles, FileBytes } from './binary-files.ts';
import { fileKey } from './document-files.ts';

/** What a document needs from outside itself, read once: every worker compiles from the same bytes. */
export interface Captured {
  /** Text of each file, by its name relative to the document. */
  readonly files: Readonly<Record<string, string>>;
  /** Value of each secret, by its reference. Never stored, logged or hashed into a revision. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Bytes of each file that is no text, by its name. */
  readonly binaries: Readonly<Record<string, FileBytes>>;
}

/** Reads through, and keeps what was read. Each name is read once, so that one compile sees one content. */
export class Capture {
  readonly #files = new Map<string, string>();
  readonly #secrets = new Map<string, string>();
  readonly #binaries = new Map<string, FileBytes>();
  readonly files: DocumentFiles;
  readonly secrets: Secrets;
  readonly binaries: BinaryFiles;

  constructor(files: DocumentFiles, secrets: Secrets, binaries: BinaryFiles) {
    this.files = { read: (name) => remembered(this.#files, fileKey(name), (key) => files.read(key)) };
    this.secrets = { resolve: (ref) => remembered(this.#secrets, ref, (key) => secrets.resolve(key)) };
    this.binaries = {
      read: (name) => remembered(this.#binaries, fileKey(name), (key) => binaries.read(key)),
    };
  }

  get captured(): Captured {
    return {
      files: Object.fromEntries(this.#files),
      secrets: Object.fromEntries(this.#secrets),
      binaries: Object.fromEntries(this.#binaries),
    };
  }
}

/** Files and secrets from what was captured; nothing else can be read. */
export function readersOf(captured: Captured): {
  files: DocumentFiles;
  secrets: Secrets;
  binaries: BinaryFiles;
} {
  const held = <T>(from: Readonly<Record<string, T>>, key: string, what: string): T => {
    if (Object.hasOwn(from, key)) return from[key];
    throw ConfigError.at('', `${what} was not captured with the document`);
  };
  return {
    files: { read: (name) => held(captured.files, fileKey(name), fileKey(name)) },
    secrets: { resolve: (ref) => held(captured.secrets, ref, 'the secret') },
    binaries: { read: (name) => held(captured.binaries, fileKey(name), fileKey(name)) },
  };
}

function remembered<T>(known: Map<string, T>, key: string, read: (key: string) => T): T {
  let content = known.get(key);
  if (content === undefined) {
    content = read(key);
    known.set(key, content);
  }
  return content;
}
