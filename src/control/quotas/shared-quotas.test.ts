/** Usage of quotas that several nodes count in one store. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, describe, it } from 'node:test';
import { quotaDeskContract } from '../../../test/contract/quota-desk.contract.ts';
import { HandClock, NOW } from '../../../test/fixtures/callers.ts';
import { eventually } from '../../../test/fixtures/process.ts';
import { HOUR_MS, makeQuotas, makeSharedQuotas, useOf } from '../../../test/fixtures/quotas.ts';
import { RedisServer } from '../../../test/fixtures/redis-server.ts';
import { openSqliteStore } from '../../store/index.ts';

const ALL = { limit: 10, after: '' };

let server: RedisServer;
const opened: { close(): Promise<void> }[] = [];
before(async () => {
  server = await RedisServer.start();
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
after(() => server.stop());

type More = Parameters<typeof makeSharedQuotas>[1];
async function make(more?: More) {
  const world = await makeSharedQuotas(server.url, more);
  opened.push(world);
  return world;
}

quotaDeskContract('that several nodes count in a store', make);

/** Nodes of one fleet: a store and a clock for all, and a data folder each. */
async function fleet(more: More = {}) {
  const parts = { prefix: randomBytes(8).toString('hex'), clock: new HandClock() };
  const node = (own: More = {}) => make({ ...more, ...parts, ...own });
  return { one: await node(), other: await node(), node };
}
type World = Awaited<ReturnType<typeof make>>;
const usageOf = async ({ desk }: World) => (await desk.list(ALL)).map(({ key, used }) => [key, used]);
const times = async (count: number, work: () => Promise<unknown>): Promise<void> => {
  for (let i = 0; i < count; i++) await work();
};

describe('quotas of several nodes', () => {
  it('are told by each as all have used them, of the callers that it has seen', async () => {
    const { one, other } = await fleet();
    await times(2, () => one.charge(useOf('ann')));
    await times(2, () => other.charge(useOf('ann')));
    await other.charge(useOf('ben'));
    assert.deepEqual(await usageOf(one), [['ann', 4]]);
    assert.deepEqual(await usageOf(other), [
      ['ann', 4],
      ['ben', 1],
    ]);
  });

  it('are told by a node that was only just started of whom it refuses', async () => {
    const { one, node } = await fleet();
    await times(5, () => one.charge(useOf('ann')));
    const late = await node();
    assert.deepEqual(await usageOf(late), []);
    assert.equal(await late.charge(useOf('ann')), false);
    assert.deepEqual(await usageOf(late), [['ann', 5]]);
    const [{ id }] = await late.desk.list(ALL);
    await late.desk.grant(id, 1, '', 'admin');
    assert.equal(await one.charge(useOf('ann')), true);
    assert.equal(await one.charge(useOf('ann')), false);
    await late.desk.reset(id, '', 'admin');
    assert.equal(await one.charge(useOf('ann')), true);
  });

  it('are told after a restart of those that came before it, as they stand now', async () => {
    const { other, node } = await fleet();
    const store = openSqliteStore(':memory:');
    const before = await node({ store: () => store });
    await before.charge(useOf('ann'));
    await before.keeper.collect();
    await other.charge(useOf('ann'));
    const again = await node({ store: () => store });
    await again.keeper.restore();
    assert.deepEqual(await usageOf(again), [['ann', 2]]);
  });

  it('leave alone what a node counted by itself before, and are none of its own afterwards', async () => {
    const store = openSqliteStore(':memory:');
    const alone = makeQuotas({ store: () => store });
    await times(3, () => alone.charge(useOf('ann')));
    await alone.keeper.collect();
    const { node } = await fleet();
    const shared = await node({ store: () => store });
    await shared.keeper.restore();
    assert.deepEqual(await usageOf(shared), [], 'nothing is used in the store');
    await times(4, () => shared.charge(useOf('ann', { limit: 9 })));
    await shared.charge(useOf('ben'));
    assert.deepEqual(await usageOf(shared), [
      ['ann', 4],
      ['ben', 1],
    ]);
    const again = makeQuotas({ store: () => store, maxQuotas: 16 });
    await again.keeper.restore();
    assert.equal(again.counters.readQuota(useOf('').scope, 'ann')?.used, 3);
    assert.equal(again.counters.readQuota(useOf('').scope, 'ben'), undefined, 'it takes up no place');
  });

  it('are forgotten by name with their window, and found in the next', async () => {
    const { one, other } = await fleet();
    await times(5, () => one.charge(useOf('ann')));
    await one.keeper.collect();
    one.clock.ms = NOW + HOUR_MS + 60_000;
    await one.keeper.collect();
    assert.equal((await one.store.quotas.kept(0)).length, 0);
    const next = useOf('ann', { startMs: NOW + HOUR_MS, endMs: NOW + 2 * HOUR_MS });
    await times(2, () => other.charge(next));
    await one.charge(next);
    assert.deepEqual(await usageOf(one), [['ann', 3]]);
  });

  it('are written down by name once in a window', async () => {
    const world = await make();
    let written = 0;
    const { put } = world.store.quotas;
    world.store.quotas.put = async (entries) => {
      written += entries.length;
      await put.call(world.store.quotas, entries);
    };
    for (let i = 0; i < 3; i++) {
      await world.charge(useOf('ann'));
      await world.keeper.collect();
    }
    assert.equal(written, 1);
    await world.charge(useOf('ann', { limit: 9 }));
    await world.keeper.collect();
    assert.equal(written, 2, 'its limit is another');
    const [{ limit, used }] = await world.desk.list(ALL);
    assert.deepEqual([limit, used], [9, 4]);
  });

  it('fill the disk with no flood of strangers, who keep out nobody that is proved', async () => {
    const { one } = await fleet({ maxNames: 8 });
    for (let i = 0; i < 20; i++)
      await one.charge(useOf(`198.51.100.${i}`, { by: 'address', unproven: true }));
    assert.equal((await one.desk.list({ ...ALL, limit: 100 })).length, 4);
    await one.charge(useOf('ann'));
    assert.deepEqual(
      (await one.desk.list({ ...ALL, key: 'ann' })).map(({ used }) => used),
      [1],
    );
    assert.deepEqual(
      one.logged.map(([event]) => event),
      ['quotas-not-listed'],
    );
    one.clock.ms = NOW + HOUR_MS + 60_000;
    const next = { startMs: NOW + HOUR_MS, endMs: NOW + 2 * HOUR_MS };
    await one.charge(useOf('203.0.113.1', { by: 'address', unproven: true, ...next }));
    assert.deepEqual(await usageOf(one), [['203.0.113.1', 1]], 'places are free again');
  });

  it('are neither told nor changed while the store is lost, and as they were when it is back', async () => {
    const own = await RedisServer.start(['--save', '', '--appendonly', 'no']);
    const world = await makeSharedQuotas(own.url);
    try {
      await times(2, () => world.charge(useOf('ann')));
      const [{ id }] = await world.desk.list(ALL);
      own.pause();
      const lost = { name: 'ProblemError', code: 'store-unavailable' };
      await assert.rejects(world.desk.list(ALL), lost);
      await assert.rejects(world.desk.get(id), lost);
      await assert.rejects(world.desk.reset(id, '', 'admin'), lost);
      assert.deepEqual(await world.store.listAudit({ limit: 10 }), [], 'nothing was tried');
      own.resume();
      await eventually(() =>
        world.desk.get(id).then(
          () => true,
          () => false,
        ),
      );
      assert.deepEqual(await usageOf(world), [['ann', 2]]);
      await own.kill();
      await eventually(() =>
        world.desk.list(ALL).then(
          () => false,
          () => true,
        ),
      );
      await own.run();
      await eventually(() =>
        world.desk.list(ALL).then(
          () => true,
          () => false,
        ),
      );
      assert.deepEqual(await usageOf(world), [], 'it came back empty');
    } finally {
      own.resume();
      await world.close();
      await own.stop();
    }
  });

  it('that are not there at the first look are told once they are', async () => {
    const own = await RedisServer.start();
    await own.kill();
    const world = await makeSharedQuotas(own.url);
    try {
      await world.charge(useOf('ann'));
      await assert.rejects(world.desk.list(ALL), { code: 'store-unavailable' });
      await own.run();
      await eventually(
        async () =>
          (await world.charge(useOf('ann'))) && (await world.standsAt(useOf('').scope, 'ann')) !== undefined,
      );
      await eventually(() =>
        world.desk.list(ALL).then(
          (found) => found.length === 1,
          () => false,
        ),
      );
    } finally {
      await world.close();
      await own.stop();
    }
  });
});
