import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AuditEntry, RevisionEntry, Store } from '../../src/store/index.ts';
import { consumerStoreContract } from './consumer-store.contract.ts';
import { leaseTableContract } from './lease-table.contract.ts';
import { listStoreContract } from './list-store.contract.ts';
import { nodeTableContract } from './node-table.contract.ts';
import { quotaUsageStoreContract } from './quota-usage-store.contract.ts';
import { rolloutStoreContract } from './rollout-store.contract.ts';

/** Every test gets a store of its own, empty. */
export interface StoreUnderTest {
  readonly store: Store;
  /** Removes what was made for it; the store is closed by then. */
  readonly remove: () => Promise<void> | void;
}

const idOf = (n: number): string => n.toString(16).padStart(64, '0');

const revision = (n: number): RevisionEntry => ({
  id: idOf(n),
  document: `sallyport: 1 # "é"\n# ${n}\n`,
  files: { './a.yaml': 'openapi: 3.1.0\n', __proto__x: 'kept' },
  createdAt: 1_700_000_000_000 + n,
  author: 'admin',
  reason: n === 2 ? '' : `change ${n}; DROP TABLE revisions`,
});

const audit = (n: number): AuditEntry => ({
  at: 1_700_000_000_000 + n,
  actor: 'admin',
  action: 'revision.activate',
  subject: idOf(n),
  detail: { text: `line\n"${n}"`, number: 0.5, flag: true, none: null },
});

/** What every store must do, whatever it stands on. */
export function storeContract(name: string, open: () => Promise<StoreUnderTest>): void {
  const withStore = (title: string, run: (store: Store) => Promise<void>): void => {
    test(title, async () => {
      const { store, remove } = await open();
      try {
        await run(store);
      } finally {
        await store.close().catch(() => undefined);
        await remove();
      }
    });
  };

  describe(`store: ${name}`, () => {
    withStore('is empty at first', async (store) => {
      assert.equal(await store.getRevision(idOf(1)), undefined);
      assert.equal(await store.active(), undefined);
      assert.deepEqual(await store.listRevisions({ limit: 10 }), []);
      assert.deepEqual(await store.listAudit({ limit: 10 }), []);
      assert.deepEqual(await store.verifyAudit(), {
        intact: true,
        head: { number: 0, hash: '0'.repeat(64) },
      });
    });

    withStore('gives a revision back as it was put', async (store) => {
      await store.putRevision(revision(1));
      assert.deepEqual(await store.getRevision(idOf(1)), { number: 1, ...revision(1) });
    });

    withStore('never changes a revision', async (store) => {
      await store.putRevision(revision(1));
      await store.putRevision({ ...revision(1), document: 'other', author: 'mallory' });
      assert.deepEqual(await store.getRevision(idOf(1)), { number: 1, ...revision(1) });
      assert.equal((await store.listRevisions({ limit: 10 })).length, 1);
    });

    withStore('lists revisions newest first, page by page, without texts', async (store) => {
      for (let n = 1; n <= 5; n++) await store.putRevision(revision(n));
      const first = await store.listRevisions({ limit: 2 });
      assert.deepEqual(
        first.map((r) => r.id),
        [idOf(5), idOf(4)],
      );
      assert.deepEqual(Object.keys(first[0]).sort(), ['author', 'createdAt', 'id', 'number', 'reason']);
      const rest = await store.listRevisions({ limit: 100, before: first[1].number });
      assert.deepEqual(
        rest.map((r) => r.id),
        [idOf(3), idOf(2), idOf(1)],
      );
    });

    withStore('knows the revision that was activated last, also an old one again', async (store) => {
      await store.putRevision(revision(1));
      await store.putRevision(revision(2));
      for (const [n, at] of [
        [1, 10],
        [2, 20],
        [1, 20],
      ])
        await store.setActive(idOf(n), at);
      assert.deepEqual(await store.active(), { id: idOf(1), at: 20 });
    });

    withStore('refuses to activate what it does not hold', async (store) => {
      await assert.rejects(store.setActive(idOf(9), 1), { name: 'StoreError', code: 'not-found' });
      assert.equal(await store.active(), undefined);
    });

    withStore('keeps audit entries in order, chained', async (store) => {
      const heads = [];
      for (let n = 1; n <= 5; n++) heads.push(await store.appendAudit(audit(n)));
      assert.deepEqual(
        heads.map((h) => h.number),
        [1, 2, 3, 4, 5],
      );
      assert.equal(new Set(heads.map((h) => h.hash)).size, 5);
      const page = await store.listAudit({ limit: 2, before: 5 });
      assert.deepEqual(page, [
        { number: 4, hash: heads[3].hash, ...audit(4) },
        { number: 3, hash: heads[2].hash, ...audit(3) },
      ]);
      assert.deepEqual(await store.verifyAudit(), { intact: true, head: heads[4] });
      for (const head of heads) assert.equal((await store.verifyAudit(head)).intact, true);
    });

    withStore('links an entry to all before it', async (store) => {
      const { store: other, remove } = await open();
      await store.appendAudit(audit(1));
      await other.appendAudit(audit(2));
      const heads = [await store.appendAudit(audit(3)), await other.appendAudit(audit(3))];
      assert.notEqual(heads[0].hash, heads[1].hash);
      await other.close();
      await remove();
    });

    withStore('does not hold a head of another chain', async (store) => {
      await store.appendAudit(audit(1));
      const foreign = await store.verifyAudit({ number: 1, hash: 'f'.repeat(64) });
      assert.deepEqual(foreign, { intact: false, number: 1, fault: 'edited' });
      const longer = await store.verifyAudit({ number: 2, hash: 'f'.repeat(64) });
      assert.deepEqual(longer, { intact: false, number: 2, fault: 'truncated' });
    });

    withStore('loses no entry to appends at the same time', async (store) => {
      await Promise.all(Array.from({ length: 50 }, (_, n) => store.appendAudit(audit(n))));
      const verified = await store.verifyAudit();
      assert.ok(verified.intact);
      assert.equal(verified.head.number, 50);
    });

    withStore('bounds a page', async (store) => {
      for (let n = 1; n <= 3; n++) await store.appendAudit(audit(n));
      assert.equal((await store.listAudit({ limit: 0 })).length, 1);
      assert.equal((await store.listAudit({ limit: -1 })).length, 1);
      assert.equal((await store.listAudit({ limit: 1e9 })).length, 3);
    });

    consumerStoreContract(withStore);
    listStoreContract(withStore);
    quotaUsageStoreContract(withStore);
    rolloutStoreContract(withStore);
    nodeTableContract(withStore);
    leaseTableContract(withStore);

    withStore('says so when it is used after close', async (store) => {
      await store.close();
      await assert.rejects(store.active(), { name: 'StoreError', code: 'closed' });
    });
  });
}
