import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { replaceFile } from './replace-file.ts';
import { StoreError } from './store.ts';

/** What a node needs to serve without its document and without its store. Secrets stay references. */
export interface LastGoodBundle {
  readonly revision: string;
  /** Document text: YAML or JSON. */
  readonly document: string;
  /** Files the document names, by their path in it. Never secrets. */
  readonly files: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  readonly savedAt: number;
}

const FORMAT = 1;

/**
 * The last revision that was served, in a plain file beside the store (mode 0600). Replaced atomically: after
 * a crash at any moment the file is the old one or the new one, never a part.
 */
export class LastGood {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws StoreError `unavailable` */
  save(bundle: LastGoodBundle): void {
    try {
      replaceFile(this.#path, encode(bundle));
    } catch (cause) {
      throw new StoreError('unavailable', 'the last good revision cannot be saved', { cause });
    }
  }

  /**
   * Undefined when none was saved.
   * @throws StoreError `corrupt` when the file is not what was saved, `schema-too-new`, `unavailable`
   */
  load(): LastGoodBundle | undefined {
    const text = this.#read();
    return text === undefined ? undefined : decode(text);
  }

  #read(): string | undefined {
    try {
      return readFileSync(this.#path, 'utf8');
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined;
      throw new StoreError('unavailable', 'the last good revision cannot be read', { cause });
    }
  }
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

/** The bundle is kept as text inside, so that its checksum does not depend on how JSON is written. */
function encode(bundle: LastGoodBundle): string {
  const text = JSON.stringify(bundle);
  return `${JSON.stringify({ format: FORMAT, sha256: digest(text), bundle: text })}\n`;
}

function decode(text: string): LastGoodBundle {
  const envelope = parseObject(text);
  if (typeof envelope.format === 'number' && envelope.format > FORMAT) {
    throw new StoreError('schema-too-new', 'the last good revision was saved by a newer program');
  }
  if (typeof envelope.bundle !== 'string' || envelope.sha256 !== digest(envelope.bundle)) throw corrupt();
  const { revision, document, files, savedAt } = parseObject(envelope.bundle);
  if (typeof revision !== 'string' || typeof document !== 'string' || typeof savedAt !== 'number')
    throw corrupt();
  return { revision, document, files: textsOf(files), savedAt };
}

function textsOf(value: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries(asObject(value)).map(([path, text]) => {
      if (typeof text !== 'string') throw corrupt();
      return [path, text];
    }),
  );
}

function parseObject(text: string): Record<string, unknown> {
  try {
    return asObject(JSON.parse(text));
  } catch (cause) {
    throw cause instanceof StoreError ? cause : corrupt();
  }
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw corrupt();
  return { ...value };
}

const corrupt = (): StoreError => new StoreError('corrupt', 'the last good revision is damaged');
