import assert from 'node:assert/strict';
import { ROLLOUT_LEASE, type Store } from '../../src/store/index.ts';

const HOUR_MS = 3_600_000;

const rollout = (step: number) => ({
  id: 'r',
  revision: '1'.padStart(64, '0'),
  base: '',
  isOpen: true,
  startedAt: 1,
  state: { step },
});

/** What every store must do with leases, and with writes of those who held one. */
export function leaseTableContract(
  withStore: (title: string, run: (store: Store) => Promise<void>) => void,
): void {
  withStore('gives a lease to one at a time', async ({ leases }) => {
    const all = await Promise.all(['a', 'b', 'c'].map((holder) => leases.take('x', holder, HOUR_MS)));
    assert.equal(all.filter((fence) => fence !== undefined).length, 1);
    const holder = ['a', 'b', 'c'][all.findIndex((fence) => fence !== undefined)] ?? '';
    // Renewed, it is the same one; another name is another lease.
    assert.equal(await leases.take('x', holder, HOUR_MS), 1);
    assert.equal(await leases.take('y', 'z', HOUR_MS), 1);
    assert.equal(await leases.take('x', 'z', HOUR_MS), undefined);
  });

  withStore(
    'gives a lease to another when it has run out or was given up, and tells by its fence',
    async ({ leases }) => {
      assert.equal(await leases.take('x', 'a', 0), 1);
      assert.equal(await leases.take('x', 'b', HOUR_MS), 2);
      assert.equal(await leases.take('x', 'a', HOUR_MS), undefined);
      await leases.release('x', 'a');
      assert.equal(await leases.take('x', 'a', HOUR_MS), undefined);
      await leases.release('x', 'b');
      assert.equal(await leases.take('x', 'a', HOUR_MS), 3);
      await leases.release('x', 'a');
      // Nobody was there in between.
      assert.equal(await leases.take('x', 'a', HOUR_MS), 3);
    },
  );

  withStore('takes no change of a rollout from who has lost the lease', async ({ rollouts, leases }) => {
    await rollouts.begin(rollout(0));
    assert.equal(await rollouts.update(rollout(1), 1, 7), false);
    const first = await leases.take(ROLLOUT_LEASE, 'a', 0);
    assert.equal(await rollouts.update(rollout(1), 1, first), true);
    const second = await leases.take(ROLLOUT_LEASE, 'b', HOUR_MS);
    assert.equal(await rollouts.update(rollout(2), 2, first), false);
    assert.deepEqual((await rollouts.get('r'))?.state, { step: 1 });
    assert.equal(await rollouts.update(rollout(3), 1, second), false);
    assert.equal(await rollouts.update(rollout(3), 2, second), true);
    // A person's word needs no lease.
    assert.equal(await rollouts.update(rollout(4), 3), true);
  });

  withStore('activates nothing for who has lost the lease', async (store) => {
    const id = 'f'.repeat(64);
    await store.putRevision({ id, document: '', files: {}, createdAt: 1, author: '', reason: '' });
    const first = await store.leases.take(ROLLOUT_LEASE, 'a', 0);
    await store.leases.take(ROLLOUT_LEASE, 'b', HOUR_MS);
    await assert.rejects(store.setActive(id, 1, 'publish', first), { code: 'conflict' });
    await assert.rejects(store.setActive(id, 1, 'publish', 99), { code: 'conflict' });
    assert.equal(await store.active(), undefined);
    await store.setActive(id, 1, 'publish', 2);
    assert.equal((await store.active())?.id, id);
  });
}
