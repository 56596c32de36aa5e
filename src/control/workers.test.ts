import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Activation } from '../lifecycle/index.ts';
import { createMeter, MetricTotals } from '../observability/index.ts';
import type { OrderMessage } from './worker-protocol.ts';
import { WorkerPool } from './workers.ts';

interface Bundle {
  readonly revision: string;
}

const requestsServed = (n: number) => {
  const meter = createMeter();
  meter.counter('sallyport_records_written_total').add(n);
  return meter.snapshot();
};

/** A thread that does what it is told, and remembers it. */
class FakeThread extends EventEmitter {
  readonly orders: string[] = [];
  served = 0;
  hangs = false;

  postMessage({ order, body }: OrderMessage<Bundle>): void {
    this.orders.push(body.kind);
    if (this.hangs) return;
    const value = body.kind === 'metrics' || body.kind === 'drain' ? requestsServed(this.served) : undefined;
    queueMicrotask(() => this.emit('message', { order, ok: true, value }));
  }

  async terminate(): Promise<number> {
    queueMicrotask(() => this.emit('exit', 1));
    return 1;
  }
}

const make = () => {
  const threads: FakeThread[] = [];
  const scheduled: { work: () => void; delayMs: number }[] = [];
  const totals = new MetricTotals();
  const meter = createMeter();
  const activation = new Activation<Bundle>();
  let nowMs = 0;
  const pool = new WorkerPool<Bundle>({
    clock: { now: () => nowMs, monotonic: () => nowMs },
    log: { info() {}, warn() {}, error() {} },
    activation,
    totals,
    serving: meter.gauge('sallyport_workers'),
    restarts: meter.counter('sallyport_worker_restarts_total'),
    spawn: () => {
      const thread = new FakeThread();
      threads.push(thread);
      return thread;
    },
    deadline: (work, _ms, what) => Promise.race([work, turn().then(() => Promise.reject(new Error(what)))]),
    schedule: (work, delayMs) => scheduled.push({ work, delayMs }),
  });
  const tick = (ms: number) => {
    nowMs += ms;
  };
  const served = () =>
    totals.merged().find((m) => m.name === 'sallyport_records_written_total')?.values[0] ?? 0;
  return { pool, threads, scheduled, activation, served, tick };
};

describe('worker pool', () => {
  it('starts a dead worker again at once, with the active revision', async () => {
    const { pool, threads, activation } = make();
    await pool.start(2);
    await activation.publish({ revision: 'r1' });
    threads[0].emit('exit', 1);
    await turn();
    assert.deepEqual(threads[2].orders, ['prepare', 'activate']);
    assert.deepEqual(
      pool.status().map((w) => [w.state, w.restarts]),
      [
        ['serving', 1],
        ['serving', 0],
      ],
    );
  });

  it('waits longer after deaths in a row', async () => {
    const { pool, threads, scheduled } = make();
    await pool.start(1);
    for (let i = 0; i < 3; i++) {
      threads.at(-1)?.emit('exit', 1);
      await turn();
    }
    assert.equal(threads.length, 3);
    assert.deepEqual(
      scheduled.map((s) => s.delayMs),
      [100],
    );
    scheduled[0].work();
    assert.equal(threads.length, 4);
  });

  it('replaces a worker: the new one serves before the old one drains', async () => {
    const { pool, threads, activation } = make();
    await pool.start(1);
    await activation.publish({ revision: 'r1' });
    threads[0].served = 7;
    let servedBeforeDrain: readonly number[] = [];
    const post = threads[0].postMessage.bind(threads[0]);
    threads[0].postMessage = (message) => {
      servedBeforeDrain = activation.serving;
      post(message);
    };
    assert.equal(await pool.replace(0, 1000), true);
    assert.deepEqual(servedBeforeDrain, [2]);
    assert.deepEqual(activation.serving, [2]);
    assert.equal(threads.length, 2);
    assert.equal(pool.status()[0].restarts, 0);
  });

  it('knows no worker that is not there', async () => {
    const { pool } = make();
    await pool.start(1);
    assert.equal(await pool.replace(5, 1000), false);
    assert.equal(pool.kill(5), false);
  });

  it('keeps the counts of the dead', async () => {
    const { pool, threads, served } = make();
    await pool.start(2);
    threads[0].served = 5;
    threads[1].served = 3;
    await pool.collectMetrics('scrape');
    assert.equal(served(), 8);
    threads[0].emit('exit', 1);
    await turn();
    assert.equal(served(), 8);
    await pool.collectMetrics('scrape');
    assert.equal(served(), 8);
  });

  it('ends a worker that is caught in a loop, not one that is only late', async () => {
    const { pool, threads, tick } = make();
    await pool.start(1);
    await pool.collectMetrics('keep');
    threads[0].hangs = true;
    tick(19_000);
    await pool.collectMetrics('keep');
    assert.equal(threads.length, 1);
    tick(1000);
    await pool.collectMetrics('keep');
    await turn();
    assert.equal(threads.length, 2);
    assert.match(pool.status()[0].lastEnd ?? '', /not answered/);
  });

  it('counts the last figures of a drained worker', async () => {
    const { pool, threads, served } = make();
    await pool.start(1);
    threads[0].served = 9;
    await pool.stop(1000);
    assert.equal(served(), 9);
  });

  it('starts nothing again once it stops', async () => {
    const { pool, threads } = make();
    await pool.start(2);
    await pool.stop(1000);
    await turn();
    assert.equal(threads.length, 2);
    assert.ok(threads.every((t) => t.orders.at(-1) === 'drain'));
  });
});
