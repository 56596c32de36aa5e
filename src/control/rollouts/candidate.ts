import { type Store, StoreError } from '../../store/index.ts';
import type { StoredTexts } from '../document-sources.ts';
import type { RolloutBundle, RolloutDeps } from './ports.ts';

/** What goes its way, ready for workers. It holds secrets and is never kept: after a restart it is compiled anew. */
export class Candidate<B extends RolloutBundle> {
  readonly #deps: Pick<RolloutDeps<B>, 'recompile' | 'store'>;
  #bundle: B | undefined;
  /** What it is compiled from. */
  #texts: StoredTexts | undefined;

  constructor(deps: Pick<RolloutDeps<B>, 'recompile' | 'store'>) {
    this.#deps = deps;
  }

  /** Undefined until it was checked in this process. */
  get bundle(): B | undefined {
    return this.#bundle;
  }

  take(bundle: B): void {
    const { text: document, files } = bundle;
    this.#bundle = bundle;
    this.#texts = { document, files };
  }

  /** Has it compiled with secrets and certificates as they are now, when it is needed next. */
  renew(): void {
    this.#bundle = undefined;
  }

  drop(): void {
    this.#bundle = undefined;
    this.#texts = undefined;
  }

  /** Rejects with ConfigError, StoreError, or Error where it would not be that revision any more. */
  async of(revision: string): Promise<B> {
    if (this.#bundle?.revision === revision) return this.#bundle;
    this.#texts ??= await this.#store().getRevision(revision);
    if (this.#texts === undefined) {
      throw new Error('interrupted: the store does not hold its revision any more');
    }
    const bundle = await this.#deps.recompile(this.#texts);
    if (bundle.revision !== revision) {
      throw new Error('interrupted: a certificate was renewed, so that it would be another revision');
    }
    this.#bundle = bundle;
    return bundle;
  }

  #store(): Store {
    const store = this.#deps.store();
    if (store === undefined) throw new StoreError('unavailable', 'there is no usable store');
    return store;
  }
}
