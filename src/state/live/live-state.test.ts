import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Ban, ImposedBan, Imposition, ListContent } from '../../contract/index.ts';
import { PolicyFailure } from '../../errors.ts';
import { parseCidr } from '../../lib/cidr.ts';
import { NetworkColumns } from '../../lib/cidr-boundaries.ts';
import { type IpAddress, parseIpAddress } from '../../lib/ip-address.ts';
import { SortedNetworks } from '../../lib/sorted-networks.ts';
import { finish } from '../../lib/steps.ts';
import { LiveState } from './live-state.ts';

const address = (text: string): IpAddress => {
  const parsed = parseIpAddress(text);
  assert.ok(parsed, text);
  return parsed;
};

const ban = (id: string, network: string, untilMs: number): Ban => ({
  id,
  network,
  sinceMs: 0,
  untilMs,
  reason: '',
  by: 'admin',
});

function contentOf(version: string, ...networks: string[]): ListContent {
  const [v4, v6] = [new NetworkColumns(1), new NetworkColumns(4)];
  for (const text of networks) {
    const network = parseCidr(text);
    assert.ok(!('fault' in network));
    (network.family === 4 ? v4 : v6).add(network, 0);
  }
  const list = finish(SortedNetworks.of(v4, v6));
  // As it arrives in a worker.
  return structuredClone({ version, networks: finish(list.set()).share(), prefixes: list.prefixes() });
}

describe('bans of policies', () => {
  const terms = {
    id: 'i',
    sinceMs: 10,
    untilMs: 100,
    forgetMs: 1000,
    reason: '',
    by: 'route:a/auto-ban',
    strike: 1,
    round: 1,
    shadow: false,
  };
  const of = (client: string, more: Partial<typeof terms> = {}): Imposition => ({
    ...terms,
    address: address(client),
    ...more,
  });
  const changed = (...bans: ImposedBan[]) =>
    structuredClone({ subject: 'imposed-bans', whole: false, bans, forgotten: [] } as const);

  it('are in force where they are imposed, for one subscriber, until their time', () => {
    const told: ImposedBan[] = [];
    const { bans } = new LiveState(undefined, undefined, { report: (ban) => told.push(ban) });
    assert.equal(bans.impose(of('::ffff:192.0.2.1')), 'imposed');
    assert.equal(bans.impose(of('2001:db8:0:1::5')), 'imposed');
    assert.equal(bans.impose({ ...terms, caller: '192.0.2.9/32' }), 'imposed');
    assert.deepEqual(
      told.map((ban) => ban.network ?? ban.caller),
      ['192.0.2.1/32', '2001:db8:0:1::/64', '192.0.2.9/32'],
    );
    for (const [client, nowMs, isBanned] of [
      ['192.0.2.1', 99, true],
      ['::ffff:192.0.2.1', 99, true],
      ['192.0.2.1', 100, false],
      ['192.0.2.0', 99, false],
      ['2001:db8:0:1:ffff::', 99, true],
      ['2001:db8:0:2::5', 99, false],
      ['2001:db8::5', 99, false],
      ['192.0.2.9', 99, false],
    ] as const)
      assert.equal(bans.find(address(client), nowMs) !== undefined, isBanned, client);
    assert.equal(bans.findCaller('192.0.2.9/32', 99)?.id, 'i');
    assert.equal(bans.findCaller('192.0.2.9/32', 100), undefined);
    const caller = { caller: '192.0.2.9/32' };
    assert.equal(bans.imposedOn(caller, false, 999)?.strike, 1);
    assert.equal(bans.imposedOn(caller, false, 1000), undefined);
    assert.equal(bans.imposedOn(caller, true, 99), undefined);
  });

  it('in shadow are of nobody, and beside the others', () => {
    const { bans } = new LiveState();
    assert.equal(bans.impose(of('192.0.2.1', { shadow: true })), 'imposed');
    assert.equal(bans.find(address('192.0.2.1'), 50), undefined);
    assert.equal(bans.impose(of('192.0.2.1', { id: 'j' })), 'imposed');
    assert.equal(bans.find(address('192.0.2.1'), 50)?.id, 'j');
    assert.equal(bans.imposedOn({ address: address('192.0.2.1') }, true, 50)?.id, 'i');
  });

  it('are one in a round, whoever imposes them, until they are forgotten', () => {
    const { bans } = new LiveState();
    assert.equal(bans.impose(of('192.0.2.1')), 'imposed');
    assert.equal(bans.impose(of('192.0.2.1', { id: 'j' })), 'known');
    assert.equal(bans.impose(of('192.0.2.1', { id: 'k', round: 2, untilMs: 200 })), 'imposed');
    bans.change(changed({ ...terms, network: '192.0.2.1/32' }));
    assert.equal(bans.find(address('192.0.2.1'), 150)?.id, 'k', 'what was told too late ends no later one');
    assert.equal(bans.impose(of('192.0.2.1', { id: 'l', sinceMs: 1000, untilMs: 1100 })), 'imposed');
    bans.change(changed({ ...terms, id: 'm', network: '192.0.2.1/32', sinceMs: 1000, untilMs: 1100 }));
    assert.equal(bans.find(address('192.0.2.1'), 1050)?.id, 'm');
  });

  it('are never of networks of the operator’s own, nor of whom holds one', () => {
    const protects = ({ text }: IpAddress) => text === '203.0.113.1';
    const { bans } = new LiveState(undefined, undefined, { protects });
    bans.protect(['192.0.2.0/24', '2001:db8::7/128']);
    for (const client of ['192.0.2.1', '::ffff:192.0.2.1', '2001:db8::9', '203.0.113.1'])
      assert.equal(bans.impose(of(client)), 'protected', client);
    assert.equal(bans.impose(of('203.0.113.2')), 'imposed');
  });

  it('are what the control side says', () => {
    const state = new LiveState();
    const one: ImposedBan = { ...terms, network: '192.0.2.1/32' };
    const two: ImposedBan = { ...terms, network: '2001:db8::/64' };
    state.apply(changed(one, two));
    state.apply({
      subject: 'imposed-bans',
      whole: false,
      bans: [],
      forgotten: ['enforce 192.0.2.1/32', 'none'],
    });
    assert.equal(state.bans.find(address('192.0.2.1'), 50), undefined);
    assert.notEqual(state.bans.find(address('2001:db8::1'), 50), undefined);
    state.apply({ subject: 'imposed-bans', whole: true, bans: [one], forgotten: [] });
    assert.equal(state.bans.find(address('2001:db8::1'), 50), undefined);
    assert.notEqual(state.bans.find(address('192.0.2.1'), 50), undefined);
    for (const network of ['0.0.0.0/0', '192.0.2.0/31', '2001:db8::/32', 'everybody'])
      assert.throws(() => state.apply(changed({ ...terms, network })), TypeError, network);
  });

  it('that an operator asked for are not ended by one of a policy', () => {
    const state = new LiveState();
    state.apply({ subject: 'bans', bans: [ban('a', '192.0.2.0/24', 500)] });
    state.bans.impose(of('192.0.2.1'));
    for (const nowMs of [50, 150, 499]) assert.equal(state.bans.find(address('192.0.2.1'), nowMs)?.id, 'a');
  });

  it('have a bound even where the control side does not answer', () => {
    const { bans } = new LiveState();
    let imposed = 0;
    while (bans.impose({ ...terms, caller: `consumer ${imposed}` }) === 'imposed') imposed++;
    assert.equal(imposed, 20_000);
    assert.equal(bans.impose({ ...terms, caller: 'consumer 1', round: 2 }), 'imposed');
  });
});

describe('bans', () => {
  const cases: readonly {
    readonly name: string;
    readonly bans: readonly Ban[];
    readonly found: readonly (readonly [client: string, nowMs: number, id: string | undefined])[];
  }[] = [
    { name: 'none', bans: [], found: [['192.0.2.1', 0, undefined]] },
    {
      name: 'of one address, until its time',
      bans: [ban('a', '192.0.2.1/32', 100)],
      found: [
        ['192.0.2.1', 0, 'a'],
        ['192.0.2.1', 99, 'a'],
        ['192.0.2.1', 100, undefined],
        ['192.0.2.2', 0, undefined],
      ],
    },
    {
      name: 'of an IPv4 address, whichever way it comes (CHECKLIST 24)',
      bans: [ban('a', '203.0.113.0/24', 100), ban('b', '::ffff:198.51.100.0/120', 100)],
      found: [
        ['::ffff:203.0.113.9', 0, 'a'],
        ['::ffff:cb00:7109', 0, 'a'],
        ['198.51.100.7', 0, 'b'],
      ],
    },
    {
      name: 'of all of IPv6, which holds no IPv4',
      bans: [ban('a', '::/0', 100)],
      found: [
        ['2001:db8::1', 0, 'a'],
        ['192.0.2.1', 0, undefined],
        ['::ffff:192.0.2.1', 0, undefined],
      ],
    },
    {
      name: 'where the narrower one is over and a wider one stands',
      bans: [ban('a', '192.0.2.1/32', 100), ban('b', '192.0.2.0/24', 300), ban('c', '192.0.0.0/16', 200)],
      found: [
        ['192.0.2.1', 50, 'a'],
        ['192.0.2.1', 100, 'b'],
        ['192.0.2.1', 250, 'b'],
        ['192.0.2.1', 300, undefined],
        ['192.0.3.1', 199, 'c'],
        ['192.0.3.1', 200, undefined],
      ],
    },
    {
      name: 'where the wider one is over',
      bans: [ban('a', '192.0.2.1/32', 300), ban('b', '192.0.2.0/24', 100)],
      found: [
        ['192.0.2.1', 200, 'a'],
        ['192.0.2.2', 200, undefined],
      ],
    },
    {
      name: 'of one network twice, until the later time',
      bans: [ban('a', '192.0.2.0/24', 100), ban('b', '192.0.2.0/24', 200), ban('c', '192.0.2.0/24', 50)],
      found: [
        ['192.0.2.1', 199, 'b'],
        ['192.0.2.1', 200, undefined],
      ],
    },
  ];
  for (const { name, bans, found } of cases) {
    it(name, () => {
      const live = new LiveState();
      live.apply({ subject: 'bans', bans });
      for (const [client, nowMs, id] of found) {
        assert.equal(live.bans.find(address(client), nowMs)?.id, id, `${client} at ${nowMs}`);
      }
    });
  }

  it('are those of the last update, and of the one before where it cannot be read', () => {
    const live = new LiveState();
    live.apply({ subject: 'bans', bans: [ban('a', '192.0.2.1/32', 100)] });
    assert.throws(() => live.apply({ subject: 'bans', bans: [ban('b', '192.0.2.1/24', 100)] }), TypeError);
    assert.equal(live.bans.find(address('192.0.2.1'), 0)?.id, 'a');
    live.apply({ subject: 'bans', bans: [] });
    assert.equal(live.bans.find(address('192.0.2.1'), 0), undefined);
  });

  it('of ten thousand nested and expired networks are looked up without a scan', () => {
    const live = new LiveState();
    const bans = Array.from({ length: 10_000 }, (_, i) => ban(`${i}`, `10.${i >> 8}.${i & 255}.0/24`, 100));
    live.apply({ subject: 'bans', bans });
    const client = address('10.1.1.1');
    const startMs = performance.now();
    for (let i = 0; i < 100_000; i++) assert.equal(live.bans.find(client, 200), undefined);
    const microseconds = (performance.now() - startMs) / 100;
    // A scan of all of them takes milliseconds.
    assert.ok(microseconds < 20, `${microseconds} µs`);
  });
});

describe('a list', () => {
  const isUnavailable = (error: unknown): boolean =>
    error instanceof PolicyFailure && error.rejection.code === 'list-unavailable';

  it('cannot decide before there was content, nor after it was taken away', () => {
    const live = new LiveState();
    const list = live.lists.list('drop');
    assert.throws(() => list.lookup(address('192.0.2.1')), isUnavailable);
    live.apply({ subject: 'list', name: 'drop', content: contentOf('1', '192.0.2.0/24') });
    live.apply({ subject: 'list', name: 'other', content: undefined });
    assert.equal(list.lookup(address('192.0.2.1')), 1);
    live.apply({ subject: 'list', name: 'drop', content: undefined });
    assert.throws(() => list.lookup(address('192.0.2.1')), isUnavailable);
    assert.equal(list.version, undefined);
  });

  it('that was never loaded is without entries where a document is tested', () => {
    const live = new LiveState(undefined, 'empty');
    assert.equal(live.lists.list('drop').lookup(address('192.0.2.1')), -1);
  });

  it('is a handle: what it holds is swapped under it', () => {
    const live = new LiveState();
    const list = live.lists.list('drop');
    live.apply({ subject: 'list', name: 'drop', content: contentOf('1', '192.0.2.0/24') });
    assert.deepEqual([list.version, list.lookup(address('192.0.2.1'))], ['1', 1]);
    live.apply({ subject: 'list', name: 'drop', content: contentOf('2', '10.0.0.0/8', '198.51.100.0/24') });
    assert.deepEqual([list.version, list.lookup(address('192.0.2.1'))], ['2', -1]);
    assert.equal(list.lookup(address('198.51.100.1')), 2);
    assert.equal(live.lists.list('drop'), list);
  });

  it('without entries holds nobody', () => {
    const live = new LiveState();
    live.apply({ subject: 'list', name: 'drop', content: contentOf('1') });
    for (const text of ['0.0.0.0', '::', 'ffff::']) {
      assert.equal(live.lists.list('drop').lookup(address(text)), -1);
    }
  });

  it('finds an IPv4 address whichever way it comes, and names the network (CHECKLIST 24)', () => {
    const live = new LiveState();
    const content = contentOf('1', '10.0.0.0/8', '::ffff:203.0.113.0/120', '2001:db8::/32', '203.0.113.7');
    live.apply({ subject: 'list', name: 'drop', content });
    const list = live.lists.list('drop');
    for (const [text, network] of [
      ['203.0.113.9', '203.0.113.0/24'],
      ['::ffff:203.0.113.9', '203.0.113.0/24'],
      ['::ffff:cb00:7107', '203.0.113.7/32'],
      ['10.255.0.1', '10.0.0.0/8'],
      ['2001:db8:ffff::', '2001:db8::/32'],
    ]) {
      const client = address(text);
      assert.equal(list.describe(list.lookup(client), client), network, text);
    }
    assert.equal(list.lookup(address('::cb00:7107')), -1, 'an IPv4-compatible address is another one');
  });
});

describe('revocations', () => {
  it('are by credential, consumer and token, and number their changes', () => {
    const { revocations, apply } = bound(new LiveState());
    assert.equal(revocations.hasToken('i', 't'), false);
    apply({ subject: 'revocations', credentials: ['k'], consumers: ['c'], tokens: [['i', 't']] });
    assert.ok(
      revocations.hasCredential('k') && revocations.hasConsumer('c') && revocations.hasToken('i', 't'),
    );
    assert.equal(revocations.hasToken('i","', 't'), false);
    const before = revocations.version;
    apply({ subject: 'revocations', credentials: [], consumers: [], tokens: [] });
    assert.ok(revocations.version > before);
    assert.ok(
      !revocations.hasCredential('k') && !revocations.hasConsumer('c') && !revocations.hasToken('i', 't'),
    );
  });
});

const bound = (live: LiveState) => ({
  revocations: live.revocations,
  apply: (update: Parameters<LiveState['apply']>[0]) => live.apply(update),
});
