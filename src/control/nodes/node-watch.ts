import type { Clock, Logger, Meter } from '../../contract/index.ts';
import {
  type NodeIdentity,
  type NodeRow,
  type Store,
  type StoredNode,
  StoreError,
} from '../../store/index.ts';
import { type NodeListener, type NodeStatus, stateOf } from './node-status.ts';
import { NODE_STATES, type NodeView, viewOf } from './node-view.ts';

export interface NodeWatchDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
  readonly identity: Pick<NodeIdentity, 'id' | 'renew'>;
  /** Of this start of the program: nobody else has it. */
  readonly run: string;
  readonly name: string;
  readonly version: string;
  /** Undefined while there is no usable store. */
  readonly store: () => Store | undefined;
  /** How this node is now. */
  readonly status: () => Omit<NodeStatus, 'listeners'>;
  /** Where it listens. */
  readonly listeners: () => Promise<readonly NodeListener[]>;
  /** Runs `work` every `everyMs` until what it gives is called. */
  readonly repeat: (work: () => void, everyMs: number) => () => void;
}

/** What is known of all nodes. */
export interface NodeList {
  /** The id of this one. */
  readonly self: string;
  /** What the store says is active; undefined before the first, and while it is not known. */
  readonly active: string | undefined;
  /** Whether the store was read just now; otherwise what it said last, and how this node is. */
  readonly isComplete: boolean;
  readonly nodes: readonly NodeView[];
}

const BEAT_MS = 2000;
/** What a node was is forgotten a day after it was last heard of. */
const FORGET_MS = 86_400_000;
const PRUNE_MS = 3_600_000;
/** The end of the program waits no longer for a store that does not answer. */
const LEAVE_MS = 500;

/** Says how this node is, every other second, and hears how the others are. Nothing waits for it. */
export class NodeWatch {
  readonly #deps: NodeWatchDeps;
  readonly #startedAt: number;
  #listeners: readonly NodeListener[] = [];
  /** What the listeners were asked for last. */
  #listenersOf: string | undefined;
  #hasJoined = false;
  #known: readonly NodeView[] = [];
  #active: string | undefined;
  #isComplete = false;
  /** Those that were missed and told of. */
  #lost = new Set<string>();
  #beating: Promise<void> | undefined;
  #prunedAtMs = Number.NEGATIVE_INFINITY;
  #stop: () => void = () => {};
  #hasEnded = false;

  constructor(deps: NodeWatchDeps) {
    this.#deps = deps;
    this.#startedAt = deps.clock.now();
  }

  /** Of this start of the program. */
  get run(): string {
    return this.#deps.run;
  }

  get id(): string {
    return this.#deps.identity.id;
  }

  /** From now on it is heard of. */
  start(): void {
    this.#stop = this.#deps.repeat(() => void this.beat(), BEAT_MS);
    void this.beat();
  }

  /** What is known of all nodes, this one as it is now. */
  async list(): Promise<NodeList> {
    await this.beat();
    const { id: self } = this.#deps.identity;
    const isComplete = this.#isComplete;
    const active = isComplete ? this.#active : undefined;
    return { self, active, isComplete, nodes: isComplete ? this.#known : this.#guessed() };
  }

  /** Says how this node is, and hears of the others; once at a time. Never rejects. */
  beat(): Promise<void> {
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = undefined;
    });
    return this.#beating;
  }

  /** It goes on purpose: nobody is to miss it. */
  async close(): Promise<void> {
    this.#hasEnded = true;
    this.#stop();
    const { identity, run, store } = this.#deps;
    const left = this.#hasJoined ? store()?.nodes.leave(identity.id, run) : undefined;
    const enough = new Promise<void>((resolve) => setTimeout(resolve, LEAVE_MS).unref());
    await Promise.race([left?.catch(() => {}), enough]);
  }

  async #beat(): Promise<void> {
    const store = this.#deps.store();
    try {
      if (store === undefined || this.#hasEnded)
        throw new StoreError('unavailable', 'there is no usable store');
      this.#askListeners();
      await this.#report(store);
      const [rows, active] = await Promise.all([store.nodes.list(), store.active()]);
      this.#hear(rows, active?.id);
      await this.#prune(store);
    } catch (error) {
      // A store that is lost is told of by its health.
      if (!(error instanceof StoreError)) this.#deps.log.error('nodes-not-known', { error });
      this.#isComplete = false;
      this.#measure(this.#guessed());
    }
  }

  async #report({ nodes }: Store): Promise<void> {
    if (!this.#hasJoined) await nodes.join(this.#row());
    else if (!(await nodes.report(this.#row()))) {
      const before = this.#deps.identity.id;
      const id = this.#deps.identity.renew();
      this.#deps.log.warn('node-id-taken', { before, id });
      await nodes.join(this.#row());
    }
    this.#hasJoined = true;
  }

  #row(): NodeRow {
    const { identity, run, name, version } = this.#deps;
    return {
      id: identity.id,
      run,
      name,
      version,
      startedAt: this.#startedAt,
      state: stateOf(this.#status()),
    };
  }

  #status(): NodeStatus {
    return { ...this.#deps.status(), listeners: this.#listeners };
  }

  /** They change with what is served. A worker that does not answer is not waited for. */
  #askListeners(): void {
    const { revision } = this.#deps.status();
    if (revision === this.#listenersOf && this.#listeners.length > 0) return;
    this.#listenersOf = revision;
    this.#deps.listeners().then(
      (listeners) => {
        this.#listeners = listeners;
      },
      () => {},
    );
  }

  #hear(rows: readonly StoredNode[], active: string | undefined): void {
    const nodes = rows.map((row) => viewOf(row, active));
    const before = new Map(this.#known.map((node) => [node.id, node]));
    for (const node of nodes) this.#tell(node, before.get(node.id));
    for (const { id, name } of this.#known) {
      if (nodes.some((node) => node.id === id) || this.#lost.delete(id)) continue;
      this.#deps.log.info('node-left', { node: id, name });
    }
    this.#known = nodes;
    this.#active = active;
    this.#isComplete = true;
    this.#measure(nodes);
  }

  /** Of those that were lost before this program began nothing is told. */
  #tell(node: NodeView, before: NodeView | undefined): void {
    const { log, identity } = this.#deps;
    const { id, name, silentMs } = node;
    if (id === identity.id) return;
    const facts = { node: id, name };
    if (node.state === 'lost') {
      if (before !== undefined && !this.#lost.has(id)) log.error('node-lost', { ...facts, silentMs });
      this.#lost.add(id);
    } else if (this.#lost.delete(id)) log.info('node-back', facts);
    else if (before === undefined && this.#isComplete) log.info('node-joined', facts);
  }

  #measure(nodes: readonly Pick<NodeView, 'state'>[]): void {
    for (const state of NODE_STATES) {
      const count = nodes.filter((node) => node.state === state).length;
      this.#deps.meter.gauge('sallyport_nodes', { state }).set(count);
    }
  }

  /** What is left to say without the store. */
  #guessed(): readonly NodeView[] {
    const { id, name, version, startedAt } = this.#row();
    const others = this.#known.filter((node) => node.id !== id);
    return [
      { id, name, version, startedAt, silentMs: 0, status: this.#status(), state: 'cut-off' },
      ...others.map((node): NodeView => ({ ...node, state: 'unknown' })),
    ];
  }

  async #prune({ nodes }: Store): Promise<void> {
    const nowMs = this.#deps.clock.monotonic();
    if (nowMs - this.#prunedAtMs < PRUNE_MS) return;
    this.#prunedAtMs = nowMs;
    await nodes.prune(FORGET_MS);
  }
}
