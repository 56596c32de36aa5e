import assert from 'node:assert/strict';
import type { NodeRow, NodeTable, Store } from '../../src/store/index.ts';

const node = (id: string, more: Partial<NodeRow> = {}): NodeRow => ({
  id,
  run: `run-of-${id}`,
  name: `host "${id}"; DROP TABLE nodes`,
  version: '1.2.3',
  startedAt: 1_800_000_000_000,
  state: { revision: 'é', workers: ['serving'], error: null, nested: { list: [1, 2] } },
  ...more,
});

/** What every store must do with nodes. */
export function nodeTableContract(
  withStore: (title: string, run: (store: Store) => Promise<void>) => void,
): void {
  const nodes = (title: string, run: (nodes: NodeTable) => Promise<void>): void =>
    withStore(title, (store) => run(store.nodes));

  const listed = async (table: NodeTable): Promise<readonly NodeRow[]> =>
    (await table.list()).map(({ silentMs, ...row }) => row);

  nodes('has no nodes at first', async (table) => {
    assert.deepEqual(await table.list(), []);
    assert.equal(await table.prune(0), 0);
    await table.leave('none', 'none');
  });

  nodes('refuses the report of a run whose id another has taken', async (table) => {
    await table.join(node('a'));
    await table.join(node('a', { run: 'copy' }));
    assert.equal(await table.report(node('a', { version: '9' })), false);
    assert.deepEqual(await listed(table), [node('a', { run: 'copy' })]);
    // Nor does it take the other's row away when it ends.
    await table.leave('a', 'run-of-a');
    assert.equal((await table.list()).length, 1);
    assert.equal(await table.report(node('a', { run: 'copy', version: '2' })), true);
    assert.deepEqual(await listed(table), [node('a', { run: 'copy', version: '2' })]);
  });

  nodes('keeps one row for each, as it was said last', async (table) => {
    await table.join(node('b'));
    await table.join(node('a'));
    const later = node('b', { state: { revision: 'later' }, startedAt: 1, name: 'zz' });
    assert.equal(await table.report(later), true);
    assert.deepEqual(await listed(table), [node('a'), later]);
    await table.leave('a', 'run-of-a');
    assert.deepEqual(await listed(table), [later]);
  });

  nodes('lists by name, then by id, whatever the language', async (table) => {
    for (const [id, name] of [
      ['2', 'b'],
      ['1', 'b'],
      ['3', 'B'],
      ['4', 'ä'],
    ])
      await table.join(node(id ?? '', { name: name ?? '' }));
    assert.deepEqual(
      (await table.list()).map(({ id }) => id),
      ['3', '1', '2', '4'],
    );
  });

  nodes('tells how long each was silent, and forgets those that were for long', async (table) => {
    await table.join(node('a'));
    const [first] = await table.list();
    assert.ok(first !== undefined && first.silentMs >= 0 && first.silentMs < 60_000, `${first?.silentMs}`);
    assert.equal(await table.prune(3_600_000), 0);
    assert.equal(await table.prune(0), 1);
    assert.deepEqual(await table.list(), []);
    // One that was forgotten says so itself that it is there.
    assert.equal(await table.report(node('a')), true);
    assert.equal((await table.list()).length, 1);
  });

  nodes('keeps what a run has seen as long as it is that run’s', async (table) => {
    await table.putFigures('a', 'run-of-a', { seen: 1 });
    assert.deepEqual(await table.figures(), []);
    await table.join(node('a'));
    await table.join(node('b'));
    await table.putFigures('a', 'run-of-a', { seen: 1 });
    await table.putFigures('a', 'run-of-a', { seen: [2, 'é'] });
    await table.putFigures('b', 'another', { seen: 3 });
    assert.equal(await table.report(node('a')), true);
    assert.deepEqual(await table.figures(), [{ id: 'a', run: 'run-of-a', figures: { seen: [2, 'é'] } }]);
    await table.putFigures('b', 'run-of-b', { seen: 4 });
    await table.putFigures('b', 'run-of-b', undefined);
    await table.join(node('a', { run: 'next' }));
    assert.deepEqual(await table.figures(), []);
  });
}
