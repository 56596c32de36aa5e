import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { keyDigest } from '../../src/lib/key-digest.ts';
import type { Store } from '../../src/store/index.ts';
import { NOW } from '../fixtures/callers.ts';
import { HOUR_MS, type QuotasUnderTest, useOf } from '../fixtures/quotas.ts';

const ALL = { limit: 10, after: '' };
const NOBODY = '0'.repeat(24);
const SCOPE = useOf('').scope;

const listed = async ({ desk }: QuotasUnderTest, more: object = {}) =>
  (await desk.list({ ...ALL, ...more })).map(({ key, used, carried }) => [key, used, carried]);
const idOf = async ({ desk }: QuotasUnderTest, key: string): Promise<string> => {
  const [entry] = await desk.list({ ...ALL, key });
  assert.ok(entry !== undefined);
  return entry.id;
};
const actions = async ({ store }: QuotasUnderTest): Promise<string[]> =>
  (await store.listAudit({ limit: 10 })).map(({ action }) => action);

type Make = (more?: { store?: () => Store | undefined }) => Promise<QuotasUnderTest>;

/** What those who look after usage can do, wherever it is counted. */
export function quotaDeskContract(where: string, make: Make): void {
  describe(`the desk of quotas ${where}`, () => {
    it('lists what is used to the last request, by caller', async () => {
      const world = await make();
      assert.deepEqual(await listed(world), []);
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

    it('tells of the window that is counted in, and what was carried into it', async () => {
      const world = await make();
      for (let i = 0; i < 3; i++) await world.charge(useOf('ann', { carryOver: 9 }));
      world.clock.ms = NOW + HOUR_MS;
      const window = { startMs: NOW + HOUR_MS, endMs: NOW + 2 * HOUR_MS };
      await world.charge(useOf('ann', { carryOver: 9, limit: 6, ...window }));
      const [{ id, scope: _scope, ...entry }] = await world.desk.list(ALL);
      const { used, carried, limit, startMs, endMs, attachment, name, by, key, shadow } = entry;
      assert.deepEqual([used, carried, limit, startMs, endMs], [1, 3, 6, window.startMs, window.endMs]);
      assert.deepEqual(
        [attachment, name, by, key, shadow],
        ['route:orders/quota', 'hourly', 'consumer', 'ann', false],
      );
      assert.deepEqual((await world.desk.get(id)).used, 1);
    });

    it('gives pages of what there is, one after the other', async () => {
      const world = await make();
      for (let i = 0; i < 250; i++) await world.charge(useOf(`caller ${String(i).padStart(3, '0')}`));
      const found: string[] = [];
      let after = '';
      for (let pages = 0; pages < 4; pages++) {
        const page = await world.desk.list({ limit: 100, after });
        found.push(...page.map(({ key }) => key));
        after = page.at(-1)?.id ?? after;
      }
      assert.deepEqual(found, found.toSorted());
      assert.equal(new Set(found).size, 250);
      assert.equal(found.length, 250);
    });

    it('finds a caller by its key, and by the value that a digest stands for', async () => {
      const world = await make();
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
      const world = await make();
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

    it('gives back what was used, and not what was carried over', async () => {
      const world = await make();
      await world.charge(useOf('ann', { carryOver: 9 }));
      world.clock.ms = NOW + HOUR_MS;
      const next = useOf('ann', { carryOver: 9, startMs: NOW + HOUR_MS, endMs: NOW + 2 * HOUR_MS });
      for (let i = 0; i < 9; i++) assert.equal(await world.charge(next), true);
      assert.equal(await world.charge(next), false);
      const changed = await world.desk.reset(await idOf(world, 'ann'), '', 'admin');
      assert.deepEqual([changed.used, changed.carried], [0, 4]);
      for (let i = 0; i < 9; i++) assert.equal(await world.charge(next), true);
      assert.equal(await world.charge(next), false);
    });

    it('adds to a limit until the window ends', async () => {
      const world = await make();
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

    it('loses nothing that is charged or changed at the same time', async () => {
      const world = await make();
      const use = useOf('ann', { limit: 1000 });
      await world.charge(use);
      const id = await idOf(world, 'ann');
      const work: Promise<unknown>[] = [];
      for (let i = 0; i < 20; i++) {
        work.push(world.charge(use), world.desk.grant(id, 3, '', 'admin'));
      }
      await Promise.all(work);
      assert.deepEqual(await listed(world), [['ann', 21, 60]]);
    });

    const refusals: readonly (readonly [
      name: string,
      code: string,
      ask: (world: QuotasUnderTest) => Promise<unknown>,
    ])[] = [
      ['what nobody has used', 'not-found', ({ desk }) => desk.get(NOBODY)],
      ['a reset of that', 'not-found', ({ desk }) => desk.reset(NOBODY, '', 'admin')],
      ['a page after nothing', 'invalid-request', ({ desk }) => desk.list({ ...ALL, after: NOBODY })],
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
          await world.desk.reset(id, '', 'admin').finally(() => {
            world.clock.ms = NOW;
          });
        },
      ],
    ];
    for (const [name, code, ask] of refusals) {
      it(`refuses ${name}, and changes nothing`, async () => {
        const world = await make();
        await world.charge(useOf('ann'));
        await assert.rejects(ask(world), { name: 'ProblemError', code });
        assert.deepEqual(await actions(world), []);
        assert.deepEqual(await world.standsAt(SCOPE, 'ann'), { startMs: NOW, used: 1, carried: 0 });
      });
    }

    it('gives nobody more where it cannot be written down', async () => {
      const world = await make();
      await world.charge(useOf('ann'));
      const id = await idOf(world, 'ann');
      await world.store.close();
      await assert.rejects(world.desk.reset(id, '', 'admin'), { name: 'StoreError' });
      assert.equal((await world.standsAt(SCOPE, 'ann'))?.used, 1);
    });

    it('says that there is nothing to write it down in', async () => {
      const without = await make({ store: () => undefined });
      await assert.rejects(without.desk.list(ALL), { code: 'store-unavailable' });
      await assert.rejects(without.desk.reset(NOBODY, '', 'admin'), { code: 'store-unavailable' });
    });
  });
}
