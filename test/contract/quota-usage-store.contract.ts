import assert from 'node:assert/strict';
import type { QuotaUsageEntry, QuotaUsageStore, Store } from '../../src/store/index.ts';

const AT = 1_800_000_000_000;

const usage = (n: number, more: Partial<QuotaUsageEntry> = {}): QuotaUsageEntry => ({
  id: n.toString(16).padStart(24, '0'),
  scope: 'route:orders/quota own month by consumer',
  key: `caller-${n}`,
  attachment: 'route:orders/quota',
  name: 'monthly',
  by: 'consumer',
  shadow: false,
  unproven: false,
  limit: 1_000_000_000_000,
  startMs: AT - 1000,
  endMs: AT + 1000,
  used: n,
  carried: 0,
  carryOver: 0,
  keptUntilMs: AT + 1000,
  ...more,
});

const idsOf = (found: readonly { readonly id: string }[]): string[] => found.map(({ id }) => id);

/** What every store must do with usage of quotas. */
export function quotaUsageStoreContract(
  withStore: (title: string, run: (store: Store) => Promise<void>) => void,
): void {
  const quotas = (title: string, run: (quotas: QuotaUsageStore) => Promise<void>): void =>
    withStore(title, (store) => run(store.quotas));
  const all = { nowMs: AT, limit: 10 };

  quotas('has no usage at first', async (store) => {
    assert.equal(await store.get(usage(1).id), undefined);
    assert.deepEqual(await store.list(all), []);
    assert.deepEqual(await store.kept(AT), []);
    await store.put([]);
  });

  quotas('gives usage back as it was put, the last one of a caller', async (store) => {
    const odd = usage(2, {
      key: "'; DROP TABLE quota_usage; --é",
      shadow: true,
      unproven: true,
      carried: 3,
      carryOver: 5,
    });
    await store.put([usage(1), odd]);
    await store.put([usage(1, { used: 7, limit: 9 })]);
    assert.deepEqual(await store.get(usage(1).id), usage(1, { used: 7, limit: 9 }));
    assert.deepEqual(await store.get(odd.id), odd);
    assert.deepEqual(await store.list(all), [odd, usage(1, { used: 7, limit: 9 })]);
  });

  quotas('puts all or none', async (store) => {
    await store.put([usage(1)]);
    const broken = usage(3, { used: Number.NaN });
    await assert.rejects(store.put([usage(1, { used: 9 }), broken]), { name: 'StoreError' });
    assert.equal((await store.get(usage(1).id))?.used, 1);
    assert.equal(await store.get(broken.id), undefined);
  });

  quotas('lists by what is counted and by key, page by page', async (store) => {
    const other = usage(9, {
      scope: 'route:a/quota own day by address',
      attachment: 'route:a/quota',
      by: 'address',
    });
    await store.put([usage(3), usage(1), other, usage(2)]);
    const sorted = [other, usage(1), usage(2), usage(3)];
    assert.deepEqual(idsOf(await store.list(all)), idsOf(sorted));
    const first = await store.list({ nowMs: AT, limit: 2 });
    assert.deepEqual(idsOf(first), idsOf(sorted.slice(0, 2)));
    const rest = await store.list({ nowMs: AT, limit: 2, after: first[1]?.id });
    assert.deepEqual(idsOf(rest), idsOf(sorted.slice(2)));
    assert.deepEqual(await store.list({ nowMs: AT, limit: 2, after: rest[1]?.id }), []);
    await assert.rejects(store.list({ ...all, after: 'f'.repeat(24) }), { code: 'not-found' });
  });

  quotas('lists what is asked for', async (store) => {
    const other = usage(9, {
      scope: 'route:a/quota own day by address',
      attachment: 'route:a/quota',
      by: 'address',
    });
    await store.put([usage(1), usage(2), other]);
    assert.deepEqual(idsOf(await store.list({ ...all, attachment: 'route:a/quota' })), [other.id]);
    assert.deepEqual(idsOf(await store.list({ ...all, by: 'address' })), [other.id]);
    assert.deepEqual(idsOf(await store.list({ ...all, keys: ['caller-2', 'x'] })), [usage(2).id]);
    assert.deepEqual(await store.list({ ...all, by: 'address', keys: ['caller-2'] }), []);
  });

  quotas('lists no window that has ended, and forgets what means nothing any more', async (store) => {
    const over = usage(2, { endMs: AT });
    const carrying = usage(3, { endMs: AT, keptUntilMs: AT + 5000 });
    await store.put([usage(1), over, carrying]);
    assert.deepEqual(idsOf(await store.list(all)), [usage(1).id]);
    assert.deepEqual(idsOf(await store.kept(AT + 999)), idsOf([usage(1), over, carrying]));
    assert.deepEqual(idsOf(await store.kept(AT + 1000)), [carrying.id]);
    assert.equal(await store.forget(AT + 999, 10), 0);
    assert.equal(await store.forget(AT + 1000, 1), 1, 'no more than is asked for');
    assert.equal(await store.forget(AT + 1000, 10), 1);
    assert.equal(await store.get(usage(1).id), undefined);
    assert.deepEqual(idsOf(await store.kept(AT)), [carrying.id]);
    assert.equal(await store.forget(AT + 5000, 10), 1);
    assert.deepEqual(await store.kept(AT), []);
  });
}
