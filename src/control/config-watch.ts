import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '../contract/index.ts';

export interface ConfigWatchOptions {
  /** The document, or a folder of documents. */
  readonly path: string;
  /** Called after a change has come to rest; never twice at once for the same content. */
  readonly onChange: () => void;
  readonly log: Logger;
  /** Silence after which a change is taken as complete. Default 80 ms. */
  readonly restMs?: number;
  /** How often to look without being told. Default 2 s: network file systems tell nothing. */
  readonly pollMs?: number;
}

const DOCUMENT = /\.(ya?ml|json)$/;

/**
 * Watches a document through every way of changing it: written in place, replaced by a rename (editors,
 * deployment tools), or reached through a link that is swapped (Kubernetes). What counts is what the path
 * leads to, so the folder is watched and the target looked at; events alone decide nothing.
 */
export class ConfigWatch {
  readonly #options: ConfigWatchOptions;
  readonly #poll: NodeJS.Timeout;
  #watcher: FSWatcher | undefined;
  #rest: NodeJS.Timeout | undefined;
  #known: string | undefined;
  #seen: string | undefined;

  private constructor(options: ConfigWatchOptions, known: string) {
    this.#options = options;
    this.#known = known;
    this.#poll = setInterval(() => void this.#look(), options.pollMs ?? 2000);
    this.#poll.unref();
  }

  /** Resolves when it watches: a change after that is seen. */
  static async start(options: ConfigWatchOptions): Promise<ConfigWatch> {
    const config = new ConfigWatch(options, await fingerprint(options.path));
    await config.#listen();
    return config;
  }

  close(): void {
    clearInterval(this.#poll);
    clearTimeout(this.#rest);
    this.#watcher?.close();
  }

  async #listen(): Promise<void> {
    const { path: file, log } = this.#options;
    try {
      const isFolder = await stat(file).then(
        (about) => about.isDirectory(),
        () => false,
      );
      const folder = isFolder ? file : path.dirname(file);
      this.#watcher = watch(folder, { persistent: false }, () => void this.#look());
      this.#watcher.on('error', (error) => log.warn('config-watch-polls', { path: file, error }));
    } catch (error) {
      log.warn('config-watch-polls', { path: file, error });
    }
  }

  /** A change must look the same twice before it counts: half-written documents are not offered. */
  async #look(): Promise<void> {
    const now = await fingerprint(this.#options.path);
    if (now === this.#known) return;
    if (now === this.#seen && this.#rest !== undefined) return;
    this.#seen = now;
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => void this.#settle(now), this.#options.restMs ?? 80);
    this.#rest.unref();
  }

  async #settle(expected: string): Promise<void> {
    this.#rest = undefined;
    const now = await fingerprint(this.#options.path);
    if (now !== expected) return this.#look();
    this.#known = now;
    this.#options.onChange();
  }
}

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
