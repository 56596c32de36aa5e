import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { ImposedBan } from '../contract/index.ts';
import { ConfigError } from '../errors.ts';
import { type AnswerMessage, type BanMessage, WorkerError } from './worker-protocol.ts';
import { WorkerThread } from './worker-thread.ts';

class FakeThread extends EventEmitter {
  readonly sent: { order: number; body: { kind: string } }[] = [];

  postMessage(message: { order: number; body: { kind: string } }): void {
    this.sent.push(message);
  }

  async terminate(): Promise<number> {
    this.emit('exit', 1);
    return 1;
  }

  answer(message: AnswerMessage | BanMessage): void {
    this.emit('message', message);
  }
}

const make = () => {
  const thread = new FakeThread();
  return { thread, worker: new WorkerThread<{ revision: string }>(3, thread) };
};

describe('worker thread', () => {
  it('matches answers to orders, whatever their order', async () => {
    const { thread, worker } = make();
    const first = worker.prepare({ revision: 'a' });
    const second = worker.metrics(true);
    const metrics = [{ name: 'x', labels: [], values: new Float64Array(1) }];
    thread.answer({ order: 2, ok: true, value: metrics });
    thread.answer({ order: 1, ok: true, value: undefined });
    await first;
    assert.equal(await second, metrics);
  });

  it('gives issues of a document back as issues', async () => {
    const { thread, worker } = make();
    const refused = worker.prepare({ revision: 'a' });
    const issues = [{ path: 'routes[0]', message: 'no' }];
    thread.answer({ order: 1, ok: false, failure: { issues, message: '' } });
    await assert.rejects(refused, (error) => {
      assert.ok(error instanceof ConfigError);
      assert.deepEqual(error.issues, issues);
      return true;
    });
  });

  it('keeps the code of a system failure', async () => {
    const { thread, worker } = make();
    const refused = worker.prepare({ revision: 'a' });
    thread.answer({ order: 1, ok: false, failure: { code: 'EADDRINUSE', message: 'in use' } });
    await assert.rejects(refused, (e) => e instanceof WorkerError && e.code === 'EADDRINUSE');
  });

  it('fails what waits, and what comes later, when the thread ends', async () => {
    const { thread, worker } = make();
    const waiting = worker.activate('a');
    thread.emit('error', new Error('out of memory'));
    thread.emit('exit', 1);
    await assert.rejects(waiting, WorkerError);
    await assert.rejects(worker.discard('a'), WorkerError);
    assert.equal(await worker.ended, 'out of memory');
    assert.equal(worker.isAlive, false);
  });

  it('ignores an answer nobody waits for', () => {
    const { thread } = make();
    thread.answer({ order: 99, ok: true, value: undefined });
  });

  it('does not take one kind of answer for another', async () => {
    const { thread, worker } = make();
    const metrics = worker.metrics(true);
    thread.answer({ order: 1, ok: true, value: [{ listener: 'l', host: 'h', port: 1 }] });
    await assert.rejects(metrics);
  });

  const ban: ImposedBan = {
    id: 'b1',
    caller: 'consumer a',
    sinceMs: 0,
    untilMs: 1,
    forgetMs: 2,
    reason: '',
    by: 'route:a/auto-ban',
    strike: 1,
    round: 1,
    shadow: false,
  };

  it('hands on what it is told unasked, and takes it for no answer', async () => {
    const told: ImposedBan[] = [];
    const thread = new FakeThread();
    const worker = new WorkerThread<{ revision: string }>(3, thread, (imposed) => told.push(imposed));
    const waiting = worker.activate('a');
    thread.answer({ imposed: ban });
    assert.deepEqual([told, worker.hasAnswered], [[ban], false]);
    thread.answer({ order: 1, ok: true, value: undefined });
    await waiting;
  });

  it('hears of a ban from a thread that dies with its next word', async () => {
    for (const end of ['process.exit(1)', 'throw new Error("gone")', 'while (true);']) {
      const told: ImposedBan[] = [];
      const code = `const { parentPort } = require('node:worker_threads');
        parentPort.postMessage({ imposed: ${JSON.stringify(ban)} }); ${end}`;
      const thread = new Worker(code, { eval: true });
      const worker = new WorkerThread<{ revision: string }>(4, thread, (imposed) => {
        told.push(imposed);
        worker.retire('it was told to end');
      });
      await worker.ended;
      assert.deepEqual(told, [ban], end);
    }
  });
});
