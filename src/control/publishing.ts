import { join } from 'node:path';
import type { Clock, Logger, Meter } from '../contract/index.ts';
import { InternalError } from '../errors.ts';
import type { Activation, Finding } from '../lifecycle/index.ts';
import { DiskMark, LastGood, type Store, StoreError } from '../store/index.ts';
import type { AdminDeps } from './admin/index.ts';
import type { DocumentSources } from './document-sources.ts';
import { type FirstRevision, publishFirst } from './first-revision.ts';
import type { ListsInService } from './live/feeds.ts';
import type { NodeStatus, NodeWatch } from './nodes/index.ts';
import { isSameBundle, type OfferedBundle } from './offered-bundle.ts';
import { Publisher, type PublishRequest, type PublishResult } from './publisher.ts';
import { Reload } from './reload.ts';
import { RevisionRecord } from './revision-record.ts';
import type { ReplayerDeps, RolloutDesk, Rollouts, RolloutsDeps } from './rollouts/index.ts';

export interface PublishingDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly meter: Meter;
  readonly activation: Activation<OfferedBundle>;
  /** The document on disk, or a folder of documents. */
  readonly config: string;
  /** Folder of what is kept beside the store. */
  readonly data: string;
  /** Undefined while there is no usable store. */
  readonly store: () => Store | undefined;
  /** Told which lists are needed from now on. */
  readonly follow: (lists: ListsInService) => void;
}

export interface RolloutParts extends Pick<RolloutsDeps, 'figures' | 'newId'> {
  readonly replay: ReplayerDeps;
  /** The place of this node among those that have its store; undefined where it has its own. */
  readonly node: Pick<NodeWatch, 'beat' | 'id' | 'run'> | undefined;
}

/** All ways of a document into service: the start, the disk, callers of the API, and those that take longer. */
export class Publishing {
  readonly publisher: Publisher<OfferedBundle>;
  readonly #deps: PublishingDeps;
  readonly #lastGood: LastGood;
  readonly #diskMark: DiskMark;
  readonly #record: RevisionRecord<OfferedBundle>;
  #reload: Reload | undefined;
  #rollouts: Rollouts | undefined;

  constructor(deps: PublishingDeps) {
    this.#deps = deps;
    this.#lastGood = new LastGood(join(deps.data, 'last-good.json'));
    this.#diskMark = new DiskMark(join(deps.data, 'disk-document.json'));
    this.#record = new RevisionRecord({
      clock: deps.clock,
      lastGood: this.#lastGood,
      diskMark: this.#diskMark,
      store: async () => deps.store(),
    });
    this.publisher = new Publisher({
      ...deps,
      isSame: isSameBundle,
      diversion: () => this.#rollouts?.diversion,
      remember: (request, bundle, result) => this.#remember(request, bundle, result),
    });
  }

  /** Brings a first revision into service, then goes on with what was under way. Throws ConfigError. */
  async start(sources: DocumentSources, { replay, node, ...more }: RolloutParts): Promise<FirstRevision> {
    const { activation, config } = this.#deps;
    const parts = { ...this.#deps, publisher: this.publisher, sources };
    const kept = { lastGood: this.#lastGood, diskMark: this.#diskMark };
    const first = await publishFirst({ ...parts, ...kept, isShared: node !== undefined });
    // No start waits for what nobody asks of before there is traffic.
    const { createReplayer, Rollouts } = await import('./rollouts/index.ts');
    const publish: RolloutsDeps['publish'] = (request) => this.publisher.publish(request);
    const onChange = () => this.#onRollout();
    const fleet = node === undefined ? undefined : this.#fleetOf(node);
    const ways = { replay: createReplayer(replay), publish, onChange, fleet };
    const rollouts = new Rollouts({ ...parts, ...more, ...ways });
    this.#rollouts = rollouts;
    if (activation.active !== undefined) rollouts.desk.remember(activation.active);
    const watch = { ...parts, active: () => activation.active, isBusy: () => rollouts.isOpen };
    this.#reload = await Reload.start({ ...watch, path: config });
    await this.#reload.follow();
    await rollouts.takeUp();
    return first;
  }

  /** Brings to the store what it could not take. Rejects with StoreError. */
  catchUp(): Promise<void> {
    return this.#record.catchUp();
  }

  /** What all nodes of a store share has changed, or may have. */
  notice(): void {
    this.#rollouts?.notice();
  }

  /** What this node could not do of that; undefined for a node alone. */
  get followed(): Pick<NodeStatus, 'refused' | 'settled'> | undefined {
    return this.#rollouts?.followed;
  }

  #fleetOf(node: Pick<NodeWatch, 'beat' | 'id' | 'run'>): RolloutsDeps['fleet'] {
    return {
      run: node.run,
      nodeId: () => node.id,
      beat: () => void node.beat(),
      isBehind: () => this.#record.isBehind,
    };
  }

  /** Offers the document on disk again. */
  reload(): void {
    this.#reload?.fromDisk('signal');
  }

  /** Those who look after rollouts. Only after the start. */
  get rollouts(): RolloutDesk<OfferedBundle> {
    if (this.#rollouts === undefined) throw new InternalError('rollouts are asked for before the start');
    return this.#rollouts.desk;
  }

  /** What the admin API offers documents through. */
  offers(sources: DocumentSources): AdminDeps['publisher'] {
    const { publisher } = this;
    return {
      publish: async ({ text, ...offer }) => {
        let findings: readonly Finding[] = [];
        const load = async (): Promise<OfferedBundle> => {
          const bundle = await sources.fromText(text);
          findings = bundle.findings ?? [];
          return bundle;
        };
        const publish = () => publisher.publish({ origin: 'api', ...offer, load });
        return { ...(await this.#acknowledged(publish)), findings };
      },
      get activatedAtMs() {
        return publisher.activatedAtMs;
      },
      get refusal() {
        return publisher.refusal;
      },
    };
  }

  /** What is acknowledged is in the store. Rejects with StoreError where it cannot be. */
  async #acknowledged(publish: () => Promise<PublishResult>): Promise<PublishResult> {
    const store = this.#deps.store();
    if (store === undefined) throw new StoreError('unavailable', 'there is no usable store');
    await store.active();
    const result = await publish();
    if (result.outcome !== 'activated' || !this.#record.isBehind) return result;
    throw new StoreError('unavailable', 'the revision is served, and the store does not have it yet');
  }

  /** Others go on with what this node drives. */
  async leave(): Promise<void> {
    await this.#rollouts?.leave();
  }

  async close(): Promise<void> {
    this.#reload?.close();
    await this.#rollouts?.close();
  }

  async #remember(
    request: PublishRequest<OfferedBundle>,
    bundle: OfferedBundle | undefined,
    result: PublishResult,
  ): Promise<void> {
    if (result.outcome === 'activated') await this.#reload?.follow();
    this.#tellFindings(bundle, result);
    await this.#rollouts?.onPublished(result);
    this.#follow();
    await this.#record.keep(request, bundle, result);
  }

  /** Who changes the document on disk looks into the log. */
  #tellFindings(bundle: OfferedBundle | undefined, { outcome }: PublishResult): void {
    const findings = bundle?.findings?.filter(({ severity }) => severity !== 'note') ?? [];
    if (findings.length === 0 || (outcome !== 'activated' && outcome !== 'rollout')) return;
    this.#deps.log.warn('revision-findings', { revision: bundle?.revision, findings });
  }

  #onRollout(): void {
    this.#follow();
    if (this.#rollouts?.isOpen === false) this.#reload?.offerAgain();
  }

  #follow(): void {
    const lists = this.#rollouts?.lists() ?? this.#deps.activation.active?.lists;
    this.#deps.follow(lists ?? { feeds: [], inline: {}, proxies: [] });
  }
}
