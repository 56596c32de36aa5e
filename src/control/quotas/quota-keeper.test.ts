import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NOW } from '../../../test/fixtures/callers.ts';
import { HOUR_MS, makeQuotas, type QuotasUnderTest, useOf } from '../../../test/fixtures/quotas.ts';
import type { QuotaNote } from '../../state/index.ts';
import { openSqliteStore, type Store, StoreError } from '../../store/index.ts';

const kept = async ({ store, clock }: QuotasUnderTest) =>
  (await store.quotas.kept(clock.ms)).map(({ key, used, limit, carried, endMs }) => ({
    key,
    used,
    limit,
    carried,
    endMs,
  }));

const times = async (count: number, work: () => Promise<unknown>): Promise<void> => {
  for (let i = 0; i < count; i++) await work();
};

describe('the keeper of quotas', () => {
  it('refuses on after a restart where a quota was used up, and another goes on where it was', async () => {
    const store = openSqliteStore(':memory:');
    const before = makeQuotas({ store: () => store });
    await times(5, () => before.charge(useOf('ann')));
    await times(3, () => before.charge(useOf('ben')));
    await before.keeper.collect();
    const after = makeQuotas({ store: () => store });
    await after.keeper.restore();
    assert.equal(await after.charge(useOf('ann')), false);
    assert.equal(await after.charge(useOf('ben')), true);
    assert.equal(await after.charge(useOf('ben')), true);
    assert.equal(await after.charge(useOf('ben')), false);
    assert.equal(await after.charge(useOf('cyd')), true);
    assert.deepEqual(
      after.logged.map(([event]) => event),
      ['quotas-restored'],
    );
  });

  it('writes what has changed, as it stands, under all that is known of it', async () => {
    const world = makeQuotas();
    await times(2, () => world.charge(useOf('ann')));
    await world.keeper.collect();
    await world.charge(useOf('ann', { limit: 9 }));
    await world.charge(useOf('t', { by: 'header x-tenant', scope: 'other', carryOver: 2 }));
    await world.keeper.collect();
    assert.deepEqual(await kept(world), [
      { key: 't', used: 1, limit: 5, carried: 0, endMs: NOW + HOUR_MS },
      { key: 'ann', used: 3, limit: 9, carried: 0, endMs: NOW + HOUR_MS },
    ]);
    const [entry] = await world.store.quotas.list({ nowMs: NOW, limit: 1 });
    const { id, ...rest } = entry;
    assert.match(id, /^[0-9a-f]{24}$/);
    assert.deepEqual(rest, {
      scope: 'other',
      key: 't',
      attachment: 'route:orders/quota',
      name: 'hourly',
      by: 'header x-tenant',
      shadow: false,
      unproven: false,
      limit: 5,
      startMs: NOW,
      endMs: NOW + HOUR_MS,
      used: 1,
      carried: 0,
      carryOver: 2,
      keptUntilMs: NOW + 9 * HOUR_MS,
    });
    assert.equal(world.gauge.value, 0);
  });

  it('carries over, after a restart, what a window before it left', async () => {
    const store = openSqliteStore(':memory:');
    const before = makeQuotas({ store: () => store });
    await times(2, () => before.charge(useOf('ann', { carryOver: 2 })));
    await before.keeper.collect();
    const after = makeQuotas({ store: () => store });
    after.clock.ms = NOW + HOUR_MS;
    await after.keeper.restore();
    const next = useOf('ann', { carryOver: 2, startMs: NOW + HOUR_MS, endMs: NOW + 2 * HOUR_MS });
    await times(7, async () => assert.equal(await after.charge(next), true));
    assert.equal(await after.charge(next), false);
  });

  it('restores nothing of a window that has ended', async () => {
    const store = openSqliteStore(':memory:');
    const before = makeQuotas({ store: () => store });
    await times(5, () => before.charge(useOf('ann')));
    await before.keeper.collect();
    const after = makeQuotas({ store: () => store });
    after.clock.ms = NOW + HOUR_MS;
    await after.keeper.restore();
    assert.equal(
      await after.charge(useOf('ann', { startMs: NOW + HOUR_MS, endMs: NOW + 2 * HOUR_MS })),
      true,
    );
    assert.deepEqual(after.logged, []);
  });

  it('keeps the later window where a worker still told of the one before', async () => {
    const later = useOf('ann', { startMs: NOW + HOUR_MS, endMs: NOW + 2 * HOUR_MS });
    const noteOf = ({ scope, key, ...charge }: typeof later): QuotaNote => {
      assert.ok(charge.kind === 'quota');
      return { scope, key, rule: charge.rule };
    };
    const world = makeQuotas({ collectQuotas: async () => [noteOf(later), noteOf(useOf('ann'))] });
    world.clock.ms = NOW + HOUR_MS;
    await world.charge(later);
    await world.keeper.collect();
    assert.deepEqual(
      (await kept(world)).map(({ endMs, used }) => [endMs, used]),
      [[NOW + 2 * HOUR_MS, 1]],
    );
  });

  it('tells once of a store that fails, tries again, and loses nothing', async () => {
    const store = openSqliteStore(':memory:');
    let isFailing = true;
    const own = store.quotas;
    const put: Store['quotas']['put'] = async (entries) => {
      if (isFailing) throw new StoreError('unavailable', 'the disk is full');
      await own.put(entries);
    };
    Object.defineProperty(store, 'quotas', { value: { put, kept: async () => [], forget: async () => 0 } });
    const world = makeQuotas({ store: () => store });
    await world.charge(useOf('ann'));
    await world.keeper.collect();
    await world.charge(useOf('ben'));
    await world.keeper.collect();
    assert.deepEqual(
      world.logged.map(([event]) => event),
      ['quotas-not-kept'],
    );
    assert.equal(world.gauge.value, 2);
    isFailing = false;
    await world.keeper.collect();
    assert.equal(world.gauge.value, 0);
    assert.deepEqual(
      (await own.kept(NOW)).map(({ key, used }) => [key, used]),
      [
        ['ann', 1],
        ['ben', 1],
      ],
    );
    isFailing = true;
    await world.charge(useOf('ann'));
    await world.keeper.collect();
    assert.equal(world.logged.length, 2, 'the next failure is told of again');
  });

  it('counts on without a store, and tells once that nothing is kept', async () => {
    const world = makeQuotas({ store: () => undefined });
    await world.keeper.restore();
    await times(5, () => world.charge(useOf('ann')));
    await world.keeper.collect();
    await world.keeper.collect();
    assert.equal(await world.charge(useOf('ann')), false);
    assert.deepEqual(
      world.logged.map(([event]) => event),
      ['quotas-not-kept'],
    );
    assert.equal(world.gauge.value, 1);
  });

  it('serves where usage cannot be read, and says so', async () => {
    const store = openSqliteStore(':memory:');
    await store.close();
    const world = makeQuotas({ store: () => store });
    await world.keeper.restore();
    assert.deepEqual(
      world.logged.map(([event]) => event),
      ['quotas-not-restored'],
    );
    assert.equal(await world.charge(useOf('ann')), true);
  });

  it('adds what it could not read at first to what was used meanwhile, before it writes', async () => {
    const store = openSqliteStore(':memory:');
    const before = makeQuotas({ store: () => store });
    await times(4, () => before.charge(useOf('ann')));
    await before.charge(useOf('ben'));
    await before.keeper.collect();
    const read = store.quotas.kept.bind(store.quotas);
    store.quotas.kept = () => Promise.reject(new StoreError('unavailable', 'lost'));
    const world = makeQuotas({ store: () => store });
    await world.keeper.restore();
    assert.equal(await world.charge(useOf('ann')), true);
    await world.keeper.collect();
    assert.equal((await read(NOW)).find(({ key }) => key === 'ann')?.used, 4, 'nothing was forgotten');
    store.quotas.kept = read;
    await world.keeper.collect();
    assert.deepEqual(
      (await kept(world)).map(({ key, used }) => [key, used]),
      [
        ['ann', 5],
        ['ben', 1],
      ],
    );
    assert.equal(await world.charge(useOf('ann')), false);
    await world.keeper.collect();
    assert.equal((await read(NOW)).find(({ key }) => key === 'ann')?.used, 5, 'and nothing counted twice');
  });

  it('says how many it could not restore since the table is full', async () => {
    const store = openSqliteStore(':memory:');
    const before = makeQuotas({ store: () => store });
    for (let i = 0; i < 64; i++) await before.charge(useOf(`caller-${i}`));
    await before.keeper.collect();
    const after = makeQuotas({ store: () => store, maxQuotas: 16 });
    await after.keeper.restore();
    assert.deepEqual(
      after.logged.map(([event, fields]) => [event, 'lost' in fields ? fields.lost : undefined]),
      [
        ['quotas-not-restored', 48],
        ['quotas-restored', undefined],
      ],
    );
  });

  it('forgets what means nothing any more, while it runs on', async () => {
    const world = makeQuotas();
    await world.charge(useOf('ann'));
    await world.keeper.collect();
    const counted = async () => (await world.store.quotas.kept(0)).length;
    world.clock.ms = NOW + HOUR_MS - 1;
    await world.keeper.collect();
    assert.equal(await counted(), 1);
    world.clock.ms = NOW + HOUR_MS + 60_000;
    await world.keeper.collect();
    assert.equal(await counted(), 0);
  });

  it('writes many in turns of the event loop, each once', async () => {
    const world = makeQuotas({ maxQuotas: 65_536 });
    for (let i = 0; i < 10_001; i++) await world.charge(useOf(`caller-${i}`));
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await world.keeper.collect();
    isOver = true;
    assert.ok(turns >= 3, `${turns}`);
    assert.equal((await world.store.quotas.kept(NOW)).length, 10_001);
  });

  it('has all that was charged before it was asked, whatever was under way', async () => {
    const world = makeQuotas();
    await world.charge(useOf('ann'));
    const first = world.keeper.collect();
    await world.charge(useOf('ann'));
    await world.keeper.refresh();
    await first;
    assert.deepEqual(
      (await kept(world)).map(({ used }) => used),
      [2],
    );
  });
});
