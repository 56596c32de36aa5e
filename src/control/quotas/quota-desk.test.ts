import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NOW } from '../../../test/fixtures/callers.ts';
import { HOUR_MS, makeQuotas, type QuotasUnderTest, useOf } from '../../../test/fixtures/quotas.ts';
import { keyDigest } from '../../lib/key-digest.ts';

const ALL = { limit: 10, after: '' };
const listed = async ({ desk }: QuotasUnderTest, more: object = {}) =>
  (await desk.list({ ...ALL, ...more })).map(({ key, used, carried }) => [key, used, carried]);
const idOf = async ({ desk }: QuotasUnderTest, key: string): Promise<string> => {
  const [entry] = await desk.list({ ...ALL, key });
  assert.ok(entry !== undefined);
  return entry.id;
};
const actions = async ({ store }: QuotasUnderTest): Promise<string[]> =>
  (await store.listAudit({ limit: 10 })).map(({ action }) => action);

describe('the desk of quotas', () => {
  it('lists what is used to the last request, by caller', async () => {
    const world = makeQuotas();
    await world.charge(useOf('ben'));
    assert.deepEqual(await listed(world), [['ben', 1, 0]]);
    await world.charge(useOf('ann'));
    await world.charge(useOf('ben'));
    assert.deepEqual(await listed(world), [
      ['ann', 1, 0],
      ['ben', 2, 0],
    ]);
    world.clock.ms = NOW + HOUR_MS;
    assert.deepEqual(await listed(world), [], 'its window has ended');
  });

  it('finds a caller by its key, and by the value that a digest stands for', async () => {
    const world = makeQuotas();
    await world.charge(useOf('ann'));
    await world.charge(useOf(keyDigest('acme'), { by: 'header x-tenant', scope: 'other' }));
    assert.deepEqual(await listed(world, { key: 'ann' }), [['ann', 1, 0]]);
    assert.deepEqual(await listed(world, { key: 'acme' }), [[keyDigest('acme'), 1, 0]]);
    assert.deepEqual(await listed(world, { by: 'header x-tenant' }), [[keyDigest('acme'), 1, 0]]);
    assert.deepEqual(await listed(world, { attachment: 'route:orders/quota', by: 'consumer' }), [
      ['ann', 1, 0],
    ]);
    assert.deepEqual(await listed(world, { key: 'nobody' }), []);
  });

  it('gives back all that was used, at once, with an entry in the audit before it', async () => {
    const world = makeQuotas();
    for (let i = 0; i < 5; i++) await world.charge(useOf('ann'));
    assert.equal(await world.charge(useOf('ann')), false);
    const changed = await world.desk.reset(await idOf(world, 'ann'), 'a mistake', 'admin');
    assert.deepEqual([changed.used, changed.carried], [0, 0]);
    assert.equal(await world.charge(useOf('ann')), true);
    assert.deepEqual(await listed(world), [['ann', 1, 0]]);
    const [{ action, actor, subject, detail }] = await world.store.listAudit({ limit: 1 });
    assert.deepEqual([action, actor, subject], ['quota.reset', 'admin', changed.id]);
    assert.deepEqual(detail, {
      attachment: 'route:orders/quota',
      quota: 'hourly',
      by: 'consumer',
      key: 'ann',
      used: 5,
      reason: 'a mistake',
    });
  });

  it('adds to a limit until the window ends', async () => {
    const world = makeQuotas();
    for (let i = 0; i < 5; i++) await world.charge(useOf('ann'));
    const changed = await world.desk.grant(await idOf(world, 'ann'), 2, '', 'admin');
    assert.deepEqual([changed.used, changed.carried], [5, 2]);
    assert.equal(await world.charge(useOf('ann')), true);
    assert.equal(await world.charge(useOf('ann')), true);
    assert.equal(await world.charge(useOf('ann')), false);
    assert.deepEqual(await listed(world), [['ann', 7, 2]]);
    assert.deepEqual(await actions(world), ['quota.grant']);
    world.clock.ms = NOW + HOUR_MS;
    const next = useOf('ann', { startMs: NOW + HOUR_MS, endMs: NOW + 2 * HOUR_MS });
    for (let i = 0; i < 5; i++) assert.equal(await world.charge(next), true);
    assert.equal(await world.charge(next), false);
  });

  const refusals: readonly (readonly [
    name: string,
    code: string,
    ask: (world: QuotasUnderTest) => Promise<unknown>,
  ])[] = [
    ['what nobody has used', 'not-found', ({ desk }) => desk.get('0'.repeat(24))],
    ['a reset of that', 'not-found', ({ desk }) => desk.reset('0'.repeat(24), '', 'admin')],
    ['a page after nothing', 'invalid-request', ({ desk }) => desk.list({ ...ALL, after: '0'.repeat(24) })],
    [
      'more than can be counted',
      'conflict',
      async (world) => await world.desk.grant(await idOf(world, 'ann'), 2 ** 53, '', 'admin'),
    ],
    [
      'a window that has ended',
      'not-found',
      async (world) => {
        const id = await idOf(world, 'ann');
        world.clock.ms = NOW + HOUR_MS;
        await world.desk.reset(id, '', 'admin');
      },
    ],
  ];
  for (const [name, code, ask] of refusals) {
    it(`refuses ${name}, and changes nothing`, async () => {
      const world = makeQuotas();
      await world.charge(useOf('ann'));
      await assert.rejects(ask(world), { name: 'ProblemError', code });
      assert.deepEqual(await actions(world), []);
      assert.deepEqual(world.counters.readQuota(scopeOf(), 'ann'), { startMs: NOW, used: 1, carried: 0 });
    });
  }

  it('gives nobody more where it cannot be written down', async () => {
    const world = makeQuotas();
    await world.charge(useOf('ann'));
    const id = await idOf(world, 'ann');
    await world.store.close();
    await assert.rejects(world.desk.reset(id, '', 'admin'), { name: 'StoreError' });
    assert.equal(world.counters.readQuota(scopeOf(), 'ann')?.used, 1);
  });

  it('says that there is no store, or that another one counts', async () => {
    const without = makeQuotas({ store: () => undefined });
    await assert.rejects(without.desk.list(ALL), { code: 'store-unavailable' });
    const shared = makeQuotas({ isShared: true });
    await assert.rejects(shared.desk.list(ALL), { code: 'conflict' });
    await assert.rejects(shared.desk.reset('0'.repeat(24), '', 'admin'), { code: 'conflict' });
  });
});

const scopeOf = (): string => useOf('').scope;
