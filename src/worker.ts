/** A worker thread: the data side of the process. Serves what it is told to, and nothing before that. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Bundle, compileBundle, PolicyCache, PolicyCatalog } from './config/index.ts';
import type { LiveUpdate, Snapshot } from './contract/index.ts';
import type {
  AnswerMessage,
  AnswerValue,
  BanMessage,
  OrderMessage,
  WorkerFailure,
  WorkerOrder,
  WorkerSetup,
} from './control/index.ts';
import { ConfigError, InternalError } from './errors.ts';
import { DataPlane, type ShadowWorld } from './gateway/index.ts';
import { releaseMemory } from './lib/release-memory.ts';
import { createSystemRandom, systemClock } from './lib/system.ts';
import {
  createLagProbe,
  createLogger,
  createMeter,
  createRecordSink,
  LoadMeter,
  stderrWriter,
} from './observability/index.ts';
import { createNetwork, ResourcePool } from './outbound/index.ts';
import { POLICIES } from './policies/index.ts';
import {
  attachCredentials,
  attachInFlight,
  attachSharedCounters,
  type CounterMemory,
  CurrentBans,
  LiveState,
  noteQuotas,
  openStoreCounters,
  QuotaNotes,
} from './state/index.ts';

const setup: WorkerSetup = workerData;
if (parentPort === null) throw new InternalError('a worker is started as a thread, by the program');
const port = parentPort;

const meter = createMeter();
const log = createLogger({ write: stderrWriter(), clock: systemClock, fields: { worker: setup.threadId } });
const catalog = new PolicyCatalog(POLICIES);
const cache = new PolicyCache();
const records = createRecordSink({
  target: setup.records,
  clock: systemClock,
  written: meter.counter('sallyport_records_written_total'),
  dropped: meter.counter('sallyport_records_dropped_total'),
  log,
});
const random = createSystemRandom();
const network = createNetwork();
const live = new LiveState(attachCredentials(setup.credentials), undefined, {
  report: (imposed) => port.postMessage({ imposed } satisfies BanMessage),
});
const openResources = (): ResourcePool =>
  new ResourcePool({
    network,
    clock: systemClock,
    random,
    log,
    schedule(work, delayMs) {
      const timer = setTimeout(work, delayMs).unref();
      return () => clearTimeout(timer);
    },
  });
const resources = openResources();
/** Of a trial. */
let trialBundles: readonly Bundle[] = [];
/** What requests are judged by a second time shares nothing with what serves: what it asks there, it asks for itself. */
const shadowResources = openResources();
const quotaNotes = new QuotaNotes();
const memory = attachSharedCounters(setup.counters);
const shared =
  setup.store === undefined
    ? undefined
    : await openStoreCounters(setup.store, memory, `${setup.threadId}`, {
        clock: systemClock,
        random,
        meter,
        log,
      });
const load = new LoadMeter(systemClock);
load.start();
const plane = new DataPlane({
  clock: systemClock,
  random,
  state: noteQuotas(shared?.state ?? memory, quotaNotes, shared === undefined ? 'charged' : 'asked'),
  network,
  bans: live.bans,
  load,
  counts: { inFlight: attachInFlight(setup.counters), rates: memory },
  meter,
  log,
  records: setup.records === 'none' ? undefined : records,
  shadow: setup.shadowCounters === undefined ? undefined : shadowWorld(setup.shadowCounters),
});

const LAG_INTERVAL_MS = 100;
const lag = createLagProbe(meter, systemClock, LAG_INTERVAL_MS);
setInterval(() => lag.tick(), LAG_INTERVAL_MS).unref();

/** Orders are done one after the other: a revision is discarded only after its preparation has ended. */
let tail: Promise<void> = Promise.resolve();
port.on('message', ({ order, body }: OrderMessage<Bundle>) => {
  if (body.kind === 'metrics') {
    if (body.isScrape) lag.sample();
    plane.measure();
    return answer({ order, ok: true, value: meter.snapshot() });
  }
  if (body.kind === 'quotas') return answer({ order, ok: true, value: { quotas: quotaNotes.take() } });
  if (body.kind === 'uses') return answer({ order, ok: true, value: { used: plane.takeCredentialUses() } });
  if (body.kind === 'trial-report') return answer({ order, ok: true, value: { report: plane.trialReport } });
  // Emergencies wait for no preparation of a revision. Nor does a trial, lest its start comes after its end.
  if (isUrgent(body)) return void take(order, body);
  void inTurn(() => take(order, body));
});

/** For what is judged a second time. */
function shadowWorld(counters: CounterMemory): ShadowWorld {
  return {
    state: attachSharedCounters(counters),
    bans: () => new CurrentBans({ protects: (address) => live.bans.isOwn(address) }),
    // In turn: compiling holds the thread, and one at a time is enough.
    compile: (revision) => inTurn(() => compileAgain(revision)),
  };
}

async function compileAgain(revision: string): Promise<Snapshot> {
  const bundle = trialBundles.find((b) => b.revision === revision);
  if (bundle === undefined) throw new InternalError(`revision ${revision} is not tried any more`);
  // Policies remember what they counted: each revision has its own.
  return await compileBundle(bundle, {
    catalog,
    cache: new PolicyCache(),
    resources: shadowResources,
    live,
  });
}

function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const turn = tail.then(work);
  tail = turn.then(
    () => {},
    () => {},
  );
  return turn;
}

async function take(order: number, body: WorkerOrder<Bundle>): Promise<void> {
  try {
    answer({ order, ok: true, value: await obey(body) });
  } catch (error) {
    answer({ order, ok: false, failure: failureOf(error) });
  }
}

async function obey(body: WorkerOrder<Bundle>): Promise<AnswerValue> {
  switch (body.kind) {
    case 'prepare':
      await plane.prepare(await compileBundle(body.bundle, { catalog, cache, resources, live }));
      // Before the first request, since it holds the thread.
      if (plane.revision === undefined) releaseMemory();
      return undefined;
    case 'activate':
      plane.activate(body.revision);
      trialBundles = [];
      return undefined;
    case 'discard':
      await plane.discard(body.revision);
      return undefined;
    case 'set-trial':
      plane.setTrial(body.trial);
      trialBundles = body.bundles;
      return undefined;
    case 'end-trial':
      plane.endTrial();
      trialBundles = [];
      return undefined;
    case 'trial-report':
      return { report: plane.trialReport };
    case 'live':
      live.apply(body.update);
      if (bansSomebody(body.update)) plane.cutBanned();
      return undefined;
    case 'addresses':
      return plane.addresses();
    case 'record-to':
      await plane.recordTo(body.place);
      // The last part of a start is loaded. It holds the thread: only where nobody waits for it.
      if (plane.openConnections === 0) releaseMemory();
      return undefined;
    case 'flush-recording':
      await plane.flushRecording();
      return undefined;
    case 'reopen-records':
      records.reopen();
      return undefined;
    case 'metrics':
      return meter.snapshot();
    case 'quotas':
      return { quotas: quotaNotes.take() };
    case 'uses':
      return { used: plane.takeCredentialUses() };
    case 'drain':
      await plane.drain(body.deadlineMs);
      await shared?.close();
      await records.close();
      return meter.snapshot();
  }
}

function isUrgent({ kind }: WorkerOrder<Bundle>): boolean {
  return kind === 'live' || kind === 'set-trial' || kind === 'end-trial';
}

/** Whether clients that are connected may be banned by it. */
function bansSomebody(update: LiveUpdate): boolean {
  if (update.subject === 'bans') return true;
  return update.subject === 'imposed-bans' && update.bans.some((ban) => ban.network !== undefined);
}

function answer(message: AnswerMessage): void {
  port.postMessage(message);
}

function failureOf(error: unknown): WorkerFailure {
  if (error instanceof ConfigError) return { issues: error.issues, message: error.message };
  if (!(error instanceof Error)) return { message: String(error) };
  return 'code' in error && typeof error.code === 'string'
    ? { message: error.message, code: error.code }
    : { message: error.message };
}
