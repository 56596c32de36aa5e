/** Wires the rooms of the control side around the worker threads. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import {
  addDemoKey,
  bannerText,
  demoRequest,
  type HostPort,
  packageVersion,
  type RunOptions,
  startDemoUpstream,
} from './cli/index.ts';
import {
  AddressControl,
  type AdminDeps,
  type Callers,
  createAdminServer,
  type DocumentSources,
  documentFolder,
  ExplainDesk,
  type FirstRevision,
  isLoopback,
  loadAdminToken,
  NodeStore,
  type NodeWatch,
  type OfferedBundle,
  obeySignals,
  openCallers,
  openDocumentSources,
  openNodes,
  openQuotas,
  Publishing,
  type QuotaDesk,
  Recordings,
  type ReplaySetup,
  type ReplayThread,
  type RolloutParts,
  readinessOf,
  refuseTaken,
  type Thread,
  WorkerPool,
} from './control/index.ts';
import { releaseMemory } from './lib/release-memory.ts';
import { createSystemRandom, systemClock } from './lib/system.ts';
import { Activation } from './lifecycle/index.ts';
import {
  createLogger,
  createMeter,
  createProcessMetrics,
  createTableMetrics,
  exposition,
  MetricTotals,
  processFacts,
  stderrWriter,
} from './observability/index.ts';
import { createNetwork } from './outbound/index.ts';
import {
  type CredentialTable,
  LiveState,
  type SharedCounters,
  type StoreSettings,
  storeAddressText,
} from './state/index.ts';
import {
  KeptRevocations,
  lockDirectory,
  type PostgresSettings,
  StoreError,
  type StoreState,
} from './store/index.ts';

/** Often enough that a worker that dies takes little of the counts with it. */
const COLLECT_INTERVAL_MS = 1000;

/** Who starts threads. */
interface Threads {
  readonly worker: (threadId: number) => Thread;
  readonly replay: (setup: ReplaySetup) => ReplayThread;
}

/** What all threads share, on the side that owns it. */
interface OwnedMemory {
  readonly credentials: CredentialTable;
  readonly counters: SharedCounters;
}

/**
 * Serves until the process is told to end. `shared` is where counters are shared, `postgres` the store. Resolves when it serves; throws
 * ConfigError when it cannot.
 */
export async function serve(
  options: RunOptions,
  memory: OwnedMemory,
  threads: Threads,
  shared: StoreSettings | undefined,
  postgres: PostgresSettings | undefined,
): Promise<void> {
  const gateway = new Gateway(options, memory, threads, shared);
  try {
    await gateway.start(postgres);
  } catch (error) {
    await gateway.close(0);
    throw error;
  }
}

class Gateway {
  readonly #options: RunOptions;
  readonly #threads: Threads;
  readonly #shared: StoreSettings | undefined;
  readonly #memory: OwnedMemory;
  readonly #log = createLogger({ write: stderrWriter(), clock: systemClock });
  readonly #meter = createMeter();
  readonly #totals = new MetricTotals();
  readonly #pool: WorkerPool<OfferedBundle>;
  readonly #publishing: Publishing;
  readonly #activation = new Activation<OfferedBundle>();
  /** As the tests of a document see it: a list that was never loaded is without entries there. */
  readonly #live = new LiveState(undefined, 'empty');
  readonly #addresses: AddressControl;
  readonly #updateProcessMetrics = createProcessMetrics(this.#meter, processFacts());
  readonly #updateTableMetrics = createTableMetrics(this.#meter, () => this.#memory.counters.stats());
  /** What else is to be closed at the end, last opened first. */
  readonly #open: (() => unknown)[] = [];
  #node: NodeStore | undefined;
  #nodes: NodeWatch | undefined;
  #first: FirstRevision | undefined;
  #isEnding = false;
  /** What is done while the workers are still there. */
  #beforeEnd: () => Promise<void> = async () => {};
  /** What is done when they have ended, and the store is still open. */
  #afterWorkers: () => Promise<void> = async () => {};
  /** Started once all is served: no start waits for it. */
  readonly #recordings: Recordings;

  constructor(options: RunOptions, memory: OwnedMemory, threads: Threads, shared: StoreSettings | undefined) {
    this.#options = options;
    this.#threads = threads;
    this.#shared = shared;
    this.#memory = memory;
    const parts = { clock: systemClock, log: this.#log, activation: this.#activation };
    this.#pool = new WorkerPool({
      ...parts,
      totals: this.#totals,
      serving: this.#meter.gauge('sallyport_workers'),
      restarts: this.#meter.counter('sallyport_worker_restarts_total'),
      spawn: threads.worker,
      onBan: (ban) => this.#addresses.policyBans.take(ban),
      schedule: (work, delayMs) => void setTimeout(work, delayMs),
    });
    this.#addresses = new AddressControl({
      ...parts,
      random: createSystemRandom(),
      meter: this.#meter,
      network: createNetwork(),
      store: () => this.#node?.store,
      folder: documentFolder(options.config),
      version: packageVersion(),
      update: async (update, whole) => {
        this.#live.apply(update);
        await this.#pool.update(update, whole);
      },
    });
    this.#recordings = new Recordings({
      ...parts,
      store: () => this.#node?.store,
      masterKeys: this.#masterKeys,
      workers: this.#pool,
      size: this.#meter.gauge('sallyport_recording_bytes'),
    });
    this.#publishing = new Publishing({
      ...parts,
      meter: this.#meter,
      config: options.config,
      data: options.data,
      store: () => this.#node?.store,
      follow: (lists) => this.#addresses.follow(lists),
    });
  }

  async start(postgres: PostgresSettings | undefined): Promise<void> {
    const { admin, demo } = this.#options;
    obeySignals(process, systemClock, {
      end: () => void this.#end(),
      endAtOnce: (code) => process.exit(code),
      reload: () => {
        this.#publishing.reload();
        void this.#pool.reopenRecords();
      },
    });
    const workers = this.#pool.start(this.#options.workers);
    this.#lockData();
    await this.#openStore(postgres);
    await this.#addresses.start();
    this.#open.push(() => this.#addresses.close());
    const demoKey = demo === undefined ? undefined : await this.#startDemo(demo);
    if (admin !== 'off') await refuseTaken([{ path: '--admin', ...admin }]);
    const { sources, catalog } = await this.#openSources();
    const [callers, quotas] = await Promise.all([this.#openCallers(), this.#openQuotas()]);
    await workers;
    this.#open.push(() => this.#publishing.close());
    const nodes = await this.#openNodes();
    this.#first = await this.#publishing.start(sources, this.#rolloutParts(postgres && nodes));
    this.#followStore(callers);
    nodes.start();
    const desks = { callers, quotas, nodes };
    const tokenPath = admin === 'off' ? undefined : await this.#startAdmin(admin, sources, catalog, desks);
    const collect = setInterval(() => void this.#pool.collectMetrics('keep'), COLLECT_INTERVAL_MS);
    this.#open.push(() => clearInterval(collect));
    await this.#greet(sources, tokenPath, demoKey);
    this.#outliveDefects();
    this.#open.push(() => this.#recordings.close());
    // With it the last part of a start is loaded.
    void this.#recordings.desk().finally(releaseMemory);
  }

  /** The workers are threads of this process: a defect of the control side must not take them with it. */
  #outliveDefects(): void {
    const tell = (error: unknown) => this.#log.error('control-defect', { error });
    process.on('uncaughtException', tell);
    process.on('unhandledRejection', tell);
  }

  /** Lets requests end for at most `drainMs`, then closes everything. */
  async close(drainMs: number): Promise<void> {
    await Promise.all([this.#publishing.leave(), this.#nodes?.close(), this.#beforeEnd()]);
    await this.#pool.stop(drainMs);
    await this.#afterWorkers();
    for (const close of this.#open.reverse()) await close();
  }

  async #end(): Promise<void> {
    this.#isEnding = true;
    this.#log.info('ending', { drainMs: this.#options.drain });
    try {
      await this.close(this.#options.drain);
    } catch (error) {
      this.#log.error('end-failed', { error });
      process.exit(1);
    }
    this.#log.info('ended');
    process.exit(0);
  }

  #rolloutParts(node: NodeWatch | undefined): RolloutParts {
    const { data: dataDir, masterKey } = this.#options;
    const credentials = this.#memory.credentials.buffers;
    return {
      node,
      figures: () => this.#pool.trialFigures(),
      newId: () => randomBytes(8).toString('hex'),
      replay: {
        start: this.#threads.replay,
        setup: () => ({ dataDir, masterKey, credentials, lists: this.#pool.lists }),
        flush: () => this.#pool.flushRecording(),
      },
    };
  }

  async #openSources() {
    const [{ PolicyCatalog, publishedSchema }, { POLICIES }] = await Promise.all([
      import('./config/index.ts'),
      import('./policies/index.ts'),
    ]);
    const catalog = new PolicyCatalog(POLICIES);
    const sources = await openDocumentSources({
      catalog,
      path: this.#options.config,
      environment: process.env,
      clock: systemClock,
      bound: () => this.#pool.addresses(),
      served: () => this.#activation.active,
      live: this.#live,
      loadLists: (plans, badFile) => this.#addresses.feeds.offer(plans, badFile),
    });
    return { sources, catalog: { policies: POLICIES, schema: () => publishedSchema(catalog) } };
  }

  async #openCallers(): Promise<Callers> {
    const { callers, end } = await openCallers(
      {
        clock: systemClock,
        log: this.#log,
        store: () => this.#node?.store,
        table: this.#memory.credentials,
        kept: new KeptRevocations(join(this.#options.data, 'revocations.json')),
        spread: (update) => this.#pool.update(update),
        collectUses: () => this.#pool.collectUses(),
        randomBytes,
      },
      () => this.#activation.active,
      this.#masterKeys,
    );
    this.#beforeEnd = end;
    return callers;
  }

  get #masterKeys() {
    const { masterKey: references, data: dataDir } = this.#options;
    return { references, dataDir, environment: process.env, randomBytes };
  }

  async #openQuotas(): Promise<QuotaDesk> {
    const { desk, end } = await openQuotas({
      clock: systemClock,
      log: this.#log,
      store: () => this.#node?.store,
      table: this.#memory.counters,
      collectQuotas: () => this.#pool.collectQuotas(),
      notKept: this.#meter.gauge('sallyport_quotas_not_kept'),
      shared: this.#shared,
    });
    this.#afterWorkers = end;
    return desk;
  }

  /** Traffic does not need the lock: where there can be none (a read-only disk) that is told of and left alone. */
  #lockData(): void {
    const { data } = this.#options;
    try {
      const lock = lockDirectory(data);
      this.#open.push(() => lock.release());
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      this.#log.error('data-not-locked', { path: data, error });
    }
  }

  async #openStore(postgres: PostgresSettings | undefined): Promise<void> {
    const { data } = this.#options;
    const node = await NodeStore.open({
      clock: systemClock,
      log: this.#log,
      meter: this.#meter,
      data,
      postgres,
    });
    this.#node = node;
    this.#open.push(() => node.close());
  }

  /** What other nodes change, or what was missed while the store was lost, takes effect from here on. */
  #followStore(callers: Callers): void {
    this.#node?.follow({
      callers: (changes) => callers.follow(changes),
      revisions: () => this.#publishing.notice(),
      bans: () => this.#addresses.refreshBans(),
      catchUp: async () => {
        await this.#addresses.refreshBans();
        await callers.catchUp();
        await this.#publishing.catchUp();
      },
    });
  }

  /** The place of this node among those that have the same store. */
  async #openNodes(): Promise<NodeWatch> {
    const { data, nodeName: name } = this.#options;
    const parts = { clock: systemClock, log: this.#log, meter: this.#meter, random: createSystemRandom() };
    this.#nodes = await openNodes({
      ...parts,
      ...{ data, name, version: packageVersion(), store: () => this.#node?.store },
      ...{ activation: this.#activation, pool: this.#pool, publisher: this.#publishing.publisher },
      ...{ storeState: () => this.#storeState, followed: () => this.#publishing.followed },
    });
    return this.#nodes;
  }

  get #storeState(): StoreState {
    return this.#node?.state ?? 'unavailable';
  }

  async #startDemo(address: HostPort): Promise<string | undefined> {
    const { config } = this.#options;
    const key = addDemoKey(config, documentFolder(config));
    const upstream = await startDemoUpstream(address);
    this.#open.push(() => upstream.close());
    return key;
  }

  async #startAdmin(
    { host, port }: HostPort,
    sources: DocumentSources,
    catalog: { policies: AdminDeps['policies']; schema: AdminDeps['documentSchema'] },
    desks: { callers: Callers; quotas: QuotaDesk; nodes: NodeWatch },
  ): Promise<string> {
    const token = loadAdminToken(this.#options.data, randomBytes);
    const app = await createAdminServer({
      version: packageVersion(),
      clock: systemClock,
      random: createSystemRandom(),
      log: this.#log,
      token,
      host,
      allowedHosts: this.#options.adminName,
      publisher: this.#publishing.offers(sources),
      rollouts: () => this.#publishing.rollouts,
      store: () => this.#node?.store,
      ...desks,
      metrics: () => this.#metrics(),
      workers: () => this.#pool.status(),
      recordings: () => this.#recordings.desk(),
      explain: new ExplainDesk({
        clock: systemClock,
        find: async (requestId) => (await this.#recordings.desk()).find(requestId),
        active: () => this.#activation.active,
        compile: (bundle) => sources.compiled(bundle),
      }),
      bans: this.#addresses.bans,
      lists: this.#addresses.feeds,
      restartWorker: (id) => this.#pool.replace(id, this.#options.drain),
      readiness: () => this.#readiness(),
      sharedState: () => this.#sharedState(),
      storeState: () => this.#storeState,
      policies: catalog.policies,
      documentSchema: catalog.schema,
    });
    await app.listen({ host, port });
    this.#open.push(() => app.close());
    return token.path;
  }

  #readiness(): ReturnType<AdminDeps['readiness']> {
    return readinessOf({
      isServing: this.#pool.status().some((w) => w.state === 'serving'),
      isEnding: this.#isEnding,
      revision: this.#activation.active?.revision,
      publisher: this.#publishing.publisher,
      first: this.#first,
      sharedState: this.#sharedState(),
      storeState: this.#storeState,
    });
  }

  #sharedState(): 'up' | 'lost' | undefined {
    if (this.#shared === undefined) return undefined;
    const samples = this.#totals.merged().find(({ name }) => name === 'sallyport_state_up');
    return samples === undefined || samples.values[0] === 1 ? 'up' : 'lost';
  }

  async #metrics(): Promise<string> {
    await this.#pool.collectMetrics('scrape');
    this.#updateProcessMetrics();
    this.#updateTableMetrics();
    this.#addresses.feeds.measure();
    const revision = this.#activation.active?.revision;
    if (revision !== undefined) this.#meter.gauge('sallyport_config_info', { revision }).set(1);
    this.#totals.update('control', this.#meter.snapshot());
    return exposition(this.#totals.merged());
  }

  /** Stdout is for records where they go there. */
  async #greet(
    sources: DocumentSources,
    tokenPath: string | undefined,
    demoKey: string | undefined,
  ): Promise<void> {
    const { admin, config, records, workers } = this.#options;
    const bound = await this.#pool.addresses();
    const first = this.#first;
    const issues = this.#publishing.publisher.refusal?.issues ?? [];
    const { tlsListeners } = sources;
    const worksWithKey = demoKey !== undefined && (await sources.letsOn(demoRequest('127.0.0.1')));
    const text = bannerText({
      gateways: bound.map((b) => ({ ...b, scheme: tlsListeners.has(b.listener) ? 'https' : 'http' })),
      admin: admin === 'off' ? undefined : { ...admin, isExposed: !isLoopback(admin.host) },
      tokenPath,
      records,
      store: this.#node?.address,
      counters: this.#shared === undefined ? undefined : storeAddressText(this.#shared),
      demoKey: worksWithKey ? demoKey : undefined,
      revision: first?.revision ?? '',
      workers,
      replaced: first?.source === 'store' ? config : undefined,
      lastGood: first?.source === 'last-good' ? { config, issues, savedAtMs: first.savedAtMs } : undefined,
    });
    (records === 'stdout' ? process.stderr : process.stdout).write(text);
  }
}
