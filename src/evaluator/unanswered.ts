import type { Network, Undecidable } from '../contract/index.ts';
import { NetworkError } from '../errors.ts';
import { HeaderList } from '../lib/header-list.ts';

/**
 * What a judgement asked for that is not there the second time: whatever came of it then would be a guess. One for each
 * judgement.
 */
export class Unanswered {
  readonly #reasons = new Set<Undecidable>();

  note(reason: Undecidable): void {
    this.#reasons.add(reason);
  }

  /** In the order in which they were met; none: the judgement holds. */
  get reasons(): readonly Undecidable[] {
    return [...this.#reasons];
  }

  /** Nobody outside is asked. Policies are told so, as offline. */
  get network(): Network {
    return {
      send: () => {
        this.note('network');
        return Promise.reject(new NetworkError('offline', 'nobody outside is asked a second time'));
      },
    };
  }

  /** The fields of a recorded request. To look at one whose value is withheld is noted; that it was sent is known. */
  headers(flat: readonly string[], withheld: readonly string[]): HeaderList {
    return withheld.length === 0
      ? new HeaderList([...flat])
      : new WatchedHeaders([...flat], new Set(withheld), () => this.note('credential'));
  }
}

class WatchedHeaders extends HeaderList {
  readonly #withheld: ReadonlySet<string>;
  readonly #onLook: () => void;

  constructor(flat: string[], withheld: ReadonlySet<string>, onLook: () => void) {
    super(flat);
    this.#withheld = withheld;
    this.#onLook = onLook;
  }

  override get(name: string): string | undefined {
    if (this.#withheld.has(name)) this.#onLook();
    return super.get(name);
  }

  override getAll(name: string): string[] {
    if (this.#withheld.has(name)) this.#onLook();
    return super.getAll(name);
  }

  override has(name: string): boolean {
    return super.count(name) > 0;
  }

  override *[Symbol.iterator](): IterableIterator<[string, string]> {
    for (const [name, value] of super[Symbol.iterator]()) {
      if (this.#withheld.has(name.toLowerCase())) this.#onLook();
      yield [name, value];
    }
  }
}
