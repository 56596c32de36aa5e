import assert from 'node:assert/strict';
import type { RolloutRow, RolloutStore, Store } from '../../src/store/index.ts';

const rollout = (n: number, more: Partial<RolloutRow> = {}): RolloutRow => ({
  id: `r${n}`,
  revision: n.toString(16).padStart(64, '0'),
  base: '',
  isOpen: false,
  startedAt: 1_800_000_000_000 + n,
  state: { phase: 'canary', step: n, reason: 'ünsafe "; DROP TABLE rollouts', nested: { list: [1, null] } },
  ...more,
});

const idsOf = (found: readonly { readonly id: string }[]): string[] => found.map(({ id }) => id);

/** What every store must do with rollouts. */
export function rolloutStoreContract(
  withStore: (title: string, run: (store: Store) => Promise<void>) => void,
): void {
  const rollouts = (title: string, run: (rollouts: RolloutStore) => Promise<void>): void =>
    withStore(title, (store) => run(store.rollouts));

  rollouts('has no rollouts at first', async (store) => {
    assert.equal(await store.open(), undefined);
    assert.equal(await store.get('r1'), undefined);
    assert.deepEqual(await store.list({ limit: 10 }), []);
    assert.equal(await store.update(rollout(1), 1), false);
    assert.equal(await store.prune(0), 0);
  });

  rollouts('begins no second one while one is open', async (store) => {
    await store.begin(rollout(1, { isOpen: true }));
    await assert.rejects(store.begin(rollout(2, { isOpen: true })), { code: 'conflict' });
    await assert.rejects(store.begin(rollout(1)), { code: 'conflict' });
    assert.equal(await store.get('r2'), undefined);
    // One that ended at once takes nobody's place.
    await store.begin(rollout(3));
    assert.equal((await store.open())?.id, 'r1');
    assert.equal(await store.update(rollout(1), 1), true);
    assert.equal(await store.open(), undefined);
    await store.begin(rollout(2, { isOpen: true }));
    assert.equal((await store.open())?.id, 'r2');
  });

  rollouts('lets one of two begin, whoever comes first', async (store) => {
    const tries = [1, 2, 3].map((n) => store.begin(rollout(n, { isOpen: true })));
    const results = await Promise.allSettled(tries);
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 1);
  });

  rollouts('gives a rollout back as it was put', async (store) => {
    await store.begin(rollout(1, { isOpen: true }));
    assert.deepEqual(await store.get('r1'), { number: 1, version: 1, ...rollout(1, { isOpen: true }) });
  });

  rollouts('is changed only by who knows its version', async (store) => {
    await store.begin(rollout(1, { isOpen: true }));
    const next = rollout(1, { isOpen: true, state: { phase: 'active' }, base: 'b'.repeat(64) });
    assert.equal(await store.update(rollout(1), 2), false);
    assert.equal(await store.update(next, 1), true);
    assert.equal(await store.update(rollout(1), 1), false);
    assert.deepEqual(await store.open(), { number: 1, version: 2, ...next });
    const both = await Promise.all([store.update(next, 2), store.update(rollout(1), 2)]);
    assert.deepEqual(both.toSorted(), [false, true]);
  });

  rollouts('lists them newest first, page by page', async (store) => {
    for (let n = 1; n <= 5; n++) await store.begin(rollout(n));
    const first = await store.list({ limit: 2 });
    assert.deepEqual(idsOf(first), ['r5', 'r4']);
    assert.deepEqual(idsOf(await store.list({ limit: 100, before: first[1].number })), ['r3', 'r2', 'r1']);
    assert.equal((await store.list({ limit: 0 })).length, 1);
  });

  rollouts('forgets the oldest that ended', async (store) => {
    await store.begin(rollout(1, { isOpen: true }));
    for (let n = 2; n <= 5; n++) await store.begin(rollout(n));
    assert.equal(await store.prune(2), 2);
    assert.deepEqual(idsOf(await store.list({ limit: 10 })), ['r5', 'r4', 'r1']);
  });

  activations(withStore);
}

const idOf = (n: number): string => n.toString(16).padStart(64, '0');

async function activate(store: Store, ...ns: readonly number[]): Promise<void> {
  for (const [at, n] of ns.entries()) {
    const texts = { document: `# ${n}`, files: {}, author: 'admin', reason: '' };
    await store.putRevision({ id: idOf(n), createdAt: n, ...texts });
    await store.setActive(idOf(n), at * 10);
  }
}

function activations(withStore: (title: string, run: (store: Store) => Promise<void>) => void): void {
  withStore('lists what was active, and how it became so', async (store) => {
    await activate(store, 1, 2);
    await store.setActive(idOf(1), 20, 'rollback');
    assert.deepEqual(await store.listActivations({ limit: 2 }), [
      { number: 3, id: idOf(1), at: 20, how: 'rollback' },
      { number: 2, id: idOf(2), at: 10, how: 'publish' },
    ]);
    assert.deepEqual(idsOf(await store.listActivations({ limit: 2, before: 2 })), [idOf(1)]);
  });

  withStore('forgets revisions that are neither new nor were active lately', async (store) => {
    // Active at 0, 10, 20, 30, 40: each until the next.
    await activate(store, 1, 2, 3, 4, 5);
    assert.equal(await store.pruneRevisions(1, 25), 2);
    const kept = await store.listRevisions({ limit: 10 });
    assert.deepEqual(idsOf(kept), [5, 4, 3].map(idOf));
    assert.deepEqual(idsOf(await store.listActivations({ limit: 10 })), [5, 4, 3].map(idOf));
    assert.equal(await store.pruneRevisions(1, 25), 0);
    assert.equal(await store.pruneRevisions(1, 1000), 2);
    assert.equal((await store.active())?.id, idOf(5));
  });

  withStore('keeps what is active, however old, and what is on its way', async (store) => {
    await activate(store, 1);
    for (const n of [2, 3, 4]) {
      const texts = { document: '', files: {}, author: 'admin', reason: '' };
      await store.putRevision({ id: idOf(n), createdAt: n, ...texts });
    }
    await store.rollouts.begin(rollout(2, { isOpen: true, revision: idOf(2), base: idOf(3) }));
    assert.equal(await store.pruneRevisions(0, 1000), 1);
    assert.deepEqual(idsOf(await store.listRevisions({ limit: 10 })), [3, 2, 1].map(idOf));
  });
}
