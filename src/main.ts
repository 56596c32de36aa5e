/** The program: takes a command and, for `run`, starts the threads and wires the rooms to a gateway. */
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { postgresSettings, preflight, type RunOptions, runProgram, storeSettings } from './cli/index.ts';
import type { ReplaySetup, Thread, WorkerSetup } from './control/index.ts';
import { createSystemRandom } from './lib/system.ts';
import { CredentialTable, createSharedCounters } from './state/index.ts';

/**
 * Enough for what requests leave behind between two collections. V8's default lets each thread keep three times as
 * much after a few updates of policies, for no gain in speed (bench/README.md).
 */
const WORKER_LIMITS = { maxYoungGenerationSizeMb: 48 };

/** Fewer than of live ones: judged is mostly a share, and what finds no room is not decided. */
const SHADOW_COUNTERS = { maxKeys: 262_144, maxQuotas: 32_768 };

/** Runs the command line `argv` and resolves when it is done; `run` is done when the gateway serves. */
export async function main(argv: readonly string[]): Promise<void> {
  // A pattern that V8 would backtrack on for seconds goes on in its linear engine. For all threads.
  setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
  await runProgram(argv, { run });
}

/** Workers load the data side while this thread loads the control side: they are started before all else. */
async function run(options: RunOptions): Promise<void> {
  preflight(options);
  const random = createSystemRandom();
  const postgres = postgresSettings(options, process.env);
  const store = storeSettings(options, process.env, random.hex(8));
  const counters = createSharedCounters({
    random,
    threads: options.workers,
    maxKeys: options.counterKeys,
  });
  // What a candidate would count is not to take the place of what is counted.
  const shadow = createSharedCounters({ random, threads: options.workers, ...SHADOW_COUNTERS });
  const credentials = new CredentialTable();
  const memory = { counters: counters.memory, shadowCounters: shadow.memory };
  const shared = { ...memory, store, credentials: credentials.buffers };
  const start = (threadId: number): Worker => {
    const setup: WorkerSetup = { threadId, ...shared, records: options.records };
    const thread = new Worker(entryOf('worker'), { workerData: setup, resourceLimits: WORKER_LIMITS });
    const { threadId: owner } = thread;
    thread.on('exit', () => {
      counters.release(owner);
      shadow.release(owner);
    });
    return thread;
  };
  const early = new EarlyThreads(options.workers, start);
  const { serve } = await import('./serve.ts');
  await serve(
    options,
    { credentials, counters },
    { worker: (threadId) => early.take(threadId) ?? start(threadId), replay: startReplay },
    store,
    postgres,
  );
}

const startReplay = (setup: ReplaySetup): Worker =>
  new Worker(entryOf('replay-thread'), { workerData: setup, resourceLimits: WORKER_LIMITS });

/** Threads that were started before there was somebody to look after them. */
class EarlyThreads {
  readonly #threads = new Map<number, Worker>();

  constructor(count: number, start: (threadId: number) => Worker) {
    for (let threadId = 1; threadId <= count; threadId++) {
      const thread = start(threadId);
      // A thread that dies so early is started again, and says there why.
      thread.on('error', () => {});
      thread.on('exit', () => this.#threads.delete(threadId));
      this.#threads.set(threadId, thread);
    }
  }

  take(threadId: number): Thread | undefined {
    const thread = this.#threads.get(threadId);
    this.#threads.delete(threadId);
    return thread;
  }
}

/** Beside this file, in TypeScript as it was written or in JavaScript as it was built. */
const entryOf = (name: string): URL =>
  new URL(import.meta.url.endsWith('.ts') ? `./${name}.ts` : `./${name}.js`, import.meta.url);
