import { type FSWatcher, watch } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '../contract/index.ts';

export interface ConfigWatchOptions {
  /** The document, or a folder of documents. */
  readonly path: string;
  /**
   * Called after a change has come to rest; never twice at once for the same content. `files`: the document is as it
   * was, but not what it names.
   */
  readonly onChange: (what: 'document' | 'files') => void;
  readonly log: Logger;
  /** Silence after which a change is taken as complete. Default 80 ms. */
  readonly restMs?: number;
  /** How often to look without being told. Default 2 s: network file systems tell nothing. */
  readonly pollMs?: number;
}

const DOCUMENT = /\.(ya?ml|json)$/;
/** No file's fingerprint: differs from whatever is there. */
const UNKNOWN = '';

/**
 * Watches a document, and the files it names, through every way of changing them: written in place, replaced by a
 * rename (editors, deployment tools), or reached through a link that is swapped (Kubernetes). What counts is what a
 * path leads to, so folders are watched and the targets looked at; events alone decide nothing.
 */
export class ConfigWatch {
  readonly #options: ConfigWatchOptions;
  readonly #poll: NodeJS.Timeout;
  /** Fingerprint of what was last told, by path; the document is always among them. */
  readonly #known = new Map<string, string>();
  /** By folder. */
  readonly #watchers = new Map<string, FSWatcher>();
  /** Folder that the names in the document are relative to. */
  #folder = '';
  #rest: NodeJS.Timeout | undefined;
  #seen: string | undefined;
  #isLooking = false;
  #isLookDue = false;
  #isClosed = false;

  private constructor(options: ConfigWatchOptions) {
    this.#options = options;
    this.#poll = setInterval(() => void this.#look(), options.pollMs ?? 2000);
    this.#poll.unref();
  }

  /** Resolves when it watches: a change after that is seen. */
  static async start(options: ConfigWatchOptions): Promise<ConfigWatch> {
    const config = new ConfigWatch(options);
    const { path: document } = options;
    const isFolder = await stat(document).then(
      (about) => about.isDirectory(),
      () => false,
    );
    config.#folder = path.resolve(isFolder ? document : path.dirname(document));
    config.#known.set(document, await fingerprint(document));
    config.#listen();
    return config;
  }

  /**
   * Watches these files from now on, and no others: names relative to the document, with what was read. One
   * that has changed since then is a change like any other.
   */
  async follow(files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
    const wanted = new Map<string, string | Uint8Array>();
    for (const [name, text] of Object.entries(files)) wanted.set(path.resolve(this.#folder, name), text);
    for (const file of this.#known.keys()) {
      if (file !== this.#options.path && !wanted.has(file)) this.#known.delete(file);
    }
    const added = [...wanted].filter(([file]) => !this.#known.has(file));
    for (const [file, text] of added) {
      const now = await fingerprint(file);
      this.#known.set(file, (await holds(file, text)) ? now : UNKNOWN);
    }
    this.#listen();
    void this.#look();
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#poll);
    clearTimeout(this.#rest);
    for (const watcher of this.#watchers.values()) watcher.close();
  }

  #listen(): void {
    if (this.#isClosed) return;
    const files = [...this.#known.keys()].filter((file) => file !== this.#options.path);
    const folders = new Set([this.#folder, ...files.map((file) => path.dirname(file))]);
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) if (!this.#watchers.has(folder)) this.#listenTo(folder);
  }

  #listenTo(folder: string): void {
    const { log } = this.#options;
    try {
      const watcher = watch(folder, { persistent: false }, () => void this.#look());
      watcher.on('error', (error) => log.warn('config-watch-polls', { path: folder, error }));
      this.#watchers.set(folder, watcher);
    } catch (error) {
      log.warn('config-watch-polls', { path: folder, error });
    }
  }

  /** One look at a time: events come in crowds. */
  async #look(): Promise<void> {
    this.#isLookDue = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    while (this.#isLookDue) {
      this.#isLookDue = false;
      await this.#compare();
    }
    this.#isLooking = false;
  }

  /** A change must look the same twice before it counts: half-written files are not offered. */
  async #compare(): Promise<void> {
    const change = changeIn(await this.#changed());
    if (change === '' || this.#isClosed) return;
    if (change === this.#seen && this.#rest !== undefined) return;
    this.#seen = change;
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => void this.#settle(change), this.#options.restMs ?? 80);
    this.#rest.unref();
  }

  async #settle(expected: string): Promise<void> {
    this.#rest = undefined;
    const changed = await this.#changed();
    if (this.#isClosed) return;
    if (changeIn(changed) !== expected) return this.#look();
    for (const [file, now] of changed) this.#known.set(file, now);
    this.#options.onChange(changed.has(this.#options.path) ? 'document' : 'files');
  }

  /** What is not as it was last told, with its fingerprint. */
  async #changed(): Promise<ReadonlyMap<string, string>> {
    const looks = [...this.#known.keys()].map(async (file) => [file, await fingerprint(file)] as const);
    const all = await Promise.all(looks);
    // One that is no longer followed by now is no change.
    return new Map(all.filter(([file, now]) => this.#known.has(file) && this.#known.get(file) !== now));
  }
}

const changeIn = (changed: ReadonlyMap<string, string>): string =>
  [...changed].map(([file, now]) => `${file} ${now}`).join('\n');

/** What the path leads to at this moment, in words that differ whenever its content may. */
async function fingerprint(file: string): Promise<string> {
  try {
    const about = await stat(file, { bigint: true });
    if (!about.isDirectory()) return `${about.dev}:${about.ino}:${about.size}:${about.mtimeNs}`;
    const names = (await readdir(file)).filter((name) => DOCUMENT.test(name)).sort();
    const parts = await Promise.all(
      names.map(async (name) => `${name}=${await fingerprint(path.join(file, name))}`),
    );
    return parts.join('|');
  } catch {
    return 'absent';
  }
}

/** Whether a file has this content. Of a secret, the line end was left out. */
async function holds(file: string, text: string | Uint8Array): Promise<boolean> {
  try {
    const bytes = await readFile(file);
    if (typeof text !== 'string') return bytes.equals(text);
    const content = bytes.toString();
    return content === text || content.replace(/\r?\n$/, '') === text;
  } catch {
    return false;
  }
}
