import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addresses, feedPlan, feedWorld } from '../../../test/fixtures/feeds.ts';
import { openSqliteStore, type Store } from '../../store/index.ts';
import { Feed, ListError } from './feed.ts';

const DAY_MS = 86_400_000;

async function opened(more: Parameters<typeof feedPlan>[0] = {}, store?: Store) {
  const world = feedWorld(store);
  const feed = await Feed.open(feedPlan(more), world.deps);
  const refresh = async (text?: string, etag?: string): Promise<string> => {
    if (text !== undefined) world.source.text = text;
    if (etag !== undefined) world.source.etag = etag;
    return (await feed.refresh()).outcome;
  };
  return { ...world, world, feed, refresh };
}

/** With a hundred entries, and its source's ETag "1". */
async function loaded(more: Parameters<typeof feedPlan>[0] = {}) {
  const node = await opened(more);
  assert.equal(await node.refresh(addresses(100), '"1"'), 'applied');
  return node;
}

const isListError = (code: string) => (error: unknown) => error instanceof ListError && error.code === code;

describe('a refresh leaves the list as it was when', () => {
  const bad: readonly (readonly [name: string, text: string, says: RegExp])[] = [
    ['the source answers with a page', '<html>502 Bad Gateway</html>', /HTML/],
    ['one line among many cannot be read', `${addresses(60)}not-a-network\n${addresses(40, 60)}`, /line 61/],
    ['it is cut in the middle of a line', addresses(100).slice(0, -8), /line 100/],
    ['it is cut in the middle of JSON', '["203.0.113.1", "203.', /JSON/],
    ['it is longer than it may be', addresses(1001), /1000 entries/],
  ];
  for (const [name, text, says] of bad) {
    it(name, async () => {
      const { feed, refresh, published, logged, outcomes } = await loaded();
      assert.equal(await refresh(text, '"2"'), 'failed');
      assert.match(feed.lastAttempt?.detail ?? '', says);
      assert.deepEqual([feed.entries, published], [100, [100]]);
      assert.equal(feed.state.held, undefined);
      assert.match(logged.at(-1) ?? '', /^list-refresh-failed .*"list":"drop"/);
      assert.deepEqual(outcomes, ['applied', 'failed']);
      // What could not be read has no mark: the next time all of it is asked for again.
      assert.equal(await refresh(addresses(100), '"3"'), 'unchanged');
    });
  }

  it('the source is not there, and says so every time', async () => {
    const { source, feed, refresh, published } = await loaded();
    source.failure = 'feeds.example cannot be reached';
    for (const failures of [1, 2, 3]) {
      assert.equal(await refresh(), 'failed');
      assert.equal(feed.failures, failures);
    }
    assert.deepEqual([feed.entries, published], [100, [100]]);
    source.failure = undefined;
    assert.equal(await refresh(), 'unchanged');
    assert.equal(feed.failures, 0);
  });

  const held: readonly (readonly [name: string, text: string, says: RegExp])[] = [
    ['it changes too much', addresses(100, 30), /60 %/],
    ['it is empty', '# nothing\n', /empty/],
    ['it would shut out a private network', `${addresses(100)}10.0.0.0/8\n`, /private/],
    ['it would shut out everybody', `${addresses(100)}0.0.0.0/0\n`, /wider/],
  ];
  for (const [name, text, says] of held) {
    it(`${name}: a person is asked`, async () => {
      const { feed, refresh, published, logged, store } = await loaded();
      const before = feed.state.current;
      assert.equal(await refresh(text, '"2"'), 'held');
      assert.match(feed.state.held?.reasons.join() ?? '', says);
      assert.deepEqual([feed.entries, feed.state.current, published], [100, before, [100]]);
      assert.match(logged.at(-1) ?? '', /^list-refresh-held /);
      const [entry] = (await store?.listAudit({ limit: 1 })) ?? [];
      assert.deepEqual([entry.action, entry.actor, entry.subject], ['list.hold', 'system', 'drop']);
    });
  }
});

describe('a refresh', () => {
  it('within its bounds is taken, at once and everywhere', async () => {
    const { feed, refresh, published, contents, store } = await loaded();
    assert.equal(await refresh(addresses(100, 10), '"2"'), 'applied');
    assert.deepEqual(published, [100, 100]);
    assert.equal(contents[1]?.version, feed.state.current);
    assert.notEqual(contents[1]?.version, contents[0]?.version);
    const actions = (await store?.listAudit({ limit: 10 }))?.map(({ action }) => action);
    assert.deepEqual(actions, ['list.refresh', 'list.refresh']);
  });

  it('asks with the mark of what it has, and takes "not modified" for good news', async () => {
    const { feed, refresh, source, clock, published } = await loaded();
    clock.nowMs += DAY_MS / 2;
    assert.equal(await refresh(), 'unchanged');
    assert.deepEqual(source.asked.at(-1), { etag: '"1"', lastModified: undefined });
    assert.equal(feed.state.refreshedAt, clock.nowMs);
    assert.deepEqual(published, [100]);
  });

  it('of other text for the same networks changes nothing', async () => {
    const { refresh, published } = await loaded();
    assert.equal(
      await refresh(`# a new day\n${addresses(100).replaceAll('\n', ' ; x\r\n')}`, '"2"'),
      'unchanged',
    );
    assert.deepEqual(published, [100]);
  });

  it('of another source, or of another form, asks for all of it', async () => {
    const { feed, refresh, source } = await loaded();
    const other = { kind: 'url', at: 'https://feeds.example/other.txt' } as const;
    assert.equal(feed.follow(feedPlan({ source: other })), true);
    assert.equal(await refresh(), 'unchanged');
    assert.equal(source.asked.at(-1)?.etag, undefined);
    assert.equal(feed.follow(feedPlan({ source: other, maxChange: 0.5 })), false);
    assert.equal(
      feed.follow(feedPlan({ source: other, form: { ...feedPlan().form, fields: ['ip'] } })),
      true,
    );
  });

  it('goes on without a store, and says so', async () => {
    const node = await loaded();
    node.world.store = undefined;
    assert.equal(await node.refresh(addresses(100, 10), '"2"'), 'applied');
    assert.equal(await node.refresh(addresses(100, 60), '"3"'), 'held');
    assert.equal(await node.refresh(), 'held');
    await node.feed.approve(node.feed.state.held?.version ?? '', 'admin');
    assert.deepEqual(node.published, [100, 100, 100]);
    const broken = await loaded();
    await broken.store?.close();
    assert.equal(await broken.refresh(addresses(100, 10), '"2"'), 'applied');
    assert.ok(broken.logged.some((line) => line.startsWith('list-not-stored')));
  });

  it('keeps nobody waiting: what a person does meanwhile is done at once, and stands', async () => {
    const node = await loaded();
    const { promise, resolve } = Promise.withResolvers<void>();
    node.source.gate = promise;
    const first = node.feed.state.current ?? '';
    const refreshed = node.refresh(addresses(100, 10), '"2"');
    await node.feed.rollBack(first, 'admin', 'wrong');
    resolve();
    assert.equal(await refreshed, 'pinned');
    assert.equal(node.feed.state.current, first);
    assert.deepEqual(node.published, [100, 100]);
  });

  it('of a source that became another meanwhile is not taken', async () => {
    const node = await loaded();
    const { promise, resolve } = Promise.withResolvers<void>();
    node.source.gate = promise;
    const refreshed = node.refresh(addresses(100, 10), '"2"');
    node.feed.follow(feedPlan({ source: { kind: 'url', at: 'https://other.example/' } }));
    resolve();
    assert.equal(await refreshed, 'failed');
    assert.deepEqual(node.published, [100]);
  });

  it('of a list that is no longer in service publishes nothing', async () => {
    const node = await loaded();
    node.feed.close();
    await node.refresh(addresses(100, 10), '"2"');
    assert.deepEqual(node.published, [100]);
  });
});

describe('what waits for a person', () => {
  async function held() {
    const node = await loaded();
    assert.equal(await node.refresh(addresses(100, 60), '"2"'), 'held');
    return { ...node, version: node.feed.state.held?.version ?? '' };
  }

  it('waits on while the source says the same, told once', async () => {
    const { refresh, logged, feed, version } = await held();
    const at = feed.state.held?.at;
    assert.equal(await refresh(), 'held');
    assert.equal(await refresh(addresses(100, 60), '"other"'), 'held');
    assert.deepEqual([feed.state.held?.version, feed.state.held?.at], [version, at]);
    assert.equal(logged.filter((line) => line.startsWith('list-refresh-held')).length, 1);
  });

  it('is taken when its document allows for it', async () => {
    const { feed, refresh, published, source } = await held();
    assert.equal(feed.follow(feedPlan({ maxChange: 1.1 })), true);
    assert.equal(await refresh(), 'held');
    assert.equal(feed.follow(feedPlan({ maxChange: 1.2 })), true);
    const asked = source.asked.length;
    assert.equal(await refresh(), 'applied');
    assert.deepEqual([source.asked[asked].etag, published], ['"2"', [100, 100]]);
    assert.equal(feed.follow(feedPlan({ maxChange: 0.1 })), false);
  });

  it('is taken when it is approved', async () => {
    const { feed, refresh, published, version, store } = await held();
    await feed.approve(version, 'admin');
    assert.deepEqual([feed.state.current, feed.state.held, published], [version, undefined, [100, 100]]);
    assert.equal(await refresh(), 'unchanged');
    const entry = (await store?.listAudit({ limit: 1 }))?.[0];
    assert.deepEqual(
      [entry?.action, entry?.actor, entry?.detail.version],
      ['list.approve', 'admin', version],
    );
  });

  it('is not offered again when it is rejected, until the source has something else', async () => {
    const { feed, refresh, published, version } = await held();
    await feed.reject(version, 'admin');
    assert.equal(await refresh(), 'rejected');
    assert.equal(await refresh(addresses(100, 60), '"other"'), 'rejected');
    assert.deepEqual([feed.state.held, published], [undefined, [100]]);
    assert.equal(await refresh(addresses(100, 61), '"3"'), 'held');
    assert.equal(await refresh(addresses(100, 5), '"4"'), 'applied');
  });

  it('waits no more when the source takes it back', async () => {
    const { feed, refresh } = await held();
    assert.equal(await refresh(addresses(100), '"1"'), 'unchanged');
    assert.equal(feed.state.held, undefined);
  });

  it('is only the version that a person has seen', async () => {
    const { feed, refresh, published, version } = await held();
    assert.equal(await refresh(addresses(100, 70), '"3"'), 'held');
    await assert.rejects(feed.approve(version, 'admin'), isListError('conflict'));
    await assert.rejects(feed.reject(version, 'admin'), isListError('conflict'));
    await assert.rejects(feed.approve(feed.state.current ?? '', 'admin'), isListError('conflict'));
    assert.deepEqual(published, [100]);
  });

  it('may be the first content of all', async () => {
    const { feed, refresh, published } = await opened();
    assert.equal(await refresh('10.0.0.0/8\n', '"1"'), 'held');
    assert.equal(feed.entries, undefined);
    assert.deepEqual(published, []);
    await feed.approve(feed.state.held?.version ?? '', 'admin');
    assert.deepEqual([feed.entries, published], [1, [1]]);
    // What a person let in is not judged again.
    assert.equal(await refresh('10.0.0.0/8\n# new\n', '"2"'), 'unchanged');
  });
});

describe('a version', () => {
  it('is gone back to, and stays until it is released', async () => {
    const { feed, refresh, published, source, store } = await loaded();
    const first = feed.state.current ?? '';
    assert.equal(await refresh(addresses(95, 10), '"2"'), 'applied');
    const second = feed.state.current ?? '';
    await feed.rollBack(first, 'admin', 'shuts out a partner');
    assert.deepEqual([feed.state.current, published], [first, [100, 95, 100]]);
    const askedBefore = source.asked.length;
    assert.equal(await refresh(addresses(96, 10), '"3"'), 'pinned');
    assert.equal(source.asked.length, askedBefore, 'a pinned list asks nobody');
    const entry = (await store?.listAudit({ limit: 1 }))?.[0];
    assert.deepEqual([entry?.action, entry?.detail.reason], ['list.rollback', 'shuts out a partner']);

    await feed.release('admin');
    source.text = addresses(95, 10);
    source.etag = '"2"';
    assert.equal(await refresh(), 'applied', '"not modified" brings back what was rolled back');
    assert.equal(feed.state.current, second);
    await assert.rejects(feed.release('admin'), isListError('conflict'));
  });

  it('that is not there is told as such', async () => {
    const { feed } = await loaded();
    await assert.rejects(feed.rollBack('0'.repeat(64), 'admin', ''), isListError('not-found'));
    await assert.rejects(feed.networks('0'.repeat(64)), isListError('not-found'));
    assert.equal(feed.state.pinned, false);
  });

  it('is kept for a while: ten, and those in use', async () => {
    const { feed, refresh, store } = await loaded({ maxChange: 1 });
    const first = feed.state.current ?? '';
    await refresh(addresses(100, 500), '"x"');
    assert.ok(feed.state.held);
    for (let n = 1; n <= 15; n++) assert.equal(await refresh(addresses(100, n), `"${n}"`), 'applied');
    const versions = (await store?.lists.versions('drop')) ?? [];
    assert.equal(versions.length, 10);
    assert.ok(!versions.some(({ id }) => id === first));
    await feed.rollBack(versions[9].id, 'admin', '');
    await feed.release('admin');
    for (let n = 50; n <= 65; n++) await refresh(addresses(100, n), `"${n}"`);
    assert.ok((await store?.lists.versions('drop'))?.length === 10);
  });
});

describe('after a restart', () => {
  it('the list is what it was, before its source is asked', async () => {
    const store = openSqliteStore(':memory:');
    const before = await opened({}, store);
    await before.refresh(addresses(100), '"1"');
    await before.refresh(addresses(100, 60), '"2"');
    const after = await opened({}, store);
    after.source.failure = 'outage';
    assert.deepEqual([after.feed.entries, after.published], [100, [100]]);
    assert.deepEqual(after.feed.state, before.feed.state);
    assert.equal(await after.refresh(), 'failed');
    assert.deepEqual(after.published, [100]);
    after.source.failure = undefined;
    // It still knows what its source had, and that this waits.
    assert.equal(await after.refresh(addresses(100, 60), '"2"'), 'held');
    assert.equal(after.source.asked.at(-1)?.etag, '"2"');
    await after.feed.approve(after.feed.state.held?.version ?? '', 'admin');
    assert.deepEqual(after.published, [100, 100]);
  });

  it('a content that was damaged counts as never loaded', async () => {
    const store = openSqliteStore(':memory:');
    const before = await opened({}, store);
    await before.refresh(addresses(100), '"1"');
    const { current = '' } = before.feed.state;
    await store.lists.prune('drop', 0, []);
    const version = { list: 'drop', id: current, entries: 1, source: '', createdAt: 1 };
    await store.lists.putVersion(version, Buffer.from('SPN1 something else'));
    const after = await opened({}, store);
    assert.deepEqual([after.feed.entries, after.published], [undefined, []]);
    assert.ok(after.logged.some((line) => line.startsWith('list-version-damaged')));
    assert.equal(await after.refresh(addresses(100), '"1"'), 'applied', 'and all of it is asked for again');
  });
});

describe('a list that has become stale', () => {
  it('is kept, and told once', async () => {
    const { feed, clock, published, logged } = await loaded();
    clock.nowMs += DAY_MS;
    await feed.tellIfStale();
    assert.ok(!feed.isStale);
    clock.nowMs += 1;
    await feed.tellIfStale();
    await feed.tellIfStale();
    assert.ok(feed.isStale && !feed.isDropped);
    assert.deepEqual(published, [100]);
    assert.equal(logged.filter((line) => line.startsWith('list-stale')).length, 1);
  });

  it('is dropped where that was asked for, and is back with the next good refresh', async () => {
    const { feed, clock, published, refresh, source } = await loaded({ onStale: 'drop' });
    clock.nowMs += DAY_MS + 1;
    await feed.tellIfStale();
    assert.ok(feed.isDropped);
    assert.deepEqual(published, [100, 0]);
    source.failure = 'outage';
    assert.equal(await refresh(), 'failed');
    source.failure = undefined;
    assert.equal(await refresh(), 'unchanged');
    assert.deepEqual(published, [100, 0, 100]);
    assert.ok(!feed.isDropped && !feed.isStale);
  });

  it('is dropped from the start where it was stale before', async () => {
    const store = openSqliteStore(':memory:');
    const before = await opened({ onStale: 'drop' }, store);
    await before.refresh(addresses(100), '"1"');
    const world = feedWorld(store);
    world.clock.nowMs += DAY_MS + 1;
    const feed = await Feed.open(feedPlan({ onStale: 'drop' }), world.deps);
    assert.deepEqual(world.published, [0]);
    assert.ok(feed.isDropped);
  });

  it('is not one that a person has pinned', async () => {
    const { feed, clock, published } = await loaded({ onStale: 'drop' });
    await feed.rollBack(feed.state.current ?? '', 'admin', '');
    clock.nowMs += 10 * DAY_MS;
    await feed.tellIfStale();
    assert.deepEqual(published, [100, 100]);
  });
});
