import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { CredentialTable } from '../../state/index.ts';
import type { OfferedBundle } from '../offered-bundle.ts';
import {
  createReplayer,
  type ReplayMessage,
  type ReplaySetup,
  type ReplayThread,
} from './replay-in-thread.ts';

const bundle = (revision: string): OfferedBundle => ({
  revision,
  text: '',
  json: '{}',
  files: {},
  fileHashes: {},
  secrets: {},
  binaries: {},
  lists: { feeds: [], inline: {}, proxies: [] },
  rollout: undefined,
  documentHash: '',
});
const REPLAY = { judged: 3, flips: [], otherFlips: 1, undecided: {} };

class FakeThread extends EventEmitter implements ReplayThread {
  isEnded = false;

  async terminate(): Promise<number> {
    if (!this.isEnded) this.emit('exit', 1);
    this.isEnded = true;
    return 1;
  }

  say(message: ReplayMessage): void {
    this.emit('message', message);
  }
}

function world(flush: () => Promise<void> = async () => {}) {
  const thread = new FakeThread();
  const stop = new AbortController();
  const started: ReplaySetup[] = [];
  const progress: number[] = [];
  const { buffers: credentials } = new CredentialTable();
  const replay = createReplayer({
    start: (setup) => {
      started.push(setup);
      return thread;
    },
    setup: () => ({ dataDir: 'data', masterKey: [], lists: [], credentials }),
    flush,
  });
  const order = { candidate: bundle('b'), active: bundle('a'), sinceMs: 7, signal: stop.signal };
  const run = () => replay({ ...order, onProgress: ({ records }) => progress.push(records) });
  return { thread, stop, started, progress, run };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('a replay in a thread of its own', () => {
  it('gives what it has shown, and tells how far it is', async () => {
    const { thread, started, progress, run } = world();
    const result = run();
    await turn();
    thread.say({ kind: 'progress', progress: { records: 5, atMs: 1 } });
    thread.say({ kind: 'done', replay: REPLAY });
    assert.deepEqual(await result, REPLAY);
    assert.deepEqual(progress, [5]);
    assert.deepEqual(
      started.map(({ candidate, active, sinceMs }) => [candidate.revision, active.revision, sinceMs]),
      [['b', 'a', 7]],
    );
    assert.equal(thread.isEnded, true);
  });

  const failures: readonly [name: string, fail: (thread: FakeThread) => unknown, message: RegExp][] = [
    ['that fails', (thread) => thread.say({ kind: 'failed', message: 'no key' }), /no key/],
    ['that breaks', (thread) => thread.emit('error', new Error('out of memory')), /out of memory/],
    ['that ends without a word', (thread) => thread.emit('exit', 1), /ended before/],
  ];
  for (const [name, fail, message] of failures) {
    it(`${name} says why, and is ended`, async () => {
      const { thread, run } = world();
      const result = run();
      await turn();
      fail(thread);
      await assert.rejects(result, message);
      assert.equal(thread.isEnded, true);
    });
  }

  it('ends when it is told to', async () => {
    const { thread, stop, run } = world();
    const result = run();
    await turn();
    stop.abort();
    await assert.rejects(result);
    assert.equal(thread.isEnded, true);
  });

  it('does not begin when it was told to end before, or nothing can be read', async () => {
    const early = world();
    early.stop.abort();
    await assert.rejects(early.run());
    assert.deepEqual(early.started, []);
    const broken = world(() => Promise.reject(new Error('disk full')));
    await assert.rejects(broken.run(), /disk full/);
    assert.deepEqual(broken.started, []);
  });
});
