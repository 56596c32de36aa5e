import type { Clock } from '../../contract/index.ts';
import type { ConfigIssue, ErrorCode } from '../../errors.ts';
import { evidenceHash, isOpen, type Rollout, type RolloutEvent } from '../../lifecycle/index.ts';
import { type Page, type Store, StoreError } from '../../store/index.ts';
import type { StoredTexts } from '../document-sources.ts';
import type { PublishRequest, PublishResult } from '../publisher.ts';
import type { RolloutBundle } from './ports.ts';
import { predecessorOf } from './predecessor.ts';
import type { DispatchRefusal, RolloutRunner, RolloutView } from './runner.ts';
import { rolloutIn } from './stored-rollout.ts';

/** What somebody asked of a rollout is not done. The message is public. */
export class RolloutError extends Error {
  override readonly name = 'RolloutError';
  readonly code: ErrorCode;
  readonly issues: readonly ConfigIssue[] | undefined;

  constructor(code: ErrorCode, message: string, issues?: readonly ConfigIssue[]) {
    super(message);
    this.code = code;
    this.issues = issues;
  }
}

/** Who asks, and why. */
export interface Asked {
  readonly actor: string;
  readonly reason: string;
}

/** A rollout as it is shown. */
export interface ShownRollout extends RolloutView {
  /** Its place in the list; undefined while it has none. */
  readonly number: number | undefined;
  /** What an approval has to name; undefined where none is asked for. */
  readonly evidence: string | undefined;
}

/** What was done: a rollout was ended, or another revision is live by now. */
export type RollbackResult =
  | { readonly outcome: 'aborted'; readonly rollout: string }
  | {
      readonly outcome: 'activated' | 'unchanged';
      readonly revision: string;
      readonly aborted: string | undefined;
    };

export interface DeskDeps<B extends RolloutBundle> {
  readonly clock: Clock;
  readonly store: () => Store | undefined;
  readonly runner: Pick<RolloutRunner<B>, 'dispatch' | 'open' | 'subscribe' | 'view'>;
  readonly active: () => B | undefined;
  /** `Publisher.publish`. */
  readonly publish: (request: PublishRequest<B>) => Promise<PublishResult>;
  /** Checks what is kept of a revision anew. Throws ConfigError. */
  readonly recompile: (texts: StoredTexts) => Promise<B>;
}

/** So many revisions can be gone back to without the store. */
const REMEMBERED = 3;
const LATEST = Object.freeze({ limit: 1000 });

/** What people do with rollouts. */
export class RolloutDesk<B extends RolloutBundle> {
  readonly #deps: DeskDeps<B>;
  /** What was live in this process, the latest last. */
  #live: { readonly id: string; readonly document: string; readonly files: B['files'] }[] = [];

  constructor(deps: DeskDeps<B>) {
    this.#deps = deps;
  }

  /** Remembers what is live, for a rollback without the store. */
  remember({ revision: id, text: document, files }: B): void {
    if (this.#live.at(-1)?.id === id) return;
    this.#live = [...this.#live, { id, document, files }].slice(-REMEMBERED);
  }

  /** Tells of every change until what it gives is called. */
  subscribe(listener: () => void): () => void {
    return this.#deps.runner.subscribe(listener);
  }

  /** The rollout under way or, where none is, the latest; undefined before the first. */
  async current(): Promise<ShownRollout | undefined> {
    const { view } = this.#deps.runner;
    if (view !== undefined) return shown(view, undefined);
    const [latest] = await this.list({ limit: 1 });
    return latest;
  }

  /** @throws RolloutError `not-found` */
  async get(id: string): Promise<ShownRollout> {
    const { view } = this.#deps.runner;
    if (view?.rollout.id === id) return shown(view, undefined);
    const row = await this.#store().rollouts.get(id);
    if (row === undefined) throw new RolloutError('not-found', 'There is no such rollout.');
    return shown(keptOnly(rolloutIn(row)), row.number);
  }

  /** Newest first. One that cannot be read is left out. */
  async list(page: Page): Promise<readonly ShownRollout[]> {
    const { view } = this.#deps.runner;
    const rows = await this.#store().rollouts.list(page);
    return rows.flatMap((row) => {
      if (row.id === view?.rollout.id) return [shown(view, row.number)];
      try {
        return [shown(keptOnly(rolloutIn(row)), row.number)];
      } catch (error) {
        if (error instanceof StoreError) return [];
        throw error;
      }
    });
  }

  approve(id: string, asked: Asked & { readonly evidence: string }): Promise<ShownRollout> {
    return this.#tell(id, { kind: 'approve', at: this.#now(), ...asked });
  }

  pause(id: string, asked: Asked): Promise<ShownRollout> {
    return this.#tell(id, { kind: 'pause', at: this.#now(), ...asked });
  }

  resume(id: string, asked: Asked): Promise<ShownRollout> {
    return this.#tell(id, { kind: 'resume', at: this.#now(), ...asked });
  }

  promote(id: string, asked: Asked & { readonly to: 'next' | 'active' }): Promise<ShownRollout> {
    return this.#tell(id, { kind: 'promote', at: this.#now(), ...asked });
  }

  abort(id: string, asked: Asked): Promise<ShownRollout> {
    return this.#tell(id, { kind: 'abort', at: this.#now(), ...asked });
  }

  /**
   * Goes back at once: ends the rollout under way or, where none is or a revision is named, brings that one into service
   * (by default the one before what is live).
   * @throws RolloutError
   */
  async rollback({
    revision,
    ...asked
  }: Asked & { readonly revision: string | undefined }): Promise<RollbackResult> {
    const { open } = this.#deps.runner;
    // Looked up first, so that nothing is ended for a revision that is not there.
    const target = revision === undefined && open !== undefined ? undefined : await this.#target(revision);
    const aborted = open === undefined ? undefined : (await this.abort(open.id, asked)).rollout.id;
    if (target === undefined) return { outcome: 'aborted', rollout: aborted ?? '' };
    const load = () => this.#deps.recompile(target);
    const result = await this.#deps.publish({ origin: 'rollback', ...asked, isDecided: true, load });
    if (result.outcome === 'activated' || result.outcome === 'unchanged') {
      return { outcome: result.outcome, revision: result.revision, aborted };
    }
    const issues = result.outcome === 'refused' ? result.issues : undefined;
    throw new RolloutError(
      'invalid-document',
      'That revision cannot be served any more; the active one is served on.',
      issues,
    );
  }

  async #target(revision: string | undefined): Promise<StoredTexts> {
    const active = this.#deps.active()?.revision;
    if (revision !== undefined && revision === active) {
      throw new RolloutError('conflict', 'That revision is active.');
    }
    const found = revision === undefined ? await this.#predecessor(active) : await this.#revision(revision);
    if (found === undefined && revision !== undefined)
      throw new RolloutError('not-found', 'There is no such revision.');
    // What is only on its way, or was refused there, would go live without anybody's approval.
    if (revision !== undefined && !(await this.#wasLive(revision)))
      throw new RolloutError('conflict', 'That revision was never live: publish it.');
    if (found !== undefined) return found;
    throw new RolloutError('conflict', 'There is no earlier revision to go back to.');
  }

  async #wasLive(revision: string): Promise<boolean> {
    if (this.#live.some(({ id }) => id === revision)) return true;
    for (let page: Page = LATEST; ; ) {
      const activations = await this.#store().listActivations(page);
      if (activations.some(({ id }) => id === revision)) return true;
      const last = activations.at(-1);
      if (last === undefined || activations.length < page.limit) return false;
      page = { ...LATEST, before: last.number };
    }
  }

  async #predecessor(active: string | undefined): Promise<StoredTexts | undefined> {
    const store = this.#deps.store();
    try {
      const id = predecessorOf((await store?.listActivations(LATEST)) ?? []);
      if (store !== undefined) return id === undefined ? undefined : await this.#revision(id);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
    return this.#live.findLast(({ id }) => id !== active);
  }

  async #revision(id: string): Promise<StoredTexts | undefined> {
    const known = this.#live.find((one) => one.id === id);
    return known ?? (await this.#store().getRevision(id));
  }

  async #tell(id: string, event: RolloutEvent): Promise<ShownRollout> {
    const { runner } = this.#deps;
    const { view } = runner;
    if (view?.rollout.id !== id) {
      await this.get(id);
      throw refusalOf('ended', undefined);
    }
    const result = await runner.dispatch(event);
    if (typeof result === 'string') throw refusalOf(result, runner.view?.rollout);
    const after = runner.view;
    if (after === undefined) throw refusalOf('changed', undefined);
    return shown(after, undefined);
  }

  #store(): Store {
    const store = this.#deps.store();
    if (store === undefined)
      throw new RolloutError('store-unavailable', 'There is no usable store; traffic is served on.');
    return store;
  }

  #now(): number {
    return this.#deps.clock.now();
  }
}

const keptOnly = (rollout: Rollout): RolloutView => ({
  rollout,
  live: undefined,
  replay: undefined,
  waitsForStore: false,
});

const shown = (view: RolloutView, number: number | undefined): ShownRollout => ({
  ...view,
  number,
  evidence:
    isOpen(view.rollout) && view.rollout.phase === 'approval' ? evidenceHash(view.rollout) : undefined,
});

const REFUSALS: Readonly<Record<DispatchRefusal, string>> = {
  ended: 'The rollout has ended.',
  'wrong-phase': 'That is not possible in the phase that the rollout is in',
  paused: 'The rollout is paused: resume it first.',
  'not-paused': 'The rollout is not paused.',
  'own-approval': 'Its author cannot approve it.',
  'already-approved': 'It was approved by the same person already.',
  'other-evidence': 'It shows something else by now than what is approved: look at it again.',
  'too-late': 'It is decided that the revision goes live: roll back once it is.',
  changed: 'The rollout was changed at the same time: look at it again.',
  unavailable: 'The store cannot keep that now, so nothing was done.',
};

function refusalOf(refusal: DispatchRefusal, rollout: Rollout | undefined): RolloutError {
  const code = refusal === 'unavailable' ? 'store-unavailable' : 'conflict';
  return new RolloutError(code, `${REFUSALS[refusal]}${refusal === 'wrong-phase' ? whereOf(rollout) : ''}`);
}

/** The phase that it is in, and what leads on from there where only people do. */
function whereOf(rollout: Rollout | undefined): string {
  if (rollout === undefined) return '.';
  const ways = ' "sallyport rollout approve" agrees to it, "sallyport rollout abort" ends it.';
  return `: ${rollout.phase}.${rollout.phase === 'approval' ? ways : ''}`;
}
