import type {
  DocumentFiles,
  ListenerPlan,
  LiveData,
  Resources,
  Secrets,
  Snapshot,
  UpstreamPlan,
} from '../../contract/index.ts';
import { InternalError } from '../../errors.ts';
import { makePipeline } from '../../evaluator/index.ts';
import { offlineResources } from '../../outbound/index.ts';
import { LiveState } from '../../state/index.ts';
import { readAttachment } from '../attachment-spec.ts';
import { type BinaryFiles, NO_BINARIES } from '../binary-files.ts';
import type { PolicyCatalog } from '../catalog.ts';
import { buildConsumers } from '../consumers.ts';
import { explain } from '../explain.ts';
import { IssueList } from '../issues.ts';
import { listOf, memberOf, textOf } from '../json-shape.ts';
import { Pacer } from '../pacer.ts';
import type { PolicyCache } from '../policy-cache.ts';
import { checkReferences } from '../references.ts';
import { ConsumerSchema } from '../schema/consumer.ts';
import { type ConsumerConfig, type GatewayDocument, StructureSchema } from '../schema/document.ts';
import { AttachmentCompiler, type PlacedAttachment } from './attachments.ts';
import { checkFacts } from './facts.ts';
import { compileListener } from './listener.ts';
import { compileOverload } from './overload.ts';
import { compileRecording } from './recording.ts';
import { compileRollout } from './rollout.ts';
import { type CompiledRoute, checkPaths, routerOf } from './routes.ts';
import { surroundingsOf } from './surroundings.ts';
import { compileUpstream } from './upstream.ts';
import { World } from './world.ts';

/** What a compile is given. */
export interface SnapshotDeps {
  readonly catalog: PolicyCatalog;
  /** Compiled policies shared by the snapshots of this thread. */
  readonly cache: PolicyCache;
  readonly files: DocumentFiles;
  readonly secrets: Secrets;
  /** Databases. Without it there are none. */
  readonly binaries?: BinaryFiles;
  /** Asked at the end, when every file the document names was read. */
  readonly revision: () => string;
  /** Known hashes of files by name, so that large files are not hashed again. */
  readonly fileHashes?: Readonly<Record<string, string>>;
  readonly pacer?: Pacer;
  /** What policies share on this thread; without it nothing happens by itself and nobody is asked. */
  readonly resources?: Resources;
  /** Without it there are no bans, no revocations, and no list has content. */
  readonly live?: LiveData;
}

/**
 * Compiles a document for serving. Throws ConfigError with every fault; nothing of a failed compile stays.
 * Gives the event loop its turns, since it runs beside traffic.
 */
export async function compile(document: unknown, deps: SnapshotDeps): Promise<Snapshot> {
  const issues = new IssueList();
  checkReferences(document, issues);
  const compiler = new DocumentCompiler(document, deps, issues);
  try {
    const snapshot = await compiler.run();
    issues.throwIfAny();
    if (snapshot === undefined) throw new InternalError('a document failed without an issue');
    return snapshot;
  } catch (error) {
    await compiler.release();
    throw error;
  }
}

class DocumentCompiler {
  readonly #document: unknown;
  readonly #deps: SnapshotDeps;
  readonly #issues: IssueList;
  readonly #pacer: Pacer;
  readonly #attachments: AttachmentCompiler;

  constructor(document: unknown, deps: SnapshotDeps, issues: IssueList) {
    const { catalog, cache, files, secrets } = deps;
    this.#document = document;
    this.#deps = deps;
    this.#issues = issues;
    this.#pacer = deps.pacer ?? new Pacer();
    const live = deps.live ?? new LiveState();
    const groups = readGroups(document);
    const consumers = buildConsumers(
      readConsumers(document, catalog),
      groups,
      { secrets, files },
      live,
      issues,
    );
    const resources = deps.resources ?? offlineResources();
    const binaries = deps.binaries ?? NO_BINARIES;
    const around = surroundingsOf(document, { catalog, live, resources, secrets, binaries }, issues);
    const world = new World(files, secrets, consumers, around, deps.fileHashes ?? {});
    this.#attachments = new AttachmentCompiler(catalog, cache, world, this.#pacer, issues);
  }

  async run(): Promise<Snapshot | undefined> {
    const document = this.#document;
    const isSound = this.#deps.catalog.isDocument(document);
    if (this.#pacer.isDue) await this.#pacer.breathe();
    if (isSound) return this.#snapshot(document);
    await this.#compileAttachmentsOf(document);
    explain(StructureSchema, document, [], this.#issues);
    return undefined;
  }

  release(): Promise<void> {
    return this.#attachments.release();
  }

  async #snapshot(document: GatewayDocument): Promise<Snapshot> {
    const routes = await this.#routes(document);
    const listeners: ListenerPlan[] = [];
    const placed: PlacedAttachment[] = routes.flatMap((route) => route.attachments);
    for (const [i, config] of document.listeners.entries()) {
      const path = ['listeners', i];
      const place = { kind: 'listener', name: config.name, path: [...path, 'policies'] } as const;
      const before = await this.#attachments.compile(config.policies ?? [], place);
      placed.push(...before);
      listeners.push(await this.#listener(config, path, before, routes));
    }
    const upstreams = this.#upstreams(document);
    const overload = compileOverload(document.overload, this.#issues);
    compileRollout(document, this.#issues);
    const attachments = placed.map((p) => p.attachment);
    const recording = compileRecording(document.recording, attachments, this.#issues);
    this.#issues.throwIfAny();
    return Object.freeze({
      revision: this.#deps.revision(),
      listeners,
      upstreams,
      overload,
      recording,
      attachments,
      dispose: () => this.release(),
    });
  }

  async #routes(document: GatewayDocument): Promise<readonly CompiledRoute[]> {
    const routes: CompiledRoute[] = [];
    for (const [i, config] of (document.routes ?? []).entries()) {
      if (this.#pacer.isDue) await this.#pacer.breathe();
      const path = ['routes', i];
      const place = { kind: 'route', name: config.name, path: [...path, 'policies'] } as const;
      const attachments = await this.#attachments.compile(config.policies ?? [], place);
      if (checkPaths(config, path, this.#issues)) routes.push({ config, path, attachments });
    }
    return routes;
  }

  async #listener(
    config: GatewayDocument['listeners'][number],
    path: readonly (string | number)[],
    before: readonly PlacedAttachment[],
    routes: readonly CompiledRoute[],
  ): Promise<ListenerPlan> {
    const { catalog, files, secrets } = this.#deps;
    checkFacts(before, `listener "${config.name}"`, catalog, this.#issues);
    return Object.freeze({
      ...compileListener(config, path, files, secrets, this.#issues),
      pipeline: makePipeline(before.map((p) => p.attachment)),
      router: await routerOf(config.name, before, routes, catalog, this.#issues, this.#pacer),
    });
  }

  #upstreams(document: GatewayDocument): ReadonlyMap<string, UpstreamPlan> {
    const plans = new Map<string, UpstreamPlan>();
    for (const [name, config] of Object.entries(document.upstreams ?? {})) {
      const path = ['upstreams', name];
      plans.set(name, compileUpstream(name, config, path, this.#deps.files, this.#issues));
    }
    return plans;
  }

  /** For a document of unsound structure: its policies are compiled all the same, to tell their faults too. */
  async #compileAttachmentsOf(document: unknown): Promise<void> {
    const { catalog } = this.#deps;
    // With consumers missing, a policy that names one would be told of as faulty and is not.
    const canCompile = !readConsumers(document, catalog).includes(undefined);
    for (const kind of ['listener', 'route'] as const) {
      for (const [i, item] of listOf(memberOf(document, `${kind}s`)).entries()) {
        const path = [`${kind}s`, i, 'policies'];
        const name = textOf(memberOf(item, 'name')) ?? `${i}`;
        const policies = listOf(memberOf(item, 'policies'));
        if (canCompile) await this.#attachments.compile(policies, { kind, name, path });
        else for (const [j, p] of policies.entries()) readAttachment(p, [...path, j], catalog, this.#issues);
      }
    }
  }
}

/** The consumers, each at its place; undefined for one that cannot be read, which the structure's own issues tell. */
function readConsumers(document: unknown, catalog: PolicyCatalog): readonly (ConsumerConfig | undefined)[] {
  const consumers = listOf(memberOf(document, 'consumers'));
  return consumers.map((c) => (catalog.is(ConsumerSchema, c) ? c : undefined));
}

const readGroups = (document: unknown): readonly string[] =>
  listOf(memberOf(document, 'groups')).filter((group) => typeof group === 'string');
