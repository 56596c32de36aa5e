import type { Logger } from '../contract/index.ts';
import { ConfigWatch } from './config-watch.ts';
import type { DocumentSources } from './document-sources.ts';
import { filesOf, type OfferedBundle } from './offered-bundle.ts';
import { isFromDisk, type Publisher } from './publisher.ts';

export interface ReloadDeps {
  readonly publisher: Pick<Publisher<OfferedBundle>, 'publish' | 'takenFrom'>;
  readonly sources: Pick<DocumentSources, 'fromDisk' | 'fromText'>;
  /** What is served now. */
  readonly active: () => OfferedBundle | undefined;
  /** The document on disk, or a folder of documents. */
  readonly path: string;
  readonly log: Logger;
  /** Whether what has to wait is waited for by something. */
  readonly isBusy?: () => boolean;
}

const SYSTEM = 'system';

/** Offers the document again when it is told to, and when the document or a file that it names has changed. */
export class Reload {
  readonly #deps: ReloadDeps;
  #watch: ConfigWatch | undefined;
  /** The document on disk as it was last taken on its way by a rollout. */
  #onItsWay: string | undefined;
  /** What is to be offered once the rollout under way has ended. */
  #due: 'document' | 'files' | undefined;

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
    void this.#offerDisk(origin);
  }

  /** Offers what had to wait for the end of a rollout. */
  offerAgain(): void {
    const due = this.#due;
    this.#due = undefined;
    if (due === 'document') this.fromDisk('file');
    if (due === 'files') void this.#withNewFiles();
  }

  /** Watches the files of what is served. To be called whenever that is another revision. */
  async follow(): Promise<void> {
    const active = this.#deps.active();
    if (active !== undefined) await this.#watch?.follow(filesOf(active));
  }

  close(): void {
    this.#watch?.close();
  }

  async #offerDisk(origin: 'file' | 'signal'): Promise<void> {
    const { publisher, sources } = this.#deps;
    let text: string | undefined;
    const load = async () => {
      const bundle = await sources.fromDisk();
      text = bundle.text;
      return bundle;
    };
    const { outcome } = await publisher.publish({ origin, actor: SYSTEM, load });
    if (outcome === 'rollout') this.#onItsWay = text;
    if (outcome === 'busy') this.#wait('document');
  }

  /** What is waited for may be over by now, and would tell nobody any more. */
  #wait(what: 'document' | 'files'): void {
    if (this.#due !== 'document') this.#due = what;
    if (this.#deps.isBusy?.() === false) this.offerAgain();
  }

  /** Whether what is served is the document on disk, as far as anybody has decided of that. */
  #isDiskServed(active: OfferedBundle): boolean {
    if (!isFromDisk(this.#deps.publisher.takenFrom)) return false;
    return this.#onItsWay === undefined || this.#onItsWay === active.text;
  }

  /**
   * A document that came by the API stays, with the file as it is now: it does not give way to the one on disk. Nor does
   * the one before to one on disk that is on its way, or was rolled back.
   */
  async #withNewFiles(): Promise<void> {
    const { publisher, sources } = this.#deps;
    const active = this.#deps.active();
    const ask = {
      actor: SYSTEM,
      reason: 'a file it names has changed',
      expectedRevision: active?.revision,
      isRenewal: true,
    } as const;
    const { takenFrom } = publisher;
    const result =
      active === undefined || takenFrom === undefined || this.#isDiskServed(active)
        ? await publisher.publish({ ...ask, origin: 'file', load: () => sources.fromDisk() })
        : await publisher.publish({
            ...ask,
            origin: isFromDisk(takenFrom) ? 'store' : takenFrom,
            load: () => sources.fromText(active.text),
          });
    // Another revision came first, and may have read the file before it changed.
    if (result.outcome === 'stale') await this.#withNewFiles();
    if (result.outcome === 'busy') this.#wait('files');
  }
}
