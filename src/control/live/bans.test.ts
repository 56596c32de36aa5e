import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Ban } from '../../contract/index.ts';
import { parseCidr } from '../../lib/cidr.ts';
import { openSqliteStore, type Store, StoreError } from '../../store/index.ts';
import { BanError, type BanRequest, Bans } from './bans.ts';

const HOUR_MS = 3_600_000;

/** Its bans are counted from `drawn` on: no two have one id, of whichever node. */
function node(kept: Store | 'no store' = openSqliteStore(':memory:'), drawn = 0) {
  let number = drawn;
  const store = kept === 'no store' ? undefined : kept;
  const clock = { nowMs: Date.UTC(2026, 10, 23), now: () => clock.nowMs, monotonic: () => clock.nowMs };
  const published: (readonly Ban[])[] = [];
  const logged: string[] = [];
  const log = (event: string) => void logged.push(event);
  let counted = -1;
  const own = parseCidr('198.51.100.0/24');
  assert.ok(!('fault' in own));
  const bans = new Bans({
    clock,
    random: { hex: (bytes) => (++number).toString(16).padStart(2 * bytes, '0') },
    log: { info: log, warn: log, error: log },
    store: () => store,
    publish: async (all) => void published.push(all),
    own: () => [own],
    count: {
      set: (value) => {
        counted = value;
      },
    },
  });
  const ban = async (address: string, more: Partial<BanRequest> = {}) =>
    await bans.ban({
      address,
      forMs: HOUR_MS,
      reason: 'scans',
      actor: 'admin',
      caller: '127.0.0.1',
      force: false,
      ...more,
    });
  const networks = () => published.at(-1)?.map(({ network }) => network);
  return { bans, ban, clock, store, published, logged, networks, counted: () => counted };
}

const isRefused = (code: BanError['code']) => (error: unknown) =>
  error instanceof BanError && error.code === code;

describe('a ban is refused of', () => {
  const refused: readonly (readonly [
    name: string,
    address: string,
    code: BanError['code'],
    more?: Partial<BanRequest>,
  ])[] = [
    ['no address', 'example.com', 'invalid-request'],
    ['an address in octal', '010.0.0.1', 'invalid-request'],
    ['bits beyond the prefix', '203.0.113.7/24', 'invalid-request'],
    ['no time', '203.0.113.7', 'invalid-request', { forMs: 0 }],
    ['a time without end', '203.0.113.7', 'invalid-request', { forMs: 1000 * HOUR_MS * 24 }],
    ['no number of time', '203.0.113.7', 'invalid-request', { forMs: Number.NaN }],
    ['loopback', '127.0.0.5', 'conflict', { caller: '192.0.2.1' }],
    ['loopback of IPv6', '::1', 'conflict', { caller: '192.0.2.1' }],
    ['a private network', '10.1.0.0/16', 'conflict'],
    ['a mapped private address', '::ffff:10.1.2.3', 'conflict'],
    ['what holds a private network', '172.0.0.0/8', 'conflict'],
    ['an own network', '198.51.100.0/24', 'conflict'],
    ['an address of an own network', '198.51.100.7', 'conflict'],
    ['what holds an own network', '198.51.0.0/16', 'conflict'],
    ['half of everybody', '0.0.0.0/1', 'conflict'],
    ['everybody', '::/0', 'conflict'],
    ['a network of IPv6 that is too wide', '2400::/12', 'conflict'],
    ['who asks, even with force', '192.0.2.0/24', 'conflict', { caller: '192.0.2.9', force: true }],
    [
      'who asks, through a mapped address',
      '192.0.2.9',
      'conflict',
      { caller: '::ffff:192.0.2.9', force: true },
    ],
    ['the network of who asks', '2001:db8::7', 'conflict', { caller: '2001:db8::9', force: true }],
  ];
  for (const [name, address, code, more] of refused) {
    it(name, async () => {
      const { ban, published, store } = node();
      await assert.rejects(ban(address, more), isRefused(code));
      assert.deepEqual(published, []);
      assert.deepEqual(await store?.listAudit({ limit: 1 }), []);
    });
  }

  it('more than ten thousand networks', async () => {
    const { ban, bans, clock } = node('no store');
    for (let i = 0; i < 10_000; i++) await ban(`203.${i >> 8}.${i & 255}.1`);
    await assert.rejects(ban('192.0.2.1'), isRefused('conflict'));
    await ban('203.0.0.1', { reason: 'again' });
    await bans.lift('203.0.0.1', 'admin');
    await ban('192.0.2.1');
    clock.nowMs += HOUR_MS;
    await ban('192.0.2.2');
    assert.equal(bans.list().length, 1);
  });
});

describe('a ban', () => {
  it('is in force everywhere, kept, counted and told when it is made', async () => {
    const { ban, bans, clock, published, store, logged, counted } = node();
    const { ban: made, stored } = await ban('203.0.113.7');
    assert.deepEqual(made, {
      id: '000000000001',
      network: '203.0.113.7/32',
      sinceMs: clock.nowMs,
      untilMs: clock.nowMs + HOUR_MS,
      reason: 'scans',
      by: 'admin',
    });
    assert.ok(stored);
    assert.deepEqual([published, bans.list(), counted()], [[[made]], [made], 1]);
    assert.deepEqual(await store?.bans.active(clock.nowMs), [made]);
    const [entry] = (await store?.listAudit({ limit: 1 })) ?? [];
    assert.deepEqual([entry.action, entry.actor, entry.subject], ['ban.add', 'admin', made.id]);
    assert.equal(entry.detail.network, '203.0.113.7/32');
    assert.deepEqual(logged, ['address-banned']);
  });

  it('of a bare IPv6 address is of its /64, of one written with its prefix of that', async () => {
    const { ban, networks } = node();
    await ban('2001:db8:1:2:3::4');
    await ban('2001:db8:1:3::4/128');
    assert.deepEqual(networks(), ['2001:db8:1:2::/64', '2001:db8:1:3::4/128']);
  });

  it('of a mapped address is of the IPv4 address', async () => {
    const { ban, networks } = node();
    await ban('::ffff:203.0.113.7');
    assert.deepEqual(networks(), ['203.0.113.7/32']);
  });

  it('of what is dear is made with force, and that is told', async () => {
    const { ban, networks, store } = node();
    await ban('198.51.100.7', { force: true });
    await ban('0.0.0.0/0', { force: true, caller: '2001:db8::1' });
    assert.deepEqual(networks(), ['198.51.100.7/32', '0.0.0.0/0']);
    assert.equal((await store?.listAudit({ limit: 1 }))?.[0].detail.forced, true);
  });

  it('takes the place of one of the same network', async () => {
    const { ban, bans, store, clock } = node();
    await ban('203.0.113.7');
    const { ban: second } = await ban('203.0.113.7', { forMs: 1000, reason: 'shorter' });
    assert.deepEqual(bans.list(), [second]);
    assert.deepEqual(await store?.bans.active(clock.nowMs), [second]);
  });

  it('ends by its id, its network or its address', async () => {
    for (const which of ['000000000001', '2001:db8::/64', '2001:db8::5', '2001:db8::9']) {
      const { ban, bans, networks, store, clock, counted } = node();
      await ban('2001:db8::5');
      await bans.lift(which, 'admin');
      assert.deepEqual([networks(), bans.list(), counted()], [[], [], 0]);
      assert.deepEqual(await store?.bans.active(clock.nowMs), []);
      assert.equal((await store?.listAudit({ limit: 1 }))?.[0].action, 'ban.remove');
    }
  });

  it('that is not there cannot be ended', async () => {
    const { ban, bans } = node();
    await ban('203.0.113.0/24');
    for (const which of ['203.0.113.7', '000000000002', 'nonsense', '']) {
      await assert.rejects(bans.lift(which, 'admin'), isRefused('not-found'), which);
    }
  });

  it('is over at its time, here and in the store', async () => {
    const { ban, bans, clock, networks, published, store, logged, counted } = node();
    await ban('203.0.113.7');
    await ban('203.0.113.8', { forMs: 2 * HOUR_MS });
    clock.nowMs += HOUR_MS - 1;
    await bans.tick();
    assert.equal(published.length, 2);
    clock.nowMs += 1;
    assert.equal(bans.list().length, 1);
    await bans.tick();
    assert.deepEqual([networks(), counted(), logged.at(-1)], [['203.0.113.8/32'], 1, 'ban-over']);
    assert.equal((await store?.bans.active(0))?.length, 1);
  });

  it('survives a restart until its time', async () => {
    const store = openSqliteStore(':memory:');
    const before = node(store);
    await before.ban('203.0.113.7');
    await before.ban('203.0.113.8', { forMs: 1000 });
    const after = node(store);
    after.clock.nowMs += 1000;
    await after.bans.load();
    assert.deepEqual([after.networks(), after.counted()], [['203.0.113.7/32'], 1]);
  });

  it('is in force without a store, and says that it ends with the process', async () => {
    const none = node('no store');
    await none.bans.load();
    assert.equal((await none.ban('203.0.113.7')).stored, false);
    assert.deepEqual(none.networks(), ['203.0.113.7/32']);
    const broken = node();
    await broken.store?.close();
    await broken.bans.load();
    assert.equal((await broken.ban('203.0.113.7')).stored, false);
    assert.deepEqual(broken.networks(), ['203.0.113.7/32']);
    assert.ok(broken.logged.includes('bans-not-stored') && broken.logged.includes('bans-not-loaded'));
    await broken.bans.lift('203.0.113.7', 'admin');
    assert.deepEqual(broken.networks(), []);
  });
});

describe('bans that others change', () => {
  /** A store that refuses to write while it is told to. */
  function losable() {
    const store = openSqliteStore(':memory:');
    const { bans } = store;
    const [put, remove, active] = [bans.put.bind(bans), bans.remove.bind(bans), bans.active.bind(bans)];
    let isLost = false;
    const lost = () => Promise.reject(new StoreError('unavailable', 'lost'));
    bans.put = (ban) => (isLost ? lost() : put(ban));
    bans.remove = (id) => (isLost ? lost() : remove(id));
    bans.active = (nowMs) => (isLost ? lost() : active(nowMs));
    const lose = (now: boolean): void => {
      isLost = now;
    };
    return { store, lose };
  }

  it('take effect, and end', async () => {
    const store = openSqliteStore(':memory:');
    const [a, b] = [node(store), node(store, 100)];
    await a.ban('203.0.113.7');
    await b.bans.refresh();
    assert.deepEqual([b.networks(), b.counted()], [['203.0.113.7/32'], 1]);
    await b.bans.lift('203.0.113.7', 'admin');
    await a.bans.refresh();
    assert.deepEqual([a.networks(), a.counted()], [[], 0]);
  });

  it('do not undo one that the store could not take: it goes there when it is back', async () => {
    const { store, lose } = losable();
    const [a, b] = [node(store), node(store, 100)];
    await a.ban('203.0.113.1');
    await b.bans.refresh();
    lose(true);
    assert.equal((await b.ban('203.0.113.7')).stored, false);
    await b.bans.lift('203.0.113.1', 'admin');
    await assert.rejects(b.bans.refresh(), StoreError);
    assert.deepEqual(b.networks(), ['203.0.113.7/32']);
    lose(false);
    await b.bans.refresh();
    assert.deepEqual(b.networks(), ['203.0.113.7/32']);
    await a.bans.refresh();
    assert.deepEqual(a.networks(), ['203.0.113.7/32']);
  });

  it('do not undo one that comes while they are read', async () => {
    const store = openSqliteStore(':memory:');
    const { bans } = store;
    const b = node(store);
    const active = bans.active.bind(bans);
    let isFirst = true;
    bans.active = async (nowMs) => {
      const read = await active(nowMs);
      if (isFirst) {
        isFirst = false;
        await b.ban('203.0.113.7');
      }
      return read;
    };
    await b.bans.refresh();
    assert.deepEqual(b.networks(), ['203.0.113.7/32']);
  });
});
