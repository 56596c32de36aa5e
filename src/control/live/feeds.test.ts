import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addresses, feedPlan, feedWorld, filePlan } from '../../../test/fixtures/feeds.ts';
import { ConfigError } from '../../errors.ts';
import { createMeter, exposition } from '../../observability/index.ts';
import { openSqliteStore } from '../../store/index.ts';
import { ListError } from './feed.ts';
import { Feeds } from './feeds.ts';

const MINUTE_MS = 60_000;

function keeper(store = openSqliteStore(':memory:')) {
  const world = feedWorld(store);
  const meter = createMeter();
  const scheduled: (() => void)[] = [];
  const gone: string[] = [];
  // Half way between the earliest and the latest time.
  let drawn = '7fff';
  const feeds = new Feeds({
    ...world.deps,
    meter,
    random: { hex: () => drawn },
    publish: async (list, content) => {
      if (content === undefined) gone.push(list);
      else await world.deps.publish(list, content);
    },
    schedule: (work) => void scheduled.push(work),
    firstLoadMs: 20,
  });
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return {
    ...world,
    feeds,
    gone,
    scheduled,
    draw: (hex: string) => {
      drawn = hex;
    },
    only: () => feeds.status()[0],
    metrics: () => {
      feeds.measure();
      return exposition(meter.snapshot());
    },
    /** A tick, and all that follows from it. */
    async tick(afterMs = 1000) {
      world.clock.nowMs += afterMs;
      feeds.tick();
      for (let i = 0; i < 20; i++) await settle();
    },
  };
}

const inService = (...plans: ReturnType<typeof feedPlan>[]) => ({
  feeds: plans,
  inline: Object.fromEntries(plans.map(({ name }) => [name, 0])),
});

describe('a list that is offered', () => {
  it('is loaded before what names it is served', async () => {
    const { feeds, source, published } = keeper();
    source.text = addresses(10);
    await feeds.offer([feedPlan()]);
    assert.deepEqual(published, [10]);
    await feeds.offer([feedPlan()]);
    assert.equal(source.asked.length, 1);
  });

  it('is not waited for longer than a moment', async () => {
    const { feeds, source, published, logged } = keeper();
    const { promise, resolve } = Promise.withResolvers<void>();
    source.gate = promise;
    source.text = addresses(10);
    await feeds.offer([feedPlan()]);
    assert.deepEqual(published, []);
    assert.match(logged.at(-1) ?? '', /^list-not-loaded /);
    resolve();
    assert.equal((await feeds.refresh('drop')).outcome, 'applied');
  });

  it('is not waited for where the store has its last content', async () => {
    const store = openSqliteStore(':memory:');
    const before = keeper(store);
    before.source.text = addresses(10);
    await before.feeds.offer([feedPlan()]);
    const after = keeper(store);
    after.source.failure = 'outage';
    await after.feeds.offer([feedPlan()]);
    assert.deepEqual(after.published, [10]);
    assert.equal(after.source.asked.length, 0, 'nor asked before it is due');
  });

  it('refuses its document where it is a file that cannot be read', async () => {
    const { feeds, source, published } = keeper();
    source.text = `${addresses(2)}nonsense\n`;
    const refused = (error: unknown) =>
      error instanceof ConfigError &&
      error.issues[0].path === 'lists["my.list"].source' &&
      /line 3/.test(error.issues[0].message);
    await assert.rejects(feeds.offer([filePlan({ name: 'my.list' })]), refused);
    assert.deepEqual([published, feeds.status()], [[], []]);
    source.text = addresses(2);
    await feeds.offer([filePlan({ name: 'my.list' })]);
    assert.deepEqual(published, [2]);
  });

  it('goes on without a file that cannot be read, where there is nothing better to serve', async () => {
    const node = keeper();
    node.source.text = 'nonsense';
    await node.feeds.offer([filePlan()], 'go-on');
    assert.deepEqual([node.published, node.only().lastAttempt?.outcome], [[], 'failed']);
    node.source.text = addresses(3);
    await node.tick();
    await node.tick();
    assert.deepEqual(node.published, [3]);
  });

  it('does not where the file was good before', async () => {
    const store = openSqliteStore(':memory:');
    const before = keeper(store);
    before.source.text = addresses(10);
    await before.feeds.offer([filePlan()]);
    const after = keeper(store);
    after.source.text = 'nonsense';
    await after.feeds.offer([filePlan()]);
    assert.deepEqual([after.published, after.only().lastAttempt?.outcome], [[10], 'failed']);
  });
});

describe('a list in service', () => {
  it('of a URL is asked when it is due, give or take a tenth', async () => {
    const node = keeper();
    node.source.text = addresses(10);
    await node.feeds.offer([feedPlan()]);
    node.feeds.follow(inService(feedPlan()));
    await node.tick(59 * MINUTE_MS);
    assert.equal(node.source.asked.length, 1);
    await node.tick(2 * MINUTE_MS);
    assert.equal(node.source.asked.length, 2);
    await node.tick(59 * MINUTE_MS);
    assert.equal(node.source.asked.length, 2);
    for (const [drawn, minutes] of [
      ['0000', 54],
      ['ffff', 66],
    ] as const) {
      node.draw(drawn);
      await node.feeds.refresh('drop');
      assert.equal(node.only().nextRefreshMs, node.clock.nowMs + minutes * MINUTE_MS);
    }
  });

  it('that fails is asked again soon, then less and less often, never less than it is refreshed', async () => {
    const node = keeper();
    node.source.failure = 'outage';
    await node.feeds.offer([feedPlan({ refreshMs: 5 * MINUTE_MS })]);
    const waits: number[] = [];
    for (let n = 0; n < 6; n++) {
      waits.push(Math.round(((node.only().nextRefreshMs ?? 0) - node.clock.nowMs) / 1000));
      await node.tick((node.only().nextRefreshMs ?? 0) - node.clock.nowMs);
    }
    assert.deepEqual(waits, [30, 60, 120, 240, 300, 300]);
  });

  it('of a file is read when the file has changed and come to rest', async () => {
    const node = keeper();
    node.source.text = addresses(10);
    await node.feeds.offer([filePlan()]);
    node.feeds.follow(inService(filePlan()));
    await node.tick();
    await node.tick();
    assert.equal(node.source.asked.length, 1);
    assert.equal(node.only().refreshedAtMs, node.clock.nowMs, 'a file that is as it was is as good as read');
    node.source.text = addresses(11);
    await node.tick();
    assert.equal(node.source.asked.length, 1, 'it may still be written');
    node.source.text = addresses(12);
    await node.tick();
    assert.equal(node.source.asked.length, 1);
    await node.tick();
    assert.deepEqual(node.published, [10, 12]);
    node.source.text = 'nonsense';
    for (let n = 0; n < 5; n++) await node.tick();
    assert.equal(node.source.asked.length, 3, 'a bad one is read once');
    const { refreshedAtMs, lastAttempt } = node.only();
    assert.equal(lastAttempt?.outcome, 'failed');
    assert.ok((refreshedAtMs ?? 0) < node.clock.nowMs);
    node.source.failure = 'there is no such file';
    for (let n = 0; n < 5; n++) await node.tick();
    assert.equal(node.source.asked.length, 4, 'so is one that is gone');
  });

  it('is asked at once where its source is another', async () => {
    const node = keeper();
    node.source.text = addresses(10);
    await node.feeds.offer([feedPlan()]);
    node.feeds.follow(inService(feedPlan({ maxChange: 0.5 })));
    await node.tick();
    assert.equal(node.source.asked.length, 1);
    node.source.text = addresses(11);
    node.feeds.follow(inService(feedPlan({ source: { kind: 'url', at: 'https://other.example/' } })));
    await node.tick();
    assert.deepEqual(node.published, [10, 11]);
  });

  it('is asked again where its source became another while it was asked', async () => {
    const node = keeper();
    node.source.text = addresses(10);
    await node.feeds.offer([feedPlan()]);
    node.feeds.follow(inService(feedPlan()));
    const { promise, resolve } = Promise.withResolvers<void>();
    node.source.gate = promise;
    const refreshed = node.feeds.refresh('drop');
    node.feeds.follow(inService(feedPlan({ source: { kind: 'url', at: 'https://other.example/' } })));
    node.source.text = addresses(11);
    resolve();
    assert.equal((await refreshed).outcome, 'failed');
    await node.tick();
    assert.deepEqual(node.published, [10, 11]);
  });

  it('is let go with the revision that names it no more, and forgotten a good while later', async () => {
    const node = keeper();
    node.source.text = addresses(10);
    await node.feeds.offer([feedPlan()]);
    node.feeds.follow(inService());
    assert.deepEqual([node.feeds.status(), node.gone], [[], []]);
    await node.tick(100 * MINUTE_MS);
    assert.equal(node.source.asked.length, 1);
    node.scheduled.shift()?.();
    assert.deepEqual(node.gone, ['drop']);
  });

  it('is not forgotten where it came back meanwhile', async () => {
    const node = keeper();
    node.source.text = addresses(10);
    await node.feeds.offer([feedPlan()]);
    node.feeds.follow(inService());
    await node.feeds.offer([feedPlan()]);
    node.feeds.follow(inService(feedPlan()));
    node.scheduled.shift()?.();
    assert.deepEqual([node.gone, node.published], [[], [10, 10]]);
  });

  it('is asked once, however many ask for it', async () => {
    const node = keeper();
    node.source.text = addresses(10);
    await node.feeds.offer([feedPlan()]);
    const { promise, resolve } = Promise.withResolvers<void>();
    node.source.gate = promise;
    const asked = [node.feeds.refresh('drop'), node.feeds.refresh('drop')];
    resolve();
    assert.deepEqual(
      (await Promise.all(asked)).map(({ outcome }) => outcome),
      ['unchanged', 'unchanged'],
    );
    assert.equal(node.source.asked.length, 2);
  });

  it('tells what one version has and another has not', async () => {
    const node = keeper();
    node.source.text = addresses(100);
    await node.feeds.offer([feedPlan()]);
    node.source.text = addresses(100, 60);
    await node.feeds.refresh('drop');
    const { version = '', held } = node.only();
    const diff = await node.feeds.diff('drop', version, held?.version ?? '', 2);
    assert.deepEqual(diff.added, { count: 60, networks: ['203.0.112.100/32', '203.0.112.101/32'] });
    assert.deepEqual(diff.removed, { count: 60, networks: ['203.0.112.0/32', '203.0.112.1/32'] });
    await assert.rejects(node.feeds.diff('drop', version, '0'.repeat(64), 2), ListError);
  });

  it('is counted', async () => {
    const node = keeper();
    node.source.text = addresses(100);
    await node.feeds.offer([feedPlan()]);
    node.feeds.follow({ feeds: [feedPlan()], inline: { drop: 3, kept: 2 } });
    node.source.text = addresses(100, 60);
    await node.feeds.refresh('drop');
    node.clock.nowMs += 5000;
    const text = node.metrics();
    for (const line of [
      'sallyport_list_entries{list="drop"} 103',
      'sallyport_list_entries{list="kept"} 2',
      'sallyport_list_age_seconds{list="drop"} 5',
      'sallyport_list_held{list="drop"} 1',
      'sallyport_list_refreshes_total{list="drop",outcome="applied"} 1',
      'sallyport_list_refreshes_total{list="drop",outcome="held"} 1',
    ]) {
      assert.ok(text.includes(`${line}\n`), `${line}\n${text}`);
    }
    node.feeds.follow(inService());
    assert.match(node.metrics(), /sallyport_list_entries\{list="drop"\} 0\n/);
  });

  it('kept by hand has no source to ask', async () => {
    const node = keeper();
    node.feeds.follow({ feeds: [], inline: { kept: 2 } });
    assert.deepEqual([node.only().name, node.only().source, node.only().inline], ['kept', undefined, 2]);
    const isTold = (says: RegExp) => (error: unknown) =>
      error instanceof ListError && says.test(error.message);
    await assert.rejects(node.feeds.refresh('kept'), isTold(/no source/));
    await assert.rejects(node.feeds.refresh('none'), isTold(/no list/));
    await assert.rejects(node.feeds.refresh('toString'), isTold(/no list/));
  });
});
