import type { Logger } from '../contract/index.ts';
import { ConfigWatch } from './config-watch.ts';
import type { DocumentSources } from './document-sources.ts';
import { filesOf, type OfferedBundle } from './offered-bundle.ts';
import type { Publisher } from './publisher.ts';

export interface ReloadDeps {
  readonly publisher: Pick<Publisher<OfferedBundle>, 'publish' | 'takenFrom'>;
  readonly sources: Pick<DocumentSources, 'fromDisk' | 'fromText'>;
  /** What is served now. */
  readonly active: () => OfferedBundle | undefined;
  /** The document on disk, or a folder of documents. */
  readonly path: string;
  readonly log: Logger;
}

const SYSTEM = 'system';

/** Offers the document again when it is told to, and when the document or a file that it names has changed. */
export class Reload {
  readonly #deps: ReloadDeps;
  #watch: ConfigWatch | undefined;

  private constructor(deps: ReloadDeps) {
    this.#deps = deps;
  }

  /** Resolves when it watches the document on disk; the files are for `follow`. */
  static async start(deps: ReloadDeps): Promise<Reload> {
    const reload = new Reload(deps);
    const { path, log } = deps;
    const onChange = (what: 'document' | 'files') =>
      what === 'document' ? reload.fromDisk('file') : void reload.#withNewFiles();
    reload.#watch = await ConfigWatch.start({ path, log, onChange });
    return reload;
  }

  fromDisk(origin: 'file' | 'signal'): void {
    const { publisher, sources } = this.#deps;
    void publisher.publish({ origin, actor: SYSTEM, load: () => sources.fromDisk() });
  }

  /** Watches the files of what is served. To be called whenever that is another revision. */
  async follow(): Promise<void> {
    const active = this.#deps.active();
    if (active !== undefined) await this.#watch?.follow(filesOf(active));
  }

  close(): void {
    this.#watch?.close();
  }

  /** A document that came by the API stays, with the file as it is now: it does not give way to the one on disk. */
  async #withNewFiles(): Promise<void> {
    const { publisher, sources } = this.#deps;
    const active = this.#deps.active();
    const ask = { actor: SYSTEM, reason: 'a file it names has changed', expectedRevision: active?.revision };
    const result =
      active !== undefined && publisher.takenFrom === 'api'
        ? await publisher.publish({ ...ask, origin: 'api', load: () => sources.fromText(active.text) })
        : await publisher.publish({ ...ask, origin: 'file', load: () => sources.fromDisk() });
    // Another revision came first, and may have read the file before it changed.
    if (result.outcome === 'stale') await this.#withNewFiles();
  }
}
