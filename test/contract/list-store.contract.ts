import assert from 'node:assert/strict';
import type { Ban, ImposedBan } from '../../src/contract/index.ts';
import type { BanStore, ListState, ListStore, ListVersion, Store } from '../../src/store/index.ts';

const AT = 1_700_000_000_000;

const version = (n: number, more: Partial<ListVersion> = {}): ListVersion => ({
  list: 'drop',
  id: n.toString(16).padStart(64, '0'),
  entries: n,
  source: 'https://feeds.example/drop.txt',
  createdAt: AT + n,
  ...more,
});
const bytes = (n: number): Uint8Array => Uint8Array.of(n, 0, 255, n);

const state = (more: Partial<ListState> = {}): ListState => ({
  list: 'drop',
  current: undefined,
  pinned: false,
  fetched: undefined,
  etag: undefined,
  lastModified: undefined,
  source: 'https://feeds.example/drop.txt',
  refreshedAt: undefined,
  held: undefined,
  rejected: undefined,
  ...more,
});

const ban = (id: string, network: string, more: Partial<Ban> = {}): Ban => ({
  id,
  network,
  sinceMs: AT,
  untilMs: AT + 1000,
  reason: 'scans "; DROP TABLE bans',
  by: 'admin',
  ...more,
});

const imposed = (
  of: { readonly network: string } | { readonly caller: string },
  more: Partial<Omit<ImposedBan, 'network' | 'caller'>> = {},
): ImposedBan => ({
  id: 'a',
  ...of,
  sinceMs: AT,
  untilMs: AT + 1000,
  forgetMs: AT + 5000,
  reason: '20 rejections',
  by: 'route:"; DROP TABLE imposed_bans',
  strike: 1,
  round: 1,
  shadow: false,
  ...more,
});

type WithStore = (title: string, run: (store: Store) => Promise<void>) => void;

const idsOf = (found: readonly { readonly id: string }[]): string[] => found.map(({ id }) => id);

/** What every store must do with lists and bans. */
export function listStoreContract(withStore: WithStore): void {
  const lists = (title: string, run: (lists: ListStore) => Promise<void>): void =>
    withStore(title, (store) => run(store.lists));
  const bans = (title: string, run: (bans: BanStore) => Promise<void>): void =>
    withStore(title, (store) => run(store.bans));

  lists('has no versions and no state of a list at first', async (store) => {
    assert.deepEqual(await store.versions('drop'), []);
    assert.equal(await store.content('drop', version(1).id), undefined);
    assert.equal(await store.state('drop'), undefined);
    await store.prune('drop', 1, []);
  });

  lists('gives a version back as it was put, never changed', async (store) => {
    await store.putVersion(version(1), bytes(1));
    await store.putVersion(version(1, { entries: 9, source: 'other' }), bytes(9));
    assert.deepEqual(await store.versions('drop'), [version(1)]);
    assert.deepEqual(await store.content('drop', version(1).id), bytes(1));
    assert.equal(await store.content('other', version(1).id), undefined);
  });

  lists('takes a version without entries, and one of many', async (store) => {
    await store.putVersion(version(0), new Uint8Array());
    assert.equal((await store.content('drop', version(0).id))?.length, 0);
    const many = new Uint8Array(5_000_000).fill(7);
    await store.putVersion(version(1_000_000), many);
    assert.deepEqual(await store.content('drop', version(1_000_000).id), many);
  });

  lists('leaves the newest versions and those named, of this list alone', async (store) => {
    for (let n = 1; n <= 5; n++) await store.putVersion(version(n), bytes(n));
    await store.putVersion(version(1, { list: 'other' }), bytes(1));
    await store.prune('drop', 2, [version(1).id, version(99).id]);
    assert.deepEqual(
      idsOf(await store.versions('drop')),
      [5, 4, 1].map((n) => version(n).id),
    );
    assert.equal(await store.content('drop', version(2).id), undefined);
    assert.equal((await store.versions('other')).length, 1);
  });

  lists('gives the state of a list back as it was put last', async (store) => {
    await store.putState(state());
    assert.deepEqual(await store.state('drop'), state());
    const full = state({
      current: version(1).id,
      pinned: true,
      fetched: version(2).id,
      etag: 'W/"é"',
      lastModified: 'Mon, 23 Nov 2026 06:25:01 GMT',
      refreshedAt: AT,
      held: { version: version(2).id, at: AT, reasons: ['it changes 50 %'] },
      rejected: version(3).id,
    });
    await store.putState(full);
    assert.deepEqual(await store.state('drop'), full);
    assert.equal(await store.state('other'), undefined);
  });

  bans('has no bans at first, and removes none that is not there', async (store) => {
    assert.deepEqual(await store.active(AT), []);
    assert.equal(await store.remove('a'), false);
  });

  bans('gives bans back as they were put, newest first', async (store) => {
    await store.put(ban('a', '192.0.2.1/32'));
    await store.put(ban('b', '2001:db8::/64', { sinceMs: AT + 1 }));
    assert.deepEqual(await store.active(AT), [
      ban('b', '2001:db8::/64', { sinceMs: AT + 1 }),
      ban('a', '192.0.2.1/32'),
    ]);
  });

  bans('holds one ban of a network, the last one put', async (store) => {
    await store.put(ban('a', '192.0.2.1/32'));
    await store.put(ban('b', '192.0.2.1/32', { untilMs: AT + 5 }));
    assert.deepEqual(await store.active(AT), [ban('b', '192.0.2.1/32', { untilMs: AT + 5 })]);
    assert.equal(await store.remove('a'), false);
    assert.equal(await store.remove('b'), true);
    assert.deepEqual(await store.active(AT), []);
  });

  bans('forgets those that are over, to the very millisecond', async (store) => {
    await store.put(ban('a', '192.0.2.1/32', { untilMs: AT + 10 }));
    await store.put(ban('b', '192.0.2.2/32', { untilMs: AT + 11 }));
    assert.deepEqual(idsOf(await store.active(AT + 9)), ['a', 'b']);
    assert.deepEqual(idsOf(await store.active(AT + 10)), ['b']);
    assert.deepEqual(idsOf(await store.active(AT)), ['b']);
  });

  bans('has no bans of policies at first, and forgets none that is not there', async (store) => {
    assert.deepEqual(await store.imposed(AT), []);
    await store.putImposed([], [imposed({ caller: 'consumer a' })]);
    assert.deepEqual(await store.imposed(AT), []);
  });

  bans('gives bans of policies back as they were put, newest first', async (store) => {
    const all = [
      imposed({ caller: 'consumer 192.0.2.1/32' }, { sinceMs: AT + 1, strike: 0, round: 7 }),
      imposed({ network: '192.0.2.1/32' }),
      imposed({ network: '192.0.2.1/32' }, { id: 'b', shadow: true, strike: 3 }),
    ];
    await store.putImposed(all.toReversed(), []);
    assert.deepEqual(await store.imposed(AT), all);
    assert.deepEqual(await store.active(AT), [], 'nobody asked for them');
  });

  bans('holds one ban of policies of a subject, in shadow and not, the last one put', async (store) => {
    const [real, shadow, caller] = [
      imposed({ network: '192.0.2.1/32' }),
      imposed({ network: '192.0.2.1/32' }, { shadow: true }),
      imposed({ caller: 'consumer a' }),
    ];
    await store.putImposed([real, shadow, caller], []);
    await store.putImposed([{ ...real, id: 'b', round: 2 }], [shadow]);
    assert.deepEqual(await store.imposed(AT), [caller, { ...real, id: 'b', round: 2 }]);
    await store.putImposed([], [real]);
    assert.deepEqual(await store.imposed(AT), [caller]);
  });

  bans('remembers bans of policies beyond their end, to the very millisecond', async (store) => {
    const [one, two] = [
      imposed({ caller: 'consumer a' }, { forgetMs: AT + 10 }),
      imposed({ caller: 'consumer b' }, { forgetMs: AT + 11 }),
    ];
    await store.putImposed([one, two], []);
    assert.deepEqual(await store.imposed(AT + 9), [one, two]);
    assert.deepEqual(await store.imposed(AT + 10), [two]);
    assert.deepEqual(await store.imposed(AT), [two]);
  });

  bans('takes ten thousand bans of policies at once', async (store) => {
    const many = Array.from({ length: 10_000 }, (_, i) => imposed({ caller: `consumer ${i}` }));
    await store.putImposed(many, []);
    assert.equal((await store.imposed(AT)).length, 10_000);
  });
}
