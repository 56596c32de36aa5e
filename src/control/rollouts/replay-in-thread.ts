import type { LiveUpdate } from '../../contract/index.ts';
import type { ReplayEvidence } from '../../lifecycle/index.ts';
import type { CredentialBuffers } from '../../state/index.ts';
import type { OfferedBundle } from '../offered-bundle.ts';
import type { Replayer, ReplayProgress } from './ports.ts';

/** What a thread that replays is started with. All of it survives `structuredClone`. */
export interface ReplaySetup {
  readonly candidate: OfferedBundle;
  readonly active: OfferedBundle;
  /** From when on, in milliseconds since the epoch. */
  readonly sinceMs: number;
  /** Folder of the recording, and where the keys to read it come from. */
  readonly dataDir: string;
  readonly masterKey: readonly string[];
  /** What the address lists hold. */
  readonly lists: readonly LiveUpdate[];
  /** Memory of the consumers and credentials that are kept live. */
  readonly credentials: CredentialBuffers;
}

/** What it says. It ends by itself after `done` and `failed`. */
export type ReplayMessage =
  | { readonly kind: 'progress'; readonly progress: ReplayProgress }
  | { readonly kind: 'done'; readonly replay: ReplayEvidence }
  | { readonly kind: 'failed'; readonly message: string };

/** The part of `worker_threads.Worker` that is used. */
export interface ReplayThread {
  terminate(): Promise<number>;
  on(event: 'message', listener: (message: ReplayMessage) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
}

export interface ReplayerDeps {
  readonly start: (setup: ReplaySetup) => ReplayThread;
  /** Everything but what is replayed. */
  readonly setup: () => Omit<ReplaySetup, 'active' | 'candidate' | 'sinceMs'>;
  /** Has the workers write what they have recorded so far. */
  readonly flush: () => Promise<void>;
}

/** Replays in a thread of its own: judging a day of requests takes a core for a while, and the control side stays free. */
export function createReplayer({ start, setup, flush }: ReplayerDeps): Replayer<OfferedBundle> {
  return async ({ candidate, active, sinceMs, signal, onProgress }) => {
    await flush();
    signal.throwIfAborted();
    const thread = start({ ...setup(), candidate, active, sinceMs });
    const stop = () => void thread.terminate();
    signal.addEventListener('abort', stop);
    try {
      return await outcomeOf(thread, onProgress);
    } finally {
      signal.removeEventListener('abort', stop);
      void thread.terminate();
    }
  };
}

function outcomeOf(
  thread: ReplayThread,
  onProgress: (progress: ReplayProgress) => void,
): Promise<ReplayEvidence> {
  return new Promise((done, fail) => {
    thread.on('message', (message) => {
      if (message.kind === 'progress') onProgress(message.progress);
      else if (message.kind === 'done') done(message.replay);
      else fail(new Error(message.message));
    });
    thread.on('error', (error) => fail(error instanceof Error ? error : new Error(String(error))));
    thread.on('exit', () => fail(new Error('the replay ended before it had judged all records')));
  });
}
