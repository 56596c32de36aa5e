import type { NodeFigures, NodeRow, NodeTable, StoredNode } from './node-table.ts';
import { StoreError } from './store.ts';

/**
 * The nodes of the embedded store, which one program has at a time: what it says of itself ends with it, and a disk that
 * is written to every other second for it would be worn for nothing.
 */
export class MemoryNodes implements NodeTable {
  readonly #rows = new Map<string, { readonly node: string; readonly run: string; readonly atMs: number }>();
  readonly #figures = new Map<string, { readonly run: string; readonly figures: string }>();
  readonly #nowMs: () => number;
  #isClosed = false;

  /** `nowMs`: of a clock that only goes forward. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  async join(node: NodeRow): Promise<void> {
    this.#assertOpen();
    if (this.#rows.get(node.id)?.run !== node.run) this.#figures.delete(node.id);
    this.#rows.set(node.id, { node: JSON.stringify(node), run: node.run, atMs: this.#nowMs() });
  }

  async report(node: NodeRow): Promise<boolean> {
    this.#assertOpen();
    const known = this.#rows.get(node.id);
    if (known !== undefined && known.run !== node.run) return false;
    await this.join(node);
    return true;
  }

  async putFigures(id: string, run: string, figures: object | undefined): Promise<void> {
    this.#assertOpen();
    if (this.#rows.get(id)?.run !== run) return;
    if (figures === undefined) this.#figures.delete(id);
    else this.#figures.set(id, { run, figures: JSON.stringify(figures) });
  }

  async figures(): Promise<readonly NodeFigures[]> {
    this.#assertOpen();
    return [...this.#figures].map(([id, { run, figures }]) => ({ id, run, figures: JSON.parse(figures) }));
  }

  async leave(id: string, run: string): Promise<void> {
    this.#assertOpen();
    if (this.#rows.get(id)?.run === run) this.#forget(id);
  }

  async list(): Promise<readonly StoredNode[]> {
    this.#assertOpen();
    const nodes = [...this.#rows.values()].map(({ node, atMs }): StoredNode => {
      return { ...JSON.parse(node), silentMs: Math.round(this.#nowMs() - atMs) };
    });
    return nodes.sort((one, other) => order(one.name, other.name) || order(one.id, other.id));
  }

  async prune(silentMs: number): Promise<number> {
    this.#assertOpen();
    const gone = [...this.#rows].filter(([, { atMs }]) => this.#nowMs() - atMs >= silentMs);
    for (const [id] of gone) this.#forget(id);
    return gone.length;
  }

  close(): void {
    this.#isClosed = true;
  }

  #forget(id: string): void {
    this.#rows.delete(id);
    this.#figures.delete(id);
  }

  #assertOpen(): void {
    if (this.#isClosed) throw new StoreError('closed', 'the store is closed');
  }
}

const order = (one: string, other: string): number => (one < other ? -1 : Number(one > other));
