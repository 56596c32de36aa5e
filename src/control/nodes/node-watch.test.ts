import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createMeter, exposition } from '../../observability/index.ts';
import { openSqliteStore, type Store, StoreError } from '../../store/index.ts';
import { MemoryNodes } from '../../store/memory-nodes.ts';
import type { NodeStatus } from './node-status.ts';
import { NodeWatch } from './node-watch.ts';

const REVISION = 'a'.repeat(64);
const OTHER = 'b'.repeat(64);

/** Nodes on one store, whose clock is in the hands of the test. */
class Fleet {
  nowMs = 1_000_000;
  readonly table = new MemoryNodes(() => this.nowMs);
  active: string | undefined = REVISION;
  isLost = false;

  node(name: string, { id = name.padStart(16, '0'), hasStore = (): boolean => true } = {}) {
    const logged: [string, unknown][] = [];
    const log = (event: string, facts?: unknown) => void logged.push([event, facts]);
    const meter = createMeter();
    const status: { now: Omit<NodeStatus, 'listeners'> } = {
      now: {
        revision: REVISION,
        candidate: undefined,
        workers: ['serving', 'waiting'],
        store: 'ok',
        error: undefined,
        refused: undefined,
        settled: undefined,
      },
    };
    let current = id;
    const identity = {
      get id() {
        return current;
      },
      renew: () => {
        current = current.replace(/^./, 'f');
        return current;
      },
    };
    const watch = new NodeWatch({
      clock: { now: () => 1_800_000_000_000, monotonic: () => this.nowMs },
      log: { info: log, warn: log, error: log },
      meter,
      identity,
      run: `${name} ${Math.random()}`,
      name,
      version: '1.2.3',
      store: () => (hasStore() ? this.#store() : undefined),
      status: () => status.now,
      listeners: async () => [{ name: 'public', host: '0.0.0.0', port: 8080 }],
      repeat: () => () => {},
    });
    const states = async () =>
      Object.fromEntries((await watch.list()).nodes.map((node) => [node.name, node.state]));
    const events = () => logged.map(([event]) => event);
    const gauges = () => {
      const lines = exposition(meter.snapshot()).matchAll(
        /^sallyport_nodes\{state="([a-z-]+)"\} ([1-9]\d*)$/gm,
      );
      return Object.fromEntries([...lines].map(([, state, count]) => [state, Number(count)]));
    };
    return { watch, status, states, events, logged, gauges, identity };
  }

  #store(): Store {
    const store = openSqliteStore(':memory:');
    const { active, isLost } = this;
    return Object.assign(store, {
      nodes: this.table,
      active: async () => {
        if (isLost) throw new StoreError('unavailable', 'the store is lost');
        return active === undefined ? undefined : { id: active, at: 0 };
      },
    });
  }
}

describe('nodes', () => {
  for (const [what, change, expected] of [
    ['serves what is active', {}, 'ok'],
    ['serves another revision', { revision: OTHER }, 'drift'],
    ['serves nothing', { revision: undefined }, 'drift'],
    ['has no worker that serves', { workers: ['starting', 'waiting'] }, 'failing'],
    ['has no worker at all', { workers: [] }, 'failing'],
  ] as const) {
    test(`one that ${what} is called ${expected}`, async () => {
      const fleet = new Fleet();
      const [a, b] = [fleet.node('a'), fleet.node('b')];
      b.status.now = { ...b.status.now, ...change };
      await b.watch.beat();
      assert.deepEqual(await a.states(), { a: 'ok', b: expected });
      assert.deepEqual(a.gauges(), expected === 'ok' ? { ok: 2 } : { ok: 1, [expected]: 1 });
    });
  }

  test('one that goes silent is lost after ten seconds, and told of once', async () => {
    const fleet = new Fleet();
    const [a, b] = [fleet.node('a'), fleet.node('b')];
    await b.watch.beat();
    await a.watch.beat();
    fleet.nowMs += 9_999;
    assert.deepEqual(await a.states(), { a: 'ok', b: 'ok' });
    fleet.nowMs += 1;
    assert.deepEqual(await a.states(), { a: 'ok', b: 'lost' });
    await a.watch.beat();
    assert.deepEqual(a.events(), ['node-lost']);
    assert.deepEqual(a.gauges(), { ok: 1, lost: 1 });
    await b.watch.beat();
    assert.deepEqual(await a.states(), { a: 'ok', b: 'ok' });
    assert.deepEqual(a.events(), ['node-lost', 'node-back']);
    // It was only itself that it did not hear from.
    assert.deepEqual(b.events(), ['node-joined']);
  });

  test('of one that was lost before nothing is told, until it is back or forgotten', async () => {
    const fleet = new Fleet();
    const [a, b, c] = [fleet.node('a'), fleet.node('b'), fleet.node('c')];
    await b.watch.beat();
    await c.watch.beat();
    fleet.nowMs += 60_000;
    await a.watch.beat();
    assert.deepEqual(a.events(), []);
    await b.watch.beat();
    await a.watch.beat();
    assert.deepEqual(a.events(), ['node-back']);
    fleet.nowMs += 86_400_000;
    await b.watch.beat();
    await a.watch.beat();
    assert.deepEqual(await a.states(), { a: 'ok', b: 'ok' });
    assert.deepEqual(a.events(), ['node-back']);
  });

  test('one that ends on purpose is missed by nobody', async () => {
    const fleet = new Fleet();
    const [a, b] = [fleet.node('a'), fleet.node('b')];
    await a.watch.beat();
    await b.watch.beat();
    await a.watch.beat();
    await b.watch.close();
    assert.deepEqual(await a.states(), { a: 'ok' });
    assert.deepEqual(a.events(), ['node-joined', 'node-left']);
    // What was under way at its end brings nobody back.
    await b.watch.beat();
    assert.deepEqual(await a.states(), { a: 'ok' });
  });

  test('of two with copies of one data folder the one that was there takes another id, once', async () => {
    const fleet = new Fleet();
    const [a, b] = [fleet.node('a'), fleet.node('b', { id: 'a'.padStart(16, '0') })];
    await a.watch.beat();
    await b.watch.beat();
    for (let n = 0; n < 3; n++) {
      await a.watch.beat();
      await b.watch.beat();
    }
    assert.deepEqual(await a.states(), { a: 'ok', b: 'ok' });
    assert.notEqual(a.identity.id, b.identity.id);
    assert.deepEqual([...a.logged, ...b.logged].filter(([event]) => event === 'node-id-taken').length, 1);
  });

  test('one that does not reach the store says so, and knows nothing of the others', async () => {
    const fleet = new Fleet();
    let hasStore = true;
    const [a, b] = [fleet.node('a', { hasStore: () => hasStore }), fleet.node('b')];
    await b.watch.beat();
    assert.deepEqual(await a.states(), { a: 'ok', b: 'ok' });
    hasStore = false;
    assert.deepEqual(await a.states(), { a: 'cut-off', b: 'unknown' });
    assert.deepEqual(a.gauges(), { 'cut-off': 1, unknown: 1 });
    const { isComplete, active, nodes } = await a.watch.list();
    assert.deepEqual([isComplete, active, nodes[0]?.status?.revision], [false, undefined, REVISION]);
    hasStore = true;
    fleet.isLost = true;
    assert.deepEqual(await a.states(), { a: 'cut-off', b: 'unknown' });
    fleet.isLost = false;
    assert.deepEqual(await a.states(), { a: 'ok', b: 'ok' });
    assert.deepEqual(a.events(), []);
  });

  test('what a newer program says of itself in other words is not guessed', async () => {
    const fleet = new Fleet();
    const a = fleet.node('a');
    const row = { id: 'z', run: 'z', name: 'z', version: '9.0.0', startedAt: 1, state: { revision: 7 } };
    await fleet.table.join(row);
    assert.deepEqual(await a.states(), { a: 'ok', z: 'unknown' });
  });

  test('where a node listens is known, and asked for when it serves another revision', async () => {
    const fleet = new Fleet();
    const a = fleet.node('a');
    await a.watch.beat();
    const { nodes } = await a.watch.list();
    assert.deepEqual(nodes[0]?.status?.listeners, [{ name: 'public', host: '0.0.0.0', port: 8080 }]);
  });

  test('what a node says is short, whatever went wrong', async () => {
    const fleet = new Fleet();
    const a = fleet.node('a');
    a.status.now = { ...a.status.now, error: { at: 1, message: 'x'.repeat(100_000) } };
    const { nodes } = await a.watch.list();
    assert.equal(nodes[0]?.status?.error?.message.length, 500);
  });
});
