import type { Held, Resource, ResourceRequest, Resources, ResourceWorld } from '../contract/index.ts';
import { InternalError } from '../errors.ts';

interface Entry {
  readonly resource: Resource;
  uses: number;
}

/** The resources of one worker. Counted by use, so that reloads neither lose one nor keep one for ever. */
export class ResourcePool implements Resources {
  readonly #world: ResourceWorld;
  readonly #entries = new Map<string, Entry>();

  constructor(world: ResourceWorld) {
    this.#world = world;
  }

  get size(): number {
    return this.#entries.size;
  }

  acquire<R extends Resource>({ key, is, open }: ResourceRequest<R>): Held<R> {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      entry = { resource: open(this.#world), uses: 0 };
      this.#entries.set(key, entry);
    }
    const { resource } = entry;
    if (!is(resource)) throw new InternalError(`two kinds of resources have one key: ${key}`);
    entry.uses++;
    return { resource, release: this.#releaseOnce(key, entry) };
  }

  #releaseOnce(key: string, entry: Entry): () => void {
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      if (--entry.uses > 0) return;
      this.#entries.delete(key);
      entry.resource.close();
    };
  }
}
