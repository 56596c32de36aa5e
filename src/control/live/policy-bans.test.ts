import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Ban, ImposedBan } from '../../contract/index.ts';
import { parseCidr } from '../../lib/cidr.ts';
import { parseIpAddress } from '../../lib/ip-address.ts';
import { CurrentBans } from '../../state/index.ts';
import { openSqliteStore, type Store, StoreError } from '../../store/index.ts';
import { BanDesk } from './ban-desk.ts';
import { BanError, Bans } from './bans.ts';
import { type ImposedUpdate, PolicyBans } from './policy-bans.ts';

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 10, 25);

/** The control side with two workers, whose bans reach it when the test says so. */
function node(kept: Store | 'no store' = openSqliteStore(':memory:'), maxBans = 10_000) {
  const store = kept === 'no store' ? undefined : kept;
  const clock = { nowMs: START_MS, now: () => clock.nowMs, monotonic: () => clock.nowMs };
  const spread: ImposedUpdate[] = [];
  const logged: string[] = [];
  const log = (event: string) => void logged.push(event);
  const due: { readonly work: () => void; readonly delayMs: number }[] = [];
  const workers = [new CurrentBans(), new CurrentBans()];
  const figures = { counted: 0, displaced: 0 };
  const own = parseCidr('198.51.100.0/24');
  assert.ok(!('fault' in own));
  const bans = new PolicyBans({
    clock,
    log: { info: log, warn: log, error: log },
    store: () => store,
    spread: async (change) => {
      spread.push(change);
      for (const worker of workers) worker.change(structuredClone(change));
    },
    own: () => [own],
    count: {
      set: (value) => {
        figures.counted = value;
      },
    },
    displaced: {
      add: (value) => {
        figures.displaced += value;
      },
    },
    schedule: (work, delayMs) => void due.push({ work, delayMs }),
    maxBans,
  });
  const settle = async () => {
    while (due.length > 0) {
      for (const { work } of due.splice(0)) work();
      await bans.flush();
    }
  };
  /** Whether each worker refuses the address. */
  const refusals = (text: string) => {
    const address = parseIpAddress(text);
    assert.ok(address);
    return workers.map((worker) => worker.find(address, clock.nowMs) !== undefined);
  };
  return {
    bans,
    clock,
    store,
    spread,
    logged,
    due,
    workers,
    settle,
    refusals,
    counted: () => [figures.counted, figures.displaced],
  };
}

let drawn = 0;
const imposed = (
  of: { readonly network: string } | { readonly caller: string },
  more: Partial<Omit<ImposedBan, 'network' | 'caller'>> = {},
): ImposedBan => ({
  id: `b${++drawn}`,
  ...of,
  sinceMs: START_MS,
  untilMs: START_MS + HOUR_MS,
  forgetMs: START_MS + 24 * HOUR_MS,
  reason: '20 rejections',
  by: 'route:orders/auto-ban',
  strike: 1,
  round: 1,
  shadow: false,
  ...more,
});
const ofAddress = (i: number, more: Parameters<typeof imposed>[1] = {}) =>
  imposed({ network: `203.${(i >> 8) & 255}.${i & 255}.1/32` }, more);

describe('a ban that a policy imposed', () => {
  it('is spread, kept, counted, told and audited', async () => {
    const { bans, settle, spread, store, logged, refusals, counted } = node();
    const ban = imposed({ network: '203.0.113.7/32' });
    bans.take(ban);
    await settle();
    assert.deepEqual(spread, [{ subject: 'imposed-bans', whole: false, bans: [ban], forgotten: [] }]);
    assert.deepEqual(refusals('203.0.113.7'), [true, true]);
    assert.deepEqual([bans.list(), counted()], [[ban], [1, 0]]);
    assert.deepEqual(await store?.bans.imposed(START_MS), [ban]);
    const [entry] = (await store?.listAudit({ limit: 1 })) ?? [];
    assert.deepEqual([entry.actor, entry.action, entry.subject], [ban.by, 'ban.impose', ban.id]);
    assert.deepEqual([entry.detail.banned, entry.detail.network], ['203.0.113.7/32', '203.0.113.7/32']);
    assert.deepEqual(logged, ['ban-imposed']);
  });

  it('is one, though two workers impose it at once: the first that tells', async () => {
    const { bans, settle, store, workers, clock } = node();
    const [first, second] = [imposed({ caller: 'consumer a' }), imposed({ caller: 'consumer a' })];
    bans.take(first);
    bans.take(second);
    await settle();
    assert.deepEqual(bans.list(), [first]);
    assert.equal((await store?.listAudit({ limit: 9 }))?.length, 1);
    bans.take(second);
    await settle();
    for (const worker of workers)
      assert.equal(worker.findCaller('consumer a', clock.nowMs)?.id, first.id, 'who was late is told');
    bans.take({ ...second, round: 2, strike: 2 });
    await settle();
    assert.equal(bans.list()[0].strike, 2);
  });

  it('of an own network is taken back', async () => {
    const { bans, settle, store, workers, refusals, logged } = node();
    const address = parseIpAddress('198.51.100.7');
    assert.ok(address);
    const { network: _, ...terms } = imposed({ network: '198.51.100.7/32' });
    // A worker that was not told yet whose networks they are.
    workers[0].impose({ ...terms, caller: undefined, address });
    assert.deepEqual(refusals('198.51.100.7'), [true, false]);
    bans.take(imposed({ network: '198.51.100.7/32' }));
    await settle();
    assert.deepEqual(refusals('198.51.100.7'), [false, false]);
    assert.deepEqual([bans.list(), await store?.bans.imposed(START_MS)], [[], []]);
    assert.deepEqual(logged, ['ban-protected']);
  });

  it('is over at its time, remembered, and forgotten later', async () => {
    const { bans, clock, settle, refusals, store, spread, counted } = node();
    bans.take(imposed({ network: '203.0.113.7/32' }));
    await settle();
    clock.nowMs += HOUR_MS;
    bans.tick();
    await settle();
    assert.deepEqual([bans.list(), refusals('203.0.113.7'), counted()[0]], [[], [false, false], 0]);
    assert.equal((await store?.bans.imposed(START_MS))?.length, 1);
    clock.nowMs = START_MS + 24 * HOUR_MS;
    bans.tick();
    await settle();
    assert.deepEqual(await store?.bans.imposed(START_MS), []);
    assert.deepEqual(spread.at(-1)?.forgotten, ['enforce 203.0.113.7/32']);
    bans.take(imposed({ network: '203.0.113.7/32' }, { sinceMs: clock.nowMs, untilMs: clock.nowMs + 1 }));
    assert.equal(bans.list().length, 1, 'it begins with its first round');
  });

  it('survives a restart, with what is remembered of those before', async () => {
    const store = openSqliteStore(':memory:');
    const before = node(store);
    before.bans.take(imposed({ network: '203.0.113.7/32' }, { strike: 4, round: 9 }));
    before.bans.take(imposed({ caller: 'consumer a' }, { untilMs: START_MS + 1 }));
    await before.settle();
    const after = node(store);
    after.clock.nowMs += 1000;
    await after.bans.load();
    assert.deepEqual(after.refusals('203.0.113.7'), [true, true]);
    assert.deepEqual(
      [after.bans.list().length, after.spread[0].bans.length, after.spread[0].whole],
      [1, 2, true],
    );
  });

  it('that could not be read at the start is taken up later, once, and undoes no later one', async () => {
    const store = openSqliteStore(':memory:');
    const before = node(store);
    before.bans.take(imposed({ network: '203.0.113.7/32' }, { round: 2 }));
    before.bans.take(imposed({ network: '203.0.113.8/32' }, { round: 2 }));
    before.bans.take(imposed({ network: '203.0.113.9/32' }));
    await before.settle();
    const read = store.bans.imposed.bind(store.bans);
    store.bans.imposed = () => Promise.reject(new StoreError('unavailable', 'lost'));
    const after = node(store);
    await after.bans.load();
    await assert.rejects(after.bans.loadLate(), StoreError);
    after.bans.take(imposed({ network: '203.0.113.7/32' }, { round: 1, strike: 7 }));
    after.bans.take(imposed({ network: '203.0.113.8/32' }, { round: 3, strike: 7 }));
    store.bans.imposed = read;
    await after.bans.loadLate();
    assert.deepEqual(after.refusals('203.0.113.9'), [true, true]);
    const strikes = after.bans.list().map(({ network, strike }) => [network, strike]);
    assert.deepEqual(strikes.toSorted(), [
      ['203.0.113.7/32', 1],
      ['203.0.113.8/32', 7],
      ['203.0.113.9/32', 1],
    ]);
    const told = after.spread.length;
    await after.bans.loadLate();
    assert.equal(after.spread.length, told);
  });

  it('is in force without a store', async () => {
    for (const world of [node('no store'), node()]) {
      await world.store?.close();
      await world.bans.load();
      world.bans.take(imposed({ network: '203.0.113.7/32' }));
      await world.settle();
      assert.deepEqual(world.refusals('203.0.113.7'), [true, true]);
      assert.ok(world.store === undefined || world.logged.includes('bans-not-stored'));
    }
  });
});

describe('a ban that a policy imposed is lifted', () => {
  for (const [which, of] of [
    ['b-one', { network: '203.0.113.7/32' }],
    ['203.0.113.7', { network: '203.0.113.7/32' }],
    ['::ffff:203.0.113.7', { network: '203.0.113.7/32' }],
    ['203.0.113.7/32', { network: '203.0.113.7/32' }],
    ['2001:db8::9', { network: '2001:db8::/64' }],
    ['2001:db8::/64', { network: '2001:db8::/64' }],
    ['consumer a', { caller: 'consumer a' }],
  ] as const) {
    it(`by ${which}`, async () => {
      const { bans, settle, clock, workers, store, logged } = node();
      bans.take(imposed(of, { id: 'b-one', strike: 3 }));
      bans.take(imposed({ caller: 'consumer b' }));
      await settle();
      clock.nowMs += 1000;
      assert.equal((await bans.lift(which, 'admin')).id, 'b-one');
      assert.deepEqual(
        bans.list().map(({ caller }) => caller),
        ['consumer b'],
      );
      const kept = (await store?.bans.imposed(clock.nowMs))?.find(({ id }) => id === 'b-one');
      assert.deepEqual([kept?.strike, kept?.round, kept?.untilMs], [0, 2, clock.nowMs]);
      for (const worker of workers) {
        assert.equal(worker.findCaller('consumer a', clock.nowMs), undefined);
        assert.notEqual(worker.findCaller('consumer b', clock.nowMs), undefined);
      }
      const [entry] = (await store?.listAudit({ limit: 1 })) ?? [];
      assert.deepEqual([entry.actor, entry.action, entry.subject], ['admin', 'ban.remove', 'b-one']);
      assert.equal(logged.at(-1), 'ban-lifted');
    });
  }

  it('and what a worker told too late of that round does not bring it back', async () => {
    const { bans, settle, refusals } = node();
    const ban = imposed({ network: '203.0.113.7/32' });
    bans.take(ban);
    await settle();
    await bans.lift('203.0.113.7', 'admin');
    bans.take({ ...ban, id: 'late' });
    await settle();
    assert.deepEqual([bans.list(), refusals('203.0.113.7')], [[], [false, false]]);
  });

  it('which is refused where there is none', async () => {
    const { bans, settle } = node();
    bans.take(imposed({ network: '203.0.113.7/32' }));
    await settle();
    for (const which of ['203.0.113.8', '203.0.113.0/24', 'consumer a', '', 'nonsense']) {
      await assert.rejects(bans.lift(which, 'admin'), (error) => {
        return error instanceof BanError && error.code === 'not-found';
      });
    }
  });

  it('with the one that an operator asked for, since both refuse', async () => {
    const { bans, settle, clock, refusals } = node();
    let ordered: readonly Ban[] = [];
    const asked = new Bans({
      clock,
      random: { hex: () => 'ordered' },
      log: { info() {}, warn() {}, error() {} },
      store: () => undefined,
      publish: async (all) => {
        ordered = all;
      },
      own: () => [],
      count: { set() {} },
    });
    const desk = new BanDesk(asked, bans);
    const request = { forMs: HOUR_MS, reason: '', actor: 'admin', caller: '127.0.0.1', force: false };
    await desk.ban({ ...request, address: '203.0.113.7' });
    bans.take(imposed({ network: '203.0.113.7/32' }));
    await settle();
    assert.equal(desk.list().length, 2);
    assert.equal((await desk.lift('203.0.113.7', 'admin')).id, 'ordered');
    assert.deepEqual([desk.list(), ordered, refusals('203.0.113.7')], [[], [], [false, false]]);
    await assert.rejects(desk.lift('203.0.113.7', 'admin'), BanError);
  });
});

describe('a flood of bans', () => {
  it('is spread in batches, and told as a number', async () => {
    const { bans, clock, due, settle, spread, store, logged } = node();
    for (let i = 0; i < 1000; i++) bans.take(ofAddress(i));
    assert.deepEqual(
      due.map(({ delayMs }) => delayMs),
      [0],
      'the first at once',
    );
    await settle();
    assert.deepEqual(
      spread.map((change) => change.bans.length),
      [500, 500],
      'so many at a time',
    );
    clock.nowMs += 50;
    for (let i = 1000; i < 2000; i++) bans.take(ofAddress(i));
    assert.deepEqual(
      due.map(({ delayMs }) => delayMs),
      [200],
      'then four times a second',
    );
    await settle();
    assert.equal(spread.length, 4);
    assert.equal((await store?.bans.imposed(START_MS))?.length, 2000);
    const audit = (await store?.listAudit({ limit: 100 })) ?? [];
    assert.equal(audit.length, 12);
    assert.deepEqual([audit[0].detail.more, logged.length], [995, 12]);
  });

  it('goes out all of it when the program ends', async () => {
    const { bans, store, workers } = node();
    for (let i = 0; i < 1700; i++) bans.take(ofAddress(i));
    await bans.flush();
    assert.equal((await store?.bans.imposed(START_MS))?.length, 1700);
    const last = parseIpAddress('203.6.163.1');
    assert.ok(last);
    assert.notEqual(workers[1].find(last, START_MS), undefined);
  });

  it('never has more than its room: what ends first gives way', async () => {
    const { bans, settle, refusals, counted } = node(openSqliteStore(':memory:'), 100);
    const long = imposed({ network: '192.0.2.1/32' }, { strike: 5, untilMs: START_MS + 9 * HOUR_MS });
    bans.take(long);
    for (let i = 0; i < 1000; i++) bans.take(ofAddress(i, { untilMs: START_MS + HOUR_MS + i }));
    await settle();
    assert.equal(bans.list().length, 100);
    assert.deepEqual(counted(), [100, 901]);
    assert.deepEqual(refusals('192.0.2.1'), [true, true]);
    assert.deepEqual(refusals('203.0.0.1'), [false, false]);
    assert.deepEqual(refusals('203.3.231.1'), [true, true]);
  });

  it('makes nobody forget what an operator lifted', async () => {
    const { bans, settle } = node(openSqliteStore(':memory:'), 10);
    bans.take(imposed({ caller: 'consumer a' }));
    await settle();
    await bans.lift('consumer a', 'admin');
    for (let i = 0; i < 100; i++) bans.take(ofAddress(i));
    bans.take(imposed({ caller: 'consumer a' }));
    assert.equal(
      bans.list().some(({ caller }) => caller === 'consumer a'),
      false,
    );
  });

  it('that is over gives way before any that stands', async () => {
    const { bans, settle, clock, counted } = node(openSqliteStore(':memory:'), 10);
    for (let i = 0; i < 10; i++) bans.take(ofAddress(i));
    await settle();
    clock.nowMs += HOUR_MS;
    for (let i = 10; i < 20; i++) {
      bans.take(ofAddress(i, { sinceMs: clock.nowMs, untilMs: clock.nowMs + HOUR_MS }));
    }
    await settle();
    assert.deepEqual([bans.list().length, counted()], [10, [10, 0]]);
  });
});
