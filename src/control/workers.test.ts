import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { LiveUpdate, Trial, TrialReport } from '../contract/index.ts';
import { Activation, noFigures } from '../lifecycle/index.ts';
import { createMeter, MetricTotals } from '../observability/index.ts';
import type { QuotaNote } from '../state/index.ts';
import type { BoundAddress, OrderMessage } from './worker-protocol.ts';
import { WorkerPool } from './workers.ts';

interface Bundle {
  readonly revision: string;
}

const ADDRESS: BoundAddress = { listener: 'public', host: '127.0.0.1', port: 8080 };

const requestsServed = (n: number) => {
  const meter = createMeter();
  meter.counter('sallyport_records_written_total').add(n);
  return meter.snapshot();
};

const noteOf = (key: string): QuotaNote => ({
  scope: 's',
  key,
  rule: { limit: 1, startMs: 0, endMs: 1, carryOver: 0 },
});

/** A thread that does what it is told, and remembers it. */
class FakeThread extends EventEmitter {
  readonly orders: string[] = [];
  readonly updates: LiveUpdate[] = [];
  served = 0;
  /** Quotas it has charged, by their keys. */
  charged: string[] = [];
  hangs = false;
  /** What it was told to try, and how many requests its candidate has judged. */
  trial: Trial | undefined;
  judged = 0;
  /** Answers to `prepare` wait for this. */
  ready: Promise<void> = Promise.resolve();
  /** What it listens on once it has activated a revision. */
  addresses: readonly BoundAddress[] = [];

  postMessage({ order, body }: OrderMessage<Bundle>): void {
    this.orders.push(body.kind);
    if (body.kind === 'live') this.updates.push(body.update);
    if (body.kind === 'set-trial') this.trial = body.trial;
    if (this.hangs) return;
    const answer = () => this.emit('message', { order, ok: true, value: this.#valueFor(body.kind) });
    if (body.kind === 'activate') this.addresses = [ADDRESS];
    if (body.kind === 'prepare') void this.ready.then(answer);
    else queueMicrotask(answer);
  }

  #valueFor(kind: string) {
    if (kind === 'metrics' || kind === 'drain') return requestsServed(this.served);
    if (kind === 'trial-report') return { report: this.#report };
    if (kind === 'quotas') return { quotas: this.charged.splice(0).map(noteOf) };
    return kind === 'addresses' ? this.addresses : undefined;
  }

  get #report(): TrialReport | undefined {
    const { trial } = this;
    if (trial === undefined) return undefined;
    const none = noFigures(trial);
    const requests = none.canary.requests.map((_, group) => (group === 0 ? this.judged : 0));
    return { trial, figures: { ...none, canary: { ...none.canary, requests } } };
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
  const newcomer = { ready: Promise.resolve() };
  const logged: string[] = [];
  let nowMs = 0;
  const pool = new WorkerPool<Bundle>({
    clock: { now: () => nowMs, monotonic: () => nowMs },
    log: { info() {}, warn() {}, error: (event) => void logged.push(event) },
    activation,
    totals,
    serving: meter.gauge('sallyport_workers'),
    restarts: meter.counter('sallyport_worker_restarts_total'),
    spawn: () => {
      const thread = new FakeThread();
      thread.ready = newcomer.ready;
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
  /** Threads started from now on compile until the function is called. */
  const slowStart = () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    newcomer.ready = promise;
    return resolve;
  };
  return { pool, threads, scheduled, activation, served, tick, slowStart, logged };
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

  it('has every worker record, and each that is started later once it serves', async () => {
    const { pool, threads, activation } = make();
    await pool.start(1);
    await activation.publish({ revision: 'r1' });
    await pool.recordTo({ dir: '/recordings', key: { id: 'k', key: new Uint8Array(32) } });
    threads[0].emit('exit', 1);
    await turn();
    for (const { orders } of threads) assert.deepEqual(orders, ['prepare', 'activate', 'record-to']);
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

  it('knows its own addresses while a worker is replaced, and while all are started again', async () => {
    const { pool, threads, activation, slowStart } = make();
    await pool.start(1);
    await activation.publish({ revision: 'r1' });
    const finish = slowStart();
    const replaced = pool.replace(0, 1000);
    assert.deepEqual(await pool.addresses(), [ADDRESS]);
    assert.equal(pool.status()[0].state, 'serving');
    finish();
    await replaced;
    slowStart();
    threads[1].emit('exit', 1);
    await turn();
    assert.deepEqual(await pool.addresses(), [ADDRESS]);
  });

  it('lets a revision under way through, on the old worker and on the new one', async () => {
    const { pool, threads, activation } = make();
    await pool.start(1);
    await activation.publish({ revision: 'r1' });
    const { promise, resolve } = Promise.withResolvers<void>();
    threads[0].ready = promise;
    const published = activation.publish({ revision: 'r2' });
    const replaced = pool.replace(0, 1000);
    await turn();
    assert.deepEqual(threads[1].orders, []);
    resolve();
    await Promise.all([published, replaced]);
    assert.deepEqual(threads[0].orders, [
      'prepare',
      'activate',
      'prepare',
      'activate',
      'drain',
      'quotas',
      'trial-report',
    ]);
    assert.deepEqual(threads[1].orders, ['prepare', 'activate']);
  });

  it('ends the old worker only when no revision counts on it', async () => {
    const { pool, threads, activation, slowStart } = make();
    await pool.start(1);
    await activation.publish({ revision: 'r1' });
    const admitted = slowStart();
    const replaced = pool.replace(0, 1000);
    const { promise, resolve } = Promise.withResolvers<void>();
    threads[0].ready = promise;
    const published = activation.publish({ revision: 'r2' });
    admitted();
    await turn();
    assert.equal(threads[0].orders.at(-1), 'prepare');
    resolve();
    await Promise.all([published, replaced]);
    assert.deepEqual(threads[0].orders.slice(-5), ['prepare', 'activate', 'drain', 'quotas', 'trial-report']);
    assert.equal(threads[1].orders.filter((o) => o === 'activate').length, 2);
  });

  it('replaces a worker once, however many ask at the same time', async () => {
    const { pool, threads, activation } = make();
    await pool.start(1);
    await activation.publish({ revision: 'r1' });
    const asked = [pool.replace(0, 1000), pool.replace(0, 1000)];
    assert.deepEqual(await Promise.all(asked), [true, true]);
    assert.equal(threads.length, 2);
    await pool.replace(0, 1000);
    assert.equal(threads.length, 3);
  });

  it('keeps a worker whose replacement fails', async () => {
    const { pool, threads, activation, slowStart } = make();
    await pool.start(1);
    await activation.publish({ revision: 'r1' });
    slowStart();
    const replaced = pool.replace(0, 1000);
    await turn();
    threads[1].emit('exit', 1);
    await replaced;
    assert.equal(threads[0].orders.at(-1), 'activate');
    assert.deepEqual(activation.serving, [1]);
    assert.deepEqual([pool.status()[0].state, threads.length], ['serving', 2]);
  });

  for (const [name, heirDies, expected] of [
    ['leaves the place of one that dies meanwhile to its replacement', false, 2],
    ['starts another when one dies and its replacement too', true, 3],
  ] as const) {
    it(name, async () => {
      const { pool, threads, activation, slowStart } = make();
      await pool.start(1);
      await activation.publish({ revision: 'r1' });
      const finish = slowStart();
      const replaced = pool.replace(0, 1000);
      await turn();
      threads[0].emit('exit', 1);
      await turn();
      assert.equal(threads.length, 2);
      if (heirDies) threads[1].emit('exit', 1);
      finish();
      await replaced;
      await turn();
      assert.deepEqual(activation.serving, [expected]);
      assert.deepEqual([pool.status()[0].state, threads.length], ['serving', expected]);
    });
  }

  it('drains the old and the new worker of a replacement when it stops', async () => {
    const { pool, threads, activation, slowStart } = make();
    await pool.start(1);
    await activation.publish({ revision: 'r1' });
    slowStart();
    const replaced = pool.replace(0, 1000);
    await turn();
    await Promise.all([pool.stop(1000), replaced]);
    assert.deepEqual(
      threads.map((t) => t.orders.filter((o) => o === 'drain').length),
      [1, 1],
    );
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

  it('tells which quotas were charged, also by workers that have ended since', async () => {
    const { pool, threads, activation } = make();
    await pool.start(2);
    await activation.publish({ revision: 'r1' });
    threads[0].charged = ['a'];
    threads[1].charged = ['b', 'c'];
    const keys = async () => (await pool.collectQuotas()).map(({ key }) => key).sort();
    assert.deepEqual(await keys(), ['a', 'b', 'c']);
    assert.deepEqual(await keys(), []);
    threads[0].hangs = true;
    threads[1].charged = ['d'];
    assert.deepEqual(await keys(), ['d'], 'one that does not answer holds up nobody');
    threads[0].hangs = false;
    threads[0].charged = ['e'];
    await pool.replace(0, 1000);
    threads[1].charged = ['f'];
    await pool.stop(1000);
    assert.deepEqual(await keys(), ['e', 'f']);
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
    assert.ok(threads.every((t) => t.orders.at(-3) === 'drain'));
  });
});

describe('live data', () => {
  const bans = (...networks: string[]): LiveUpdate => ({
    subject: 'bans',
    bans: networks.map((network) => ({ id: network, network, sinceMs: 0, untilMs: 1, reason: '', by: '' })),
  });
  const revoked = (...credentials: string[]): LiveUpdate => ({
    subject: 'revocations',
    credentials,
    consumers: [],
    tokens: [],
  });

  it('reaches every worker before the update is over', async () => {
    const { pool, threads, activation } = make();
    await pool.start(2);
    await activation.publish({ revision: 'r1' });
    await pool.update(bans('192.0.2.1'));
    assert.deepEqual(
      threads.map((thread) => thread.updates),
      [[bans('192.0.2.1')], [bans('192.0.2.1')]],
    );
  });

  it('is told to a worker that starts later before it may serve: the latest of each subject', async () => {
    const { pool, threads, activation } = make();
    await pool.start(1);
    await activation.publish({ revision: 'r1' });
    for (const update of [bans('192.0.2.1'), revoked('key-1'), bans('192.0.2.2')]) await pool.update(update);
    threads[0].emit('exit', 1);
    await turn();
    assert.deepEqual(threads[1].orders, ['live', 'live', 'prepare', 'activate']);
    assert.deepEqual(threads[1].updates, [bans('192.0.2.2'), revoked('key-1')]);
  });

  it('of which only what has changed is sent is told whole to a worker that starts later', async () => {
    const { pool, threads, activation } = make();
    await pool.start(1);
    await activation.publish({ revision: 'r1' });
    const change: LiveUpdate = { subject: 'imposed-bans', whole: false, bans: [], forgotten: ['enforce a'] };
    const whole: LiveUpdate = { subject: 'imposed-bans', whole: true, bans: [], forgotten: [] };
    await pool.update(change, whole);
    threads[0].emit('exit', 1);
    await turn();
    assert.deepEqual([threads[0].updates, threads[1].updates], [[change], [whole]]);
  });

  it('waits for no worker that does not answer', async () => {
    const { pool, threads, activation, logged } = make();
    await pool.start(2);
    await activation.publish({ revision: 'r1' });
    threads[0].hangs = true;
    await pool.update(revoked('key-1'));
    assert.deepEqual(threads[1].updates, [revoked('key-1')]);
    assert.deepEqual(logged, ['live-update-failed']);
  });

  it('waits for no worker that is not up yet, which takes its orders in turn', async () => {
    const { pool, threads, logged } = make();
    await pool.start(1);
    threads[0].hangs = true;
    await pool.update(revoked('key-1'));
    assert.deepEqual([threads[0].orders, logged], [['live'], []]);
  });
});

describe('figures of a trial', () => {
  const trialOf = (share: number): Trial => ({
    rollout: 'rollout-1',
    revision: 'r2',
    shadow: undefined,
    canary: { share, consumers: [], routes: [], addresses: [] },
  });
  const judged = async ({ pool }: Pick<ReturnType<typeof make>, 'pool'>) =>
    (await pool.trialFigures())?.canary.requests[0];
  const trying = async () => {
    const made = make();
    await made.pool.start(2);
    await made.activation.publish({ revision: 'r1' });
    await made.activation.try({ revision: 'r2' }, trialOf(0.1));
    for (const thread of made.threads) thread.judged = 5;
    return made;
  };

  it('are none before the first', async () => {
    const { pool, activation } = make();
    await pool.start(1);
    await activation.publish({ revision: 'r1' });
    assert.equal(await pool.trialFigures(), undefined);
  });

  it('are summed, and kept of a worker that has died; who comes in its place adds to them', async () => {
    const made = await trying();
    assert.equal(await judged(made), 10);
    made.threads[0].emit('exit', 1);
    await turn();
    await turn();
    assert.deepEqual(made.threads[2].orders, ['prepare', 'activate', 'prepare', 'set-trial']);
    made.threads[2].judged = 1;
    assert.equal(await judged(made), 11);
  });

  it('are asked for once more of a worker that is replaced', async () => {
    const made = await trying();
    await made.pool.replace(0, 1000);
    assert.deepEqual(made.threads[0].orders.slice(-3), ['drain', 'quotas', 'trial-report']);
    assert.equal(await judged(made), 10);
  });

  it('are what it told last of a worker that does not answer', async () => {
    const made = await trying();
    await judged(made);
    made.threads[0].hangs = true;
    made.threads[1].judged = 6;
    assert.equal(await judged(made), 11);
  });

  it('can be asked for when it has ended, and are of no other cohort', async () => {
    const made = await trying();
    await made.activation.endTrial();
    assert.equal(await judged(made), 10);
    made.threads[0].emit('exit', 1);
    await turn();
    await made.activation.try({ revision: 'r2' }, trialOf(0.5));
    for (const thread of made.threads.slice(1)) thread.judged = 1;
    assert.equal(await judged(made), 2, 'what the dead one told was of another');
  });
});
