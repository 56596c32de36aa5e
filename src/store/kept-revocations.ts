import { readFileSync } from 'node:fs';
import type { RevocationEntry } from './consumer-store.ts';
import { replaceFile } from './replace-file.ts';
import { textOf, wholeOf } from './rows.ts';
import { StoreError } from './store.ts';

/**
 * What was revoked, in a plain file beside the store: a node that starts without its store must not take again what
 * was taken back.
 */
export class KeptRevocations {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws StoreError `unavailable` */
  save(entries: readonly RevocationEntry[]): void {
    try {
      replaceFile(this.#path, `${JSON.stringify({ format: 1, revocations: entries })}\n`);
    } catch (cause) {
      throw new StoreError('unavailable', 'the revocations cannot be saved beside the store', { cause });
    }
  }

  /**
   * None where none were saved.
   * @throws StoreError `corrupt` when the file is not what was saved, `unavailable`
   */
  load(): readonly RevocationEntry[] {
    const text = this.#read();
    if (text === undefined) return [];
    const { revocations } = asObject(parse(text));
    if (!Array.isArray(revocations)) throw corrupt();
    return revocations.map(entryOf);
  }

  #read(): string | undefined {
    try {
      return readFileSync(this.#path, 'utf8');
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
      throw new StoreError('unavailable', 'the revocations beside the store cannot be read', { cause });
    }
  }
}

const KINDS: readonly RevocationEntry['kind'][] = ['credential', 'consumer', 'token'];

function entryOf(value: unknown): RevocationEntry {
  const { kind, issuer, subject, at, by, reason, until } = asObject(value);
  const known = KINDS.find((one) => one === kind);
  if (known === undefined) throw corrupt();
  return {
    kind: known,
    issuer: textOf(issuer),
    subject: textOf(subject),
    at: wholeOf(at),
    by: textOf(by),
    reason: textOf(reason),
    until: until === undefined ? undefined : wholeOf(until),
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw corrupt();
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw corrupt();
  return { ...value };
}

const corrupt = (): StoreError => new StoreError('corrupt', 'the revocations beside the store are damaged');
