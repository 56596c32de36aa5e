import type { FleetSize } from './after-loss.ts';
import { numbersOf } from './charge-words.ts';
import type { ScriptStore } from './script-store.ts';
import { BEAT, LEAVE } from './scripts.ts';

const BEAT_MS = 1000;
/** Who has not been heard of for so long is gone. */
const LIVES_MS = 5000;
/**
 * Fewer nodes than were known are believed after so many beats: a store that comes back empty hears of them one by one. To
 * believe it would make this node's share of a limit the whole of it, and each share is counted by itself.
 */
const FEWER_AFTER_BEATS = 5;

/** Who counts in the store, as far as was heard last. */
export class Fleet implements FleetSize {
  nodes = 1;
  workers = 1;
  readonly #store: ScriptStore;
  readonly #keys: readonly [string, string];
  readonly #node: string;
  readonly #worker: string;
  /** Beats in a row that heard of fewer nodes than are known, and the most of these. */
  #fewerBeats = 0;
  #mostOfFewer = 1;
  #timer: NodeJS.Timeout | undefined;

  /** `worker` is another for each thread of each node. */
  constructor(store: ScriptStore, keys: readonly [string, string], node: string, worker: string) {
    this.#store = store;
    this.#keys = keys;
    this.#node = node;
    this.#worker = worker;
  }

  async join(): Promise<void> {
    this.#timer = setInterval(() => void this.#beat(), BEAT_MS).unref();
    await this.#beat();
  }

  /** What is left behind lapses where this is not heard. */
  async leave(): Promise<void> {
    clearInterval(this.#timer);
    await this.#store.ask(LEAVE, [this.#keys[0]], [this.#worker], 'nobody');
  }

  async #beat(): Promise<void> {
    const answer = await this.#store.ask(BEAT, this.#keys, [LIVES_MS, this.#worker, this.#node], 'nobody');
    const numbers = numbersOf(answer, 2);
    if (numbers === undefined) return;
    const [workers, nodes] = numbers;
    this.workers = Math.max(1, workers);
    this.#hear(Math.max(1, nodes));
  }

  #hear(nodes: number): void {
    const isFewer = nodes < this.nodes;
    this.#mostOfFewer = isFewer ? Math.max(this.#mostOfFewer, nodes) : 1;
    this.#fewerBeats = isFewer ? this.#fewerBeats + 1 : 0;
    if (isFewer && this.#fewerBeats < FEWER_AFTER_BEATS) return;
    this.nodes = isFewer ? this.#mostOfFewer : nodes;
    this.#fewerBeats = 0;
    this.#mostOfFewer = 1;
  }
}
