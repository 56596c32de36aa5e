import assert from 'node:assert/strict';
import { it } from 'node:test';
import { openSqliteStore, StoreError } from '../../store/index.ts';
import { pruneStore } from './prune.ts';

const DAY_MS = 86_400_000;
const NOW = 1000 * DAY_MS;

function depsWith(store = openSqliteStore(':memory:')) {
  const logged: string[] = [];
  const log = (event: string) => void logged.push(event);
  const clock = { now: () => NOW, monotonic: () => 0 };
  return { store, logged, deps: { clock, log: { info: log, warn: log, error: log }, store: () => store } };
}

it('what is old and was not active for long is forgotten, and nothing else', async () => {
  const { store, logged, deps } = depsWith();
  const idOf = (n: number): string => n.toString(16).padStart(64, '0');
  for (let n = 1; n <= 1003; n++) {
    const texts = { document: '', files: {}, author: 'a', reason: '' };
    await store.putRevision({ id: idOf(n), createdAt: n, ...texts });
  }
  await store.setActive(idOf(1), NOW - 200 * DAY_MS);
  await store.setActive(idOf(2), NOW - 100 * DAY_MS);
  await store.setActive(idOf(1003), NOW - 80 * DAY_MS);
  await pruneStore(deps);
  // The first ended 100 days ago, the second 80, the third was never active.
  const known = await Promise.all(
    [1, 2, 3, 4].map(async (n) => (await store.getRevision(idOf(n))) !== undefined),
  );
  assert.deepEqual(known, [false, true, false, true]);
  assert.deepEqual(logged, ['store-pruned']);
  await pruneStore(deps);
  assert.deepEqual(logged, ['store-pruned']);
});

it('a store that fails, or is not there, is told of and left alone', async () => {
  const { store, logged, deps } = depsWith();
  store.pruneRevisions = () => Promise.reject(new StoreError('unavailable', 'locked'));
  await pruneStore(deps);
  assert.deepEqual(logged, ['store-not-pruned']);
  await pruneStore({ ...deps, store: () => undefined });
  assert.deepEqual(logged, ['store-not-pruned']);
});
